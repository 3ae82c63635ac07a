"""Trees: a folder's files into objects, and objects into a folder's files.

Rule: what is there already with the same bytes is skipped, so an interrupted
import or export goes on when it is started again. One file that fails stops
no other. An export writes below its folder only: a name that would lead out
of it is refused.
"""

import asyncio
import hashlib
import mimetypes
import os
from collections.abc import AsyncIterator, Iterator
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from eventlog.errors import BadName, OsdlogError
from osd.client.answers import Listed
from osd.client.async_client import AsyncClient
from osd.client.pool import in_parallel
from osd.errors import DiskFailed, Refused

JOBS = 16


class Outcome(StrEnum):
    """What became of one file."""

    DONE = "done"
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


def within(prefix: str) -> str:
    """What all names under this prefix begin with."""
    return f"{prefix.rstrip('/')}/" if prefix.rstrip("/") else ""


def source_files(folder: Path, prefix: str, skip: frozenset[str] = frozenset()) -> list[SourceFile]:
    """The regular files below a folder, in order; symbolic links and folders in `skip` are not."""
    if not folder.is_dir():
        raise BadName(f"{folder} is not a folder", "Name the folder whose files go in.")
    return list(_files(folder, within(prefix), skip))


def _files(folder: Path, prefix: str, skip: frozenset[str]) -> Iterator[SourceFile]:
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in skip)
        for name in sorted(names):
            path = Path(where, name)
            if path.is_file() and not path.is_symlink():
                inside = path.relative_to(folder).as_posix()
                yield SourceFile(path, prefix + inside, path.stat().st_size)


def left_out(folder: Path) -> list[Path]:
    """What is below a folder and is neither a regular file nor a folder that is gone through."""
    return [
        path
        for where, folders, names in os.walk(folder)
        for path in (Path(where, name) for name in sorted([*folders, *names]))
        if path.is_symlink() or not (path.is_file() or path.is_dir())
    ]


async def import_tree(
    client: AsyncClient, files: list[SourceFile], prefix: str, jobs: int = JOBS
) -> AsyncIterator[Step]:
    """Put every file, unless an object with its bytes has its name already and can be read."""
    there = {row.name: row async for row in client.list(within(prefix)) if row.copies}

    async def put(file: SourceFile) -> Step:
        try:
            if await asyncio.to_thread(_is_same, file.path, there.get(file.name)):
                return Step(file.name, file.size, Outcome.SKIPPED)
            media_type = mimetypes.guess_type(file.path.name)[0]
            await client.put(file.name, file.path, media_type=media_type)
        except OsdlogError as error:
            return Step(file.name, file.size, Outcome.FAILED, error)
        return Step(file.name, file.size, Outcome.DONE)

    async for step in in_parallel(put, files, jobs):
        yield step


async def export_tree(
    client: AsyncClient, rows: list[Listed], prefix: str, folder: Path, jobs: int = JOBS
) -> AsyncIterator[Step]:
    """Write every listed object to its file, unless that has its bytes already."""
    root = folder.resolve()

    async def get(row: Listed) -> Step:
        try:
            path = await asyncio.to_thread(_place_for, root, row.name[len(within(prefix)) :], row)
            if await asyncio.to_thread(_is_same, path, row):
                return Step(row.name, row.size, Outcome.SKIPPED)
            await client.stream_to(row.name, path)
        except OsdlogError as error:
            return Step(row.name, row.size, Outcome.FAILED, error)
        return Step(row.name, row.size, Outcome.DONE)

    async for step in in_parallel(get, rows, jobs):
        yield step


def _place_for(root: Path, inside: str, row: Listed) -> Path:
    """The file for an object, its folder made; `Refused` where it would not be below `root`."""
    parts = inside.split("/")
    if any(part in ("", ".", "..") for part in parts) or PurePosixPath(inside).is_absolute():
        raise Refused(
            f"{row.name!r} is not exported: as a path it would lead elsewhere",
            "Get it by its name, into a file of your choice: `osdlog get NAME -o FILE`.",
        )
    path = root.joinpath(*parts)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        is_below = path.resolve().is_relative_to(root)
        is_file = not path.exists() or path.is_file()
    except OSError as error:
        raise DiskFailed(
            f"there is no place for {path}: {error.strerror}",
            "Perhaps a file stands where a folder should be; export into an empty folder.",
        ) from error
    if not is_below:
        raise Refused(
            f"{row.name!r} is not exported: a symbolic link leads out of {root}",
            "Remove the link, or export into an empty folder.",
        )
    if not is_file:
        raise Refused(
            f"{row.name!r} is not exported: {path} is there and is no file",
            "Remove it, or export into an empty folder.",
        )
    return path


def _is_same(path: Path, row: Listed | None) -> bool:
    """Whether the file has the object's very bytes."""
    try:
        if row is None or path.is_symlink() or path.stat().st_size != row.size:
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == row.sha256
    except OSError:
        return False
