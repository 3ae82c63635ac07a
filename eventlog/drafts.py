"""Drafts: what is written for others appears whole under its name, or not at all.

Rule: it is written under another name beside its own, and renamed at the end;
what is there already stays until then. A device or a FIFO is written into.
"""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def draft_of(path: Path) -> Path:
    """A new name beside this one.

    Its length is its own: one made of the other may be too long where that is not.
    """
    return path.with_name(f".osdlog-{secrets.token_hex(8)}.part")


@contextmanager
def drafted(path: Path) -> Iterator[Path]:
    """Where to write the file or the folder that is then at `path`."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        yield path
        return
    target = path.resolve()
    draft = draft_of(target)
    try:
        yield draft
        draft.rename(target)
    finally:
        if draft.is_dir():
            shutil.rmtree(draft, ignore_errors=True)
        draft.unlink(missing_ok=True)
