"""Taking turns: one process at a time appends to an SQLite log, and notes how far it came.

Rule: whoever wants to append takes an exclusive `flock` on a file beside the
log, asking again every fraction of a millisecond. SQLite's own way is to ask
again after ever longer sleeps: with four busy processes half the appends, and
ten times the longest wait. This lock makes appends fast, never correct; for
that SQLite's own stands below it.

After each append the number of all appends so far is noted in the same file.
SQLite takes a damaged, shortened or removed write-ahead file for one that was
never written to the end, and goes on without its commits; the note shows that
they are missing. It is not synced and may be old after a power failure, but
it never says too much.
"""

import fcntl
import os
import random
import struct
import time
import zlib
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from eventlog.errors import LogUnavailable

RETRY_S = (0.000_1, 0.000_4)
_NOTE = struct.Struct("<QI")  # appends, and the sum of that number


def turn_file(log: Path) -> Path:
    """The file beside the log."""
    return log.with_name(log.name + "-turn")


def noted_appends(log: Path) -> int:
    """At least so many records were appended, durably, since the log was made."""
    try:
        appends, crc = _NOTE.unpack(turn_file(log).read_bytes())
    except (OSError, struct.error):
        return 0
    return int(appends) if zlib.crc32(b"%d" % appends) == crc else 0


class Turn:
    """`with turn:` one process appends. Threads must take turns above it."""

    def __init__(self, log: Path, patience_s: float) -> None:
        self._path = turn_file(log)
        self._patience_s = patience_s
        self._file: int | None = None

    def __enter__(self) -> None:
        try:
            if self._file is None:
                self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._wait()
        except OSError as error:
            raise LogUnavailable(
                f"the lock file {self._path} cannot be used: {error.strerror}",
                "Check who owns it, and that its disk has room and is well.",
            ) from error

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._file is not None
        fcntl.flock(self._file, fcntl.LOCK_UN)

    def note(self, appends: int) -> None:
        """So many records are durable now."""
        assert self._file is not None
        with suppress(OSError):  # without a note the log is only less guarded
            os.pwrite(self._file, _NOTE.pack(appends, zlib.crc32(b"%d" % appends)), 0)

    def close(self) -> None:
        """Give back the file; it stays beside the log."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _wait(self) -> None:
        """Try again and again: a blocking `flock` knows no deadline, and the holder may be stopped.

        A commit takes milliseconds, so the tries cost next to nothing; their times are spread
        so that processes do not keep step with each other.
        """
        assert self._file is not None
        deadline = time.monotonic() + self._patience_s
        while time.monotonic() < deadline:
            time.sleep(random.uniform(*RETRY_S))  # noqa: S311 - nothing secret
            with suppress(BlockingIOError):
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
        raise LogUnavailable(
            f"another process has been appending for {self._patience_s:g} s without an end",
            f"Find the process that holds {self._path} (`fuser` names it) and let it go on.",
        )
