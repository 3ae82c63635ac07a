"""Bodies: what is put, in a form that can be sent again.

Rule: a request may be sent several times, so its body must be readable
several times: bytes are kept, a file is read again from its start, and what
comes from an iterable is first written to a temporary file. Memory stays
bounded whatever the size.
"""

import asyncio
import hashlib
import os
import tempfile
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from io import BytesIO
from pathlib import Path
from stat import S_ISREG
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from eventlog.errors import BadName, OsdlogError
from osd.client.threads import in_own_thread
from osd.errors import DiskFailed, Refused

Data = bytes | bytearray | memoryview | Path | Iterable[bytes] | AsyncIterable[bytes]
"""What a client can put."""

CHUNK_BYTES = 512 * 1024
SMALL_BYTES = 1024 * 1024
"""Up to here a body is read into memory, and its sum is sent along."""


class Body:
    """Bytes to send, `size` of them. `fault` says why they could not be read to their end."""

    def __init__(self, size: int, sha256: str | None) -> None:
        self.size = size
        self.sha256 = sha256
        self.fault: OsdlogError | None = None

    def read(self) -> bytes | AsyncIterator[bytes]:
        """All of it, from the start."""
        raise NotImplementedError


class BytesBody(Body):
    """A body in memory."""

    def __init__(self, data: bytes) -> None:
        super().__init__(len(data), hashlib.sha256(data).hexdigest())
        self._data = data

    def read(self) -> bytes:
        """The very bytes."""
        return self._data


class FileBody(Body):
    """A body in a file, from its start."""

    def __init__(self, file: BinaryIO, name: str, size: int, sha256: str | None = None) -> None:
        super().__init__(size, sha256)
        self._file = file
        self._name = name

    async def read(self) -> AsyncIterator[bytes]:
        """Exactly `size` bytes."""
        left = self.size
        self._file.seek(0)
        while left:
            chunk = await asyncio.to_thread(self._read, min(CHUNK_BYTES, left))
            left -= len(chunk)
            yield chunk

    def _read(self, size: int) -> bytes:
        try:
            if chunk := self._file.read(size):
                return chunk
        except OSError as error:
            self.fault = _unreadable(self._name, error)
        else:
            self.fault = Refused(
                f"{self._name} became shorter while it was sent", "Put it again once it is still."
            )
        raise self.fault


@asynccontextmanager
async def body_of(data: Data) -> AsyncIterator[Body]:
    """The body while it is needed. Raises `BadName` for a file that cannot be read."""
    match data:
        case bytes():
            yield _given(data)
        case bytearray() | memoryview():
            yield _given(bytes(data))
        case Path() if _is_regular(data):
            with _opened(data) as file:
                yield _file_body(data, file)
        case _:
            with SpooledTemporaryFile(SMALL_BYTES) as spool:
                yield await _spooled(_pieces(data), cast(BinaryIO, spool))


def _is_regular(path: Path) -> bool:
    """Whether its size is known, and it can be read twice."""
    try:
        return S_ISREG(path.stat().st_mode)
    except OSError as error:
        raise _unreadable(str(path), error) from error


def _pieces(data: Path | Iterable[bytes] | AsyncIterable[bytes]) -> AsyncIterable[bytes]:
    if isinstance(data, AsyncIterable):
        return data
    return _each(_stream(data) if isinstance(data, Path) else data)


def _given(data: bytes) -> Body:
    """A large one goes out piece by piece, or it would hold up everything else on the loop."""
    if len(data) <= SMALL_BYTES:
        return BytesBody(data)
    digest = hashlib.sha256(data).hexdigest()
    return FileBody(BytesIO(data), "what was given", len(data), digest)


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise _unreadable(str(path), error) from error


def _file_body(path: Path, file: BinaryIO) -> Body:
    size = os.fstat(file.fileno()).st_size
    if size > SMALL_BYTES:
        return FileBody(file, str(path), size)
    try:
        return BytesBody(file.read())
    except OSError as error:
        raise _unreadable(str(path), error) from error


async def _spooled(chunks: AsyncIterable[bytes], spool: BinaryIO) -> Body:
    digest = hashlib.sha256()
    async for chunk in chunks:
        digest.update(chunk)
        try:
            await asyncio.to_thread(spool.write, chunk)
        except OSError as error:
            raise DiskFailed(
                f"cannot keep what is put in {tempfile.gettempdir()}: {error.strerror}",
                "Make room there, or name another folder in TMPDIR.",
            ) from error
    return FileBody(spool, "what was given", spool.tell(), digest.hexdigest())


async def _each(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    """A plain iterable may block, as a pipe does: so each step is another thread's."""
    step = partial(next, iter(chunks), None)
    while (chunk := await in_own_thread(step)) is not None:
        yield chunk


def _stream(path: Path) -> Iterator[bytes]:
    """All that a FIFO or a device gives."""
    with _opened(path) as file:
        try:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
        except OSError as error:
            raise _unreadable(str(path), error) from error


def _unreadable(name: str, error: OSError) -> BadName:
    return BadName(f"{name} cannot be read: {error.strerror}", "Check the path and its rights.")
