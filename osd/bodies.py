"""Bodies: bytes of objects on their way in and out, never whole in memory unless small.

Rule: a body that comes in is bytes if it is small, else a durable file whose
sum was made on the way; whatever ends early leaves nothing behind. Of a file
that goes out the last piece is given only when the sum of all of it was
right. A new body is taken only while the disk's reserve stays free.

What is not here: requests, and which bodies are wanted.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import suppress
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from aiohttp import StreamReader

from osd.blobs import SMALL_BODY_BYTES, Blob, BlobFiles, BlobId, BlobWriter
from osd.core.inputs import Payload
from osd.core.room import Room
from osd.durable import FULL_HINT, reading_error, room
from osd.errors import BytesDamaged, DiskError, DiskFull

PIECE_BYTES = 1024 * 1024
"""Written or read by one call of a worker thread: a body of so much costs one change of thread."""
ROOM_SECONDS = 0.2
"""The file system is asked at most so often how full it is."""

_Result = TypeVar("_Result")


class TooLarge(Exception):
    """The body has more bytes than it may have."""


class Received(NamedTuple):
    """A body that is here: bytes, or a durable file."""

    payload: Payload
    size: int
    sha256: bytes


class _Sum(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


class Gauge:
    """How full the disk is, asked now and then."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._asked = -ROOM_SECONDS
        self._room = Room(0, 0)

    @property
    def room(self) -> Room:
        """As it was at most `ROOM_SECONDS` ago."""
        now = time.monotonic()
        if now - self._asked >= ROOM_SECONDS:
            self._room, self._asked = room(self._path), now
        return self._room

    def refusal(self, size: int) -> DiskFull | None:
        """Why a new body of that size is not taken; None if it is."""
        there = self.room
        if there.takes(size):
            return None
        return DiskFull(
            f"the disk has {there.free:,} bytes left and keeps {there.reserve:,} of them "
            f"for deletes and bookkeeping; a body of {size:,} bytes was refused",
            FULL_HINT,
        )


def small(data: bytes) -> Received:
    """A body that is whole in memory."""
    return Received(data, len(data), sha256(data).digest())


async def next_chunk(stream: StreamReader) -> bytes:
    """What came first of what is there, as it came; nothing at the stream's end."""
    while True:
        chunk, _ = await stream.readchunk()
        if chunk or stream.at_eof():
            return chunk


async def receive(chunks: AsyncIterator[bytes], blobs: BlobFiles, limit: int) -> Received:
    """Take a body of any size up to `limit`.

    Raises `TooLarge`, `DiskError`, and what `chunks` raises; nothing is left then, or
    `blobs.failure` says why.
    """
    writing, size = _Writing(blobs), 0
    try:
        async for chunk in chunks:
            size += len(chunk)
            if size > limit:
                raise TooLarge
            await writing.add(chunk)
        if size <= SMALL_BODY_BYTES:
            return small(writing.take())
        return await writing.finish(size)
    except BaseException:
        await asyncio.shield(writing.abandon())
        raise


class _Writing:
    """A file being written by worker threads, one call at a time, while more of it comes."""

    def __init__(self, blobs: BlobFiles) -> None:
        self._blobs = blobs
        self._sum = sha256()
        self._writer: BlobWriter | None = None
        self._blob: BlobId | None = None
        self._chunks: list[bytes] = []
        self._size = 0
        """Of the chunks that no call has taken yet."""
        self._under_way: asyncio.Future[None] | None = None

    async def add(self, chunk: bytes) -> None:
        """Take more; waits only if as much as a piece is still being written."""
        self._chunks.append(chunk)
        self._size += len(chunk)
        if self._size > PIECE_BYTES:
            await self._ended()
            self._begin(partial(self._write, self.take()))

    def take(self) -> bytes:
        """What is not written yet."""
        chunks, self._chunks, self._size = self._chunks, [], 0
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def finish(self, size: int) -> Received:
        await self._ended()
        self._begin(partial(self._finish, self.take()))
        await self._ended()
        assert self._blob is not None
        return Received(self._blob, size, self._sum.digest())

    def abandon(self) -> asyncio.Task[None]:
        """Leave nothing: that begins as soon as the call under way has ended."""
        return asyncio.create_task(self._abandoned())

    async def _abandoned(self) -> None:
        if self._under_way is None:
            return
        with suppress(BaseException):  # what went wrong first is what is told
            await self._ended()
        self._begin(self._remove)
        with suppress(DiskError):  # a file that is left is known, and stops the node
            await self._ended()

    def _begin(self, function: Callable[[], None]) -> None:
        self._under_way = asyncio.get_running_loop().run_in_executor(None, function)

    async def _ended(self) -> None:
        """Until the call under way is over; a caller that is cancelled must not end it."""
        if self._under_way is not None:
            await asyncio.shield(self._under_way)

    def _write(self, data: bytes) -> None:
        if self._writer is None:
            self._writer = self._blobs.create()
        self._sum.update(data)
        self._writer.write(data)

    def _finish(self, data: bytes) -> None:
        self._write(data)
        assert self._writer is not None
        self._blob = self._writer.finish()

    def _remove(self) -> None:
        if self._blob is not None:
            self._blobs.unlink([self._blob])
        elif self._writer is not None:
            self._writer.abandon()


async def pieces(blob: Blob, size: int, expected: bytes) -> AsyncGenerator[bytes]:
    """A file's bytes; raises `BytesDamaged` before its last ones if they are not as expected.

    The file is closed at the end, however that comes. Raises `DiskFailed` where it cannot be read.
    """
    try:
        if blob.size != size:
            raise _damaged(blob, f"it has {blob.size:,} bytes instead of {size:,}")
        digest, left = sha256(), size
        while left > 0:
            piece = await _in_thread(partial(_read, blob, digest, left))
            left -= len(piece)
            if left == 0 and digest.digest() != expected:
                raise _damaged(blob, "its sum is wrong")
            yield piece
    finally:
        blob.file.close()


def _read(blob: Blob, digest: _Sum, left: int) -> bytes:
    try:
        piece = blob.file.read(min(PIECE_BYTES, left))
    except OSError as error:
        raise reading_error(error, f"cannot read {blob.path}") from error
    if not piece:
        raise _damaged(blob, "it ends early")
    digest.update(piece)
    return piece


def _damaged(blob: Blob, why: str) -> BytesDamaged:
    return BytesDamaged(
        f"the file {blob.path} is damaged: {why}", "It is fetched again if another store has it."
    )


async def _in_thread(function: Callable[[], _Result]) -> _Result:
    return await asyncio.get_running_loop().run_in_executor(None, function)
