"""The source: the folder whose files go in.

Rule: by default the standard library of the running Python, without what was
installed beside it and without compiled caches, which change while one looks.
What goes in is remembered by its SHA-256 at that moment.
"""

import asyncio
import hashlib
import sysconfig
from collections.abc import AsyncGenerator
from pathlib import Path

from osd.client.bodies import SMALL_BYTES
from osd.client.pool import in_parallel
from osd.client.trees import SourceFile, source_in
from osd.demo.stage import Stage
from osd.errors import Refused

NOT_LIBRARY = frozenset({"site-packages", "dist-packages", "__pycache__"})
JOBS = 16


def files_of(path: Path | None) -> tuple[Path, list[SourceFile]]:
    """The folder and its files, named after it. Raises `BadName`, `DiskFailed`, `Refused`."""
    folder = path or Path(sysconfig.get_path("stdlib"))
    skip = frozenset[str]() if path else NOT_LIBRARY
    source = source_in(folder, folder.resolve().name, skip)
    if source.unread:
        raise next(iter(source.unread.values()))
    if not source.files:
        raise Refused(f"{folder} has no files", "Name a folder with files in it.")
    return folder, source.files


async def put_all(stage: Stage, files: list[SourceFile]) -> AsyncGenerator[SourceFile, None]:
    """Put every file; each as it is done."""

    async def put(file: SourceFile) -> SourceFile:
        if file.size <= SMALL_BYTES:
            data = await asyncio.to_thread(file.path.read_bytes)
            digest = hashlib.sha256(data).hexdigest()
            await stage.client.put(file.name, data)
        else:
            digest = await asyncio.to_thread(_digest, file.path)
            await stage.client.put(file.name, file.path)
        stage.expected[file.name], stage.sizes[file.name] = digest, file.size
        return file

    async for file in in_parallel(put, files, JOBS):
        yield file


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
