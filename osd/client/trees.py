"""Trees: a folder's files into objects, and objects into a folder's files.

Rule: what is there already with the same bytes is skipped, so an interrupted
import or export goes on when it is started again. One file that fails, or
that cannot even be looked at, stops no other. An export writes below its
folder only, and no object into another's file: it goes through no link.
"""

import asyncio
import hashlib
import mimetypes
import os
import stat
from collections.abc import AsyncIterator
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import NamedTuple, NoReturn

from eventlog.drafts import is_draft
from eventlog.errors import BadName, OsdlogError
from osd.client.answers import Listed
from osd.client.async_client import AsyncClient
from osd.client.exporting import require_live
from osd.client.pool import in_parallel
from osd.errors import DiskFailed, Refused

JOBS = 16


class Outcome(StrEnum):
    """What became of one file."""

    DONE = "done"
    REPLACED = "replaced"
    """Done, where other bytes had that name."""
    SKIPPED = "skipped"
    FAILED = "failed"


class Step(NamedTuple):
    """One file is dealt with."""

    name: str
    size: int
    outcome: Outcome
    error: OsdlogError | None = None


class SourceFile(NamedTuple):
    """A file to import, and the object it becomes."""

    path: Path
    name: str
    size: int


class Source(NamedTuple):
    """What is below a folder, each in order."""

    files: list[SourceFile]
    left_out: list[Path]
    """What is neither a regular file nor a folder that is gone through."""
    unread: dict[str, DiskFailed]
    """What could not be looked at, by the name it would have; of a folder, with all in it."""
    drafts: list[Path]
    """What commands that were killed, or still run, have left half written."""


def within(prefix: str) -> str:
    """What all names under this prefix begin with."""
    return f"{prefix.rstrip('/')}/" if prefix.rstrip("/") else ""


def source_in(folder: Path, prefix: str, skip: frozenset[str] = frozenset()) -> Source:
    """All that is below a folder, but for folders of the names in `skip`."""
    if not os.path.isdir(folder):  # noqa: PTH112 - `is_dir` raises where nobody may look
        raise BadName(f"{folder} is not a folder", "Name the folder whose files go in.")
    source, waiting = Source([], [], {}, []), [folder]
    while waiting:
        path = waiting.pop()
        if path is not folder and is_draft(path.name):
            source.drafts.append(path)
            continue
        name = within(prefix) + path.relative_to(folder).as_posix()
        try:
            found = path.stat(follow_symlinks=path is folder)
            if stat.S_ISDIR(found.st_mode):
                inside = sorted(os.listdir(path)) if path.name not in skip else []
                waiting += (path / each for each in reversed(inside))
                continue
        except OSError as error:
            source.unread[name] = _unreadable(path, error)
            continue
        if stat.S_ISREG(found.st_mode):
            source.files.append(SourceFile(path, name, found.st_size))
        else:
            source.left_out.append(path)
    return source


def _unreadable(path: Path, error: OSError) -> DiskFailed:
    return DiskFailed(f"{path} cannot be read: {error.strerror}", "Check its rights and its disk.")


async def import_tree(
    client: AsyncClient, source: Source, prefix: str, jobs: int = JOBS
) -> AsyncIterator[Step]:
    """Put every file, unless an object with its bytes has its name already and can be read."""
    require_live(client.log)
    there = {row.name: row async for row in client.list(within(prefix)) if row.copies}

    async def put(file: SourceFile) -> Step:
        row = there.get(file.name)
        try:
            if row is not None and await asyncio.to_thread(_is_same, file.path, row):
                return Step(file.name, file.size, Outcome.SKIPPED)
            media_type = mimetypes.guess_type(file.path.name)[0]
            await client.put(file.name, file.path, media_type=media_type)
        except OsdlogError as error:
            return Step(file.name, file.size, Outcome.FAILED, error)
        return Step(file.name, file.size, Outcome.REPLACED if row else Outcome.DONE)

    for name, error in source.unread.items():
        yield Step(name, 0, Outcome.FAILED, error)
    async for step in in_parallel(put, source.files, jobs):
        yield step


async def export_tree(
    client: AsyncClient, rows: list[Listed], prefix: str, folder: Path, jobs: int = JOBS
) -> AsyncIterator[Step]:
    """Write every listed object to its file, unless that has its bytes already."""
    require_live(client.log)
    root = folder.resolve()

    async def get(row: Listed) -> Step:
        try:
            path = await asyncio.to_thread(_place_for, root, row.name[len(within(prefix)) :], row)
            if await asyncio.to_thread(_is_same, path, row):
                return Step(row.name, row.size, Outcome.SKIPPED)
            is_there = await asyncio.to_thread(path.exists)
            await client.stream_to(row.name, path)
        except OsdlogError as error:
            return Step(row.name, row.size, Outcome.FAILED, error)
        return Step(row.name, row.size, Outcome.REPLACED if is_there else Outcome.DONE)

    async for step in in_parallel(get, rows, jobs):
        yield step


def _place_for(root: Path, inside: str, row: Listed) -> Path:
    """The file for an object, its folder made; `Refused` where it would be another's place."""
    parts = inside.split("/")
    if any(part in ("", ".", "..") for part in parts) or PurePosixPath(inside).is_absolute():
        raise Refused(
            f"{row.name!r} is not exported: as a path it would lead elsewhere",
            "Get it by its name, into a file of your choice: `osdlog get NAME -o FILE`.",
        )
    path = root.joinpath(*parts)
    try:
        link = _link_on(root, parts)
        if link is not None:
            _in_the_way(row, link, "is a symbolic link")
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file():
            _in_the_way(row, path, "is there and is no file")
    except OSError as error:
        raise DiskFailed(
            f"there is no place for {path}: {error.strerror}",
            "Perhaps a file stands where a folder should be; export into an empty folder.",
        ) from error
    return path


def _in_the_way(row: Listed, path: Path, why: str) -> NoReturn:
    raise Refused(
        f"{row.name!r} is not exported: {path} {why}", "Remove it, or export into an empty folder."
    )


def _link_on(root: Path, parts: list[str]) -> Path | None:
    """The first symbolic link on a path below `root`: it may lead to another object's file."""
    on_the_way = (root.joinpath(*parts[:depth]) for depth in range(1, len(parts) + 1))
    return next((path for path in on_the_way if path.is_symlink()), None)


def _is_same(path: Path, row: Listed) -> bool:
    """Whether the file has the object's very bytes."""
    try:
        if path.stat(follow_symlinks=False).st_size != row.size:
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == row.sha256
    except OSError:
        return False
