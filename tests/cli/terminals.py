"""A terminal: what a command draws for people, and how it looks when it is told to end."""

import fcntl
import os
import pty
import select
import struct
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager

from cli.programs import PATIENCE_S

ROWS_COLUMNS = (40, 200)
CURSOR_HIDDEN, CURSOR_SHOWN = "\x1b[?25l", "\x1b[?25h"
UP_AND_ERASED = "\x1b[1A\x1b[2K"


class Terminal:
    """The other end of what a command has for its terminal."""

    def __init__(self, mine: int, theirs: int) -> None:
        self._mine = mine
        self.theirs = theirs
        """Stands for stdout or stderr of a process."""
        self.drawn = ""

    def wait_for(self, text: str, times: int = 1) -> None:
        """Until it was drawn so often."""
        give_up_at = time.monotonic() + PATIENCE_S
        while self.drawn.count(text) < times:
            assert time.monotonic() < give_up_at, f"no {text!r} in {self.drawn!r}"
            self.read(0.1)

    def close(self) -> None:
        """Whoever draws on it from now on is told that it is gone."""
        if self._mine >= 0:
            os.close(self._mine)
        self._mine = -1

    def read(self, patience_s: float = 0.0) -> None:
        """Take what is there."""
        while select.select([self._mine], [], [], patience_s)[0]:
            self.drawn += os.read(self._mine, 65_536).decode(errors="replace")
            patience_s = 0.0


@contextmanager
def terminal() -> Iterator[Terminal]:
    """A new one."""
    mine, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", *ROWS_COLUMNS, 0, 0))
    screen = Terminal(mine, theirs)
    try:
        yield screen
    finally:
        screen.close()
        os.close(theirs)
