"""Ctrl-C while DuckDB works: it ends the statement, and is then raised as itself.

Rule: whoever waits within DuckDB for its threads runs no code of Python, and hears
of no signal; nor does DuckDB look for one then. So another thread listens, and has
the connection give up. Off the main thread, which alone is told of signals, nobody
listens.
"""

import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb


@contextmanager
def heeding(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Ctrl-C interrupts what the connection does; more than once, if it has to."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard, told = socket.socketpair()
    told.setblocking(False)
    listening = threading.Thread(target=_listen, args=(heard, connection), daemon=True)
    listening.start()
    before = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        told.close()
        listening.join()
        heard.close()


@contextmanager
def interruptible() -> Iterator[None]:
    """Ctrl-C within a statement, which DuckDB tells otherwise, is Ctrl-C."""
    try:
        yield
    except RuntimeError as error:
        if str(error) != "Query interrupted":
            raise
        raise KeyboardInterrupt from error


def _listen(heard: socket.socket, connection: duckdb.DuckDBPyConnection) -> None:
    while numbers := heard.recv(16):
        if signal.SIGINT in numbers:
            connection.interrupt()
