"""Sinks: where the bytes of an object go, once their sum is known to be right.

Rule: what arrives is held back until `finish`; a file is written under
another name first and renamed. `begin` starts anew, as often as the object is
asked for; `finish` is called once, and what it handed out is never taken back.
Memory stays bounded, but for `MemorySink`, whose owner wants it all.
"""

import asyncio
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import BinaryIO, Self

from eventlog.drafts import draft_of
from osd.client.threads import in_own_thread
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
    """A file, which appears whole under its name or not at all. Its folder must be there.

    A file that is there already is replaced, and keeps its mode and its owner.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._draft = draft_of(path)
        self._file: BinaryIO | None = None

    def begin(self) -> None:
        """Start the draft, or start it anew."""
        super().begin()
        with _explained(self._path):
            if self._file is None:
                self._file = self._draft.open("xb", buffering=0)
                self._take_after(self._file.fileno())
            self._file.seek(0)
            self._file.truncate()

    def _take_after(self, draft: int) -> None:
        """Nobody may read the draft who may not read the file."""
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return
        with suppress(PermissionError):  # of the owner: only root may give files away
            os.fchown(draft, there.st_uid, there.st_gid)
        os.fchmod(draft, there.st_mode & 0o777)

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


class _SpooledSink(_BufferedSink):
    """What was written there cannot be taken back: so all of it is kept until it is right."""

    def __init__(self) -> None:
        super().__init__()
        self._spool = SpooledTemporaryFile(SPOOL_BYTES)  # noqa: SIM115 - closed in `abandon`

    def begin(self) -> None:
        """Forget everything so far."""
        super().begin()
        self._spool.seek(0)
        self._spool.truncate()

    async def finish(self) -> None:
        """Write everything on, however slowly it is taken."""
        self._flush()
        await in_own_thread(self._hand_out)

    def abandon(self) -> None:
        """Give the temporary file back."""
        self._spool.close()

    def _hand_out(self) -> None:
        raise NotImplementedError

    def _pour(self, target: BinaryIO) -> None:
        self._spool.seek(0)
        while data := self._spool.read(WRITE_BYTES):
            rest = memoryview(data)
            while rest:  # a raw stream takes what it has room for
                rest = rest[target.write(rest) :]
        target.flush()

    def _store(self, data: bytes) -> None:
        with _explained("the temporary file"):
            self._spool.write(data)


class StreamSink(_SpooledSink):
    """A stream, such as standard output; `BrokenPipeError` when nobody reads it any more."""

    def __init__(self, target: BinaryIO) -> None:
        super().__init__()
        self._target = target

    def _hand_out(self) -> None:
        name = getattr(self._target, "name", "the stream")
        with _explained("standard output" if name == "<stdout>" else name):
            self._pour(self._target)


class SpecialSink(_SpooledSink):
    """A device or a FIFO: opened once the bytes are right, and written into."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def _hand_out(self) -> None:
        with _explained(self._path), self._path.open("wb", buffering=0) as target:
            self._pour(target)


def sink_at(path: Path) -> Sink:
    """Writes to what this path leads to, as a shell would: never in place of a link or a device."""
    with _explained(path):
        at = Path(os.path.realpath(path))
        try:
            mode = at.stat().st_mode
        except FileNotFoundError:
            return FileSink(at)
        if stat.S_ISDIR(mode):
            raise DiskFailed(f"cannot write {path}: it is a folder", "Name a file in it.")
        return FileSink(at) if stat.S_ISREG(mode) else SpecialSink(at)


@contextmanager
def _explained(path: Path | str) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise DiskFailed(
            f"cannot write {path}: {error.strerror}",
            "Check that its folder is there, is writable and has room.",
        ) from error
