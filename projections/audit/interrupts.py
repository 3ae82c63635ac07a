"""Ctrl-C and signals to end while DuckDB works: they end the statement, then what they mean to.

Rule: whoever waits within DuckDB for its threads runs no code of Python, and hears
of no signal; nor does DuckDB look for one then. So another thread listens, and has
the connection give up. Ctrl-C is then raised as itself; a signal that asks the
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


@contextmanager
def heeding(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """These signals interrupt what the connection does; more than once, if they have to."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard, told = socket.socketpair()
    told.setblocking(False)
    listening = threading.Thread(target=_listen, args=(heard, connection), daemon=True)
    listening.start()
    before = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
    try:
        with _ending():
            yield
    finally:
        signal.set_wakeup_fd(before)
        told.close()
        listening.join()
        heard.close()


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


def _listen(heard: socket.socket, connection: duckdb.DuckDBPyConnection) -> None:
    while numbers := heard.recv(16):
        if any(number in numbers for number in (signal.SIGINT, *_ENDING)):
            connection.interrupt()
