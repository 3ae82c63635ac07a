"""Threads for what may wait for ever: a pipe that nobody writes, a FIFO that nobody reads.

Rule: a thread that waits here keeps nobody from ending, neither the loop nor
the process. So it is none of the loop's executor, whose threads are waited for.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


async def in_own_thread(call: Callable[[], T]) -> T:
    """What the call gives or raises; who is cancelled meanwhile leaves it to itself."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def work() -> None:
        settle: Callable[[], None]
        try:
            settle = partial(answer.set_result, call())
        except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
            settle = partial(answer.set_exception, error)
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(lambda: None if answer.done() else settle())

    Thread(target=work, daemon=True, name="osdlog-waits").start()
    return await answer
