"""Sinks: where the bytes of an object go, once their sum is known to be right.

Rule: what arrives is held back until `finish`; a file is written under
another name first and renamed. `begin` starts anew, as often as the object is
asked for. Memory stays bounded, but for `MemorySink`, whose owner wants it all.
"""

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import BinaryIO, Self

from osd.errors import DiskFailed

WRITE_BYTES = 1024 * 1024
"""Written at once, by another thread."""
SPOOL_BYTES = 8 * 1024 * 1024
"""Held in memory by a `StreamSink` at most."""


class Sink:
    """What takes an object's bytes. Left by `with`, it forgets what is not finished."""

    def begin(self) -> None:
        """Forget everything so far."""
        raise NotImplementedError

    async def write(self, chunk: bytes) -> None:
        """Take the next bytes."""
        raise NotImplementedError

    async def finish(self) -> None:
        """The bytes are right: hand them out."""
        raise NotImplementedError

    def abandon(self) -> None:
        """Leave nothing behind that is not finished."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.abandon()


class MemorySink(Sink):
    """Keeps the bytes."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self.data = b""

    def begin(self) -> None:
        """Forget everything so far."""
        self._chunks.clear()

    async def write(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self._chunks.append(chunk)

    async def finish(self) -> None:
        """The bytes are in `data`."""
        self.data = b"".join(self._chunks)


class _BufferedSink(Sink):
    """Writes much at once, so that few threads are asked."""

    def __init__(self) -> None:
        self._waiting: list[bytes] = []
        self._size = 0

    def begin(self) -> None:
        """Forget everything so far."""
        self._waiting.clear()
        self._size = 0

    async def write(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self._waiting.append(chunk)
        self._size += len(chunk)
        if self._size >= WRITE_BYTES:
            await asyncio.to_thread(self._flush)

    def _flush(self) -> None:
        data = b"".join(self._waiting)
        self._waiting.clear()
        self._size = 0
        self._store(data)

    def _store(self, data: bytes) -> None:
        raise NotImplementedError


class FileSink(_BufferedSink):
    """A file, which appears whole under its name or not at all. Its folder must be there."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._draft = path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}.part")
        self._file: BinaryIO | None = None

    def begin(self) -> None:
        """Start the draft, or start it anew."""
        super().begin()
        with _explained(self._path):
            if self._file is None:
                self._file = self._draft.open("xb", buffering=0)
            self._file.seek(0)
            self._file.truncate()

    async def finish(self) -> None:
        """Give the file its name."""
        self._flush()
        assert self._file is not None, "a sink is begun before it is finished"
        with _explained(self._path):
            self._file.close()
            self._draft.replace(self._path)
        self._file = None

    def abandon(self) -> None:
        """Remove the draft, if it did not become the file."""
        if self._file is not None:
            self._file.close()
            self._draft.unlink(missing_ok=True)
            self._file = None

    def _store(self, data: bytes) -> None:
        assert self._file is not None, "a sink is begun before it is written to"
        with _explained(self._path):
            rest = memoryview(data)
            while rest:
                rest = rest[self._file.write(rest) :]


class StreamSink(_BufferedSink):
    """A stream, such as standard output: what was written there cannot be taken back."""

    def __init__(self, target: BinaryIO) -> None:
        super().__init__()
        self._target = target
        self._spool = SpooledTemporaryFile(SPOOL_BYTES)  # noqa: SIM115 - closed in `abandon`

    def begin(self) -> None:
        """Forget everything so far."""
        super().begin()
        self._spool.seek(0)
        self._spool.truncate()

    async def finish(self) -> None:
        """Write everything on."""
        self._flush()
        self._spool.seek(0)
        while data := self._spool.read(WRITE_BYTES):
            await asyncio.to_thread(self._target.write, data)
        await asyncio.to_thread(self._target.flush)

    def abandon(self) -> None:
        """Give the temporary file back."""
        self._spool.close()

    def _store(self, data: bytes) -> None:
        with _explained(Path("the temporary file")):
            self._spool.write(data)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DiskFailed(
            f"cannot write {path}: {error.strerror}",
            "Check that its folder is there, is writable and has room.",
        ) from error
