"""Drafts: what is written for others appears whole under its name, or not at all.

Rule: it is written under another name beside its own, and renamed at the end;
what is there already stays until then, and for good where it is no file of that
kind: a name is easily mistaken, and a log or a database cannot be had again. A
device or a FIFO is written into.
What was killed leaves its draft: by its name everybody knows that it is none
of anybody's data. Nobody else removes it, for who writes it may still live.
"""

import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eventlog.errors import BadName

_DRAFT = re.compile(r"\.osdlog-[0-9a-f]{16}\.part(-[a-z]+)?")
"""SQLite and its users put files of their own beside a draft."""


def is_draft(name: str) -> bool:
    """Whether a file or folder of that name is a draft, finished by nobody or not yet."""
    return _DRAFT.fullmatch(name) is not None


def draft_of(path: Path) -> Path:
    """A new name beside this one.

    Its length is its own: one made of the other may be too long where that is not.
    """
    return path.with_name(f".osdlog-{secrets.token_hex(8)}.part")


@contextmanager
def drafted(path: Path, begins: bytes = b"") -> Iterator[Path]:
    """Where to write the file or the folder that is then at `path`; what it lies in is there.

    `begins`: the first bytes of every file of that kind; no other is replaced. Raises `BadName`.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        yield path
        return
    target = path.resolve()
    if not target.parent.is_dir():  # or the error would name the draft
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    _require_kind(path, begins)
    draft = draft_of(target)
    try:
        yield draft
        draft.rename(target)
    finally:
        if draft.is_dir():
            shutil.rmtree(draft, ignore_errors=True)
        draft.unlink(missing_ok=True)


def _require_kind(path: Path, begins: bytes) -> None:
    if not path.exists():
        return
    with path.open("rb") as there:
        found = there.read(len(begins))
    if found and found != begins:
        raise BadName(
            f"{path} is there already, and is something else than what it would be replaced by",
            "Name another file; or remove that one, if it is nobody's.",
        )
