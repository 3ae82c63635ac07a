"""Running: how a command gets its loop, its client, and its end.

Rule: a command runs to its end or raises. Ctrl-C, and a signal that asks the
process to end, cancel what is under way; everything is given back before the
process ends.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

import uvloop

from osd.cli.endings import heeded
from osd.client.async_client import AsyncClient
from osd.config import DEADLINE_S

if TYPE_CHECKING:
    from osd.client.network import Network

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run one coroutine on a loop of its own."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def with_client(
    url: str | None, work: Callable[[AsyncClient], Awaitable[T]], deadline_s: float = DEADLINE_S
) -> T:
    """Open a client, do the work, close it."""

    async def do() -> T:
        asyncio.get_running_loop().set_exception_handler(_report)
        async with _Client(url, deadline_s=deadline_s) as client:
            return await work(client)

    return run(until_stopped(do()))


def _report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Tell of what nobody waited for, but for a connection's end: its request fails of that too.

    The HTTP library has a task that sends the body, and nobody asks what became of that.
    """
    from aiohttp import ClientError

    if not isinstance(context.get("exception"), ClientError):
        loop.default_exception_handler(context)


class _Client(AsyncClient):
    """Of a process that is the program's own."""

    def _connect(self) -> "Network":
        from osd.cli import plain_http  # noqa: F401 - first: the network loads aiohttp too

        return super()._connect()


async def until_stopped(work: Awaitable[T]) -> T:
    """The work; a signal to end the process is as Ctrl-C, and ends it with 128 and its number."""
    me = asyncio.current_task()
    assert me is not None
    loop = asyncio.get_running_loop()
    caught: list[int] = []

    def stop(number: int) -> None:
        caught.append(number)
        me.cancel()

    for number in heeded():
        loop.add_signal_handler(number, stop, number)
    try:
        return await work
    except asyncio.CancelledError:
        if caught:
            raise SystemExit(128 + caught[0]) from None
        raise
