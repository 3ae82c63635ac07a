"""Endings: signals that ask the process to end, for commands without a loop.

Rule: they end a command as Ctrl-C does, so that everything is given back, the
terminal too, and the exit code is 128 and the signal's number.

What is not here: commands that have a loop (see `osd.cli.running`).
"""

import errno
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_ENDING = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def heeding_signals() -> Iterator[None]:
    """For work that goes in short steps from Python to Python: a signal is seen between them.

    What then fails because the terminal is gone is not what ends the command.
    """
    heard: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        heard.append(number)
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, stop) for number in heeded()}
    try:
        yield
    except OSError as error:
        if heard and error.errno == errno.EIO:
            raise SystemExit(128 + heard[0]) from error
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def heeded() -> list[signal.Signals]:
    """Which: whoever started us may have us ignore one, as nohup does."""
    return [number for number in _ENDING if signal.getsignal(number) is not signal.SIG_IGN]
