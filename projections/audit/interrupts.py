"""Ctrl-C and signals to end while DuckDB works: they end the statement, then what they mean to.

Rule: whoever waits within DuckDB for its threads runs no code of Python, and hears
of no signal; nor does DuckDB look for one then. So another thread listens, and has
the connection give up. It may be late: before the next statement it is waited for,
which would be interrupted else. Ctrl-C is then raised as itself; a signal that asks the
process to end, as `SystemExit` with 128 and its number, so that whatever is
open is closed. Off the main thread, which alone is told of signals, nobody listens.
"""

import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

_ENDING = (signal.SIGTERM, signal.SIGHUP)
_heard: list[int] = []
"""Signals to end the process that have come: DuckDB may swallow what is raised for one."""
_NO_SIGNAL = b"\0"
_listeners: "list[_Listener]" = []
"""Those of the main thread."""


class _Listener:
    """The thread that listens, and interrupts the connection."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._heard, self.told = socket.socketpair()
        self.told.setblocking(False)
        self._caught_up = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def catch_up(self) -> None:
        """Wait until all that was heard so far has interrupted what it may."""
        self._caught_up.clear()
        self.told.send(_NO_SIGNAL)
        self._caught_up.wait()

    def close(self) -> None:
        """Listen no more."""
        self.told.close()
        self._thread.join()
        self._heard.close()

    def _listen(self) -> None:
        while numbers := self._heard.recv(16):
            if any(number in numbers for number in (signal.SIGINT, *_ENDING)):
                self._connection.interrupt()
            if _NO_SIGNAL in numbers:
                self._caught_up.set()


@contextmanager
def heeding(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """These signals interrupt what the connection does; more than once, if they have to."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    listener = _Listener(connection)
    before = signal.set_wakeup_fd(listener.told.fileno(), warn_on_full_buffer=False)
    _listeners.append(listener)
    try:
        with _ending():
            yield
    finally:
        _listeners.remove(listener)
        signal.set_wakeup_fd(before)
        listener.close()


def catch_up() -> None:
    """Before a statement: what came before it interrupts it no more."""
    for listener in _listeners:
        listener.catch_up()


@contextmanager
def interruptible() -> Iterator[None]:
    """A signal within a statement, which DuckDB tells otherwise, is that signal."""
    try:
        yield
    except RuntimeError as error:
        if str(error) != "Query interrupted":
            raise
        raise interruption() from error


def interruption() -> BaseException:
    """What whoever was interrupted is to raise: by Ctrl-C, unless a signal to end has come."""
    return SystemExit(128 + _heard[0]) if _heard else KeyboardInterrupt()


@contextmanager
def _ending() -> Iterator[None]:
    """A signal to end the process ends it in order, unless somebody sees to it, or to ignore it."""
    taken = [number for number in _ENDING if signal.getsignal(number) is signal.SIG_DFL]
    for number in taken:
        signal.signal(number, _end)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


def _end(number: int, _frame: object) -> None:
    _heard.append(number)
    raise interruption()
