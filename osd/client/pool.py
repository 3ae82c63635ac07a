"""Doing one thing to many items, a few at a time.

Rule: at most `jobs` are under way, results come as they are ready, and when
the caller leaves, what is under way is cancelled and waited for.
"""

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
)
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


async def in_parallel(
    do: Callable[[Item], Awaitable[Result]],
    items: Iterable[Item] | AsyncIterable[Item],
    jobs: int,
) -> AsyncGenerator[Result, None]:
    """The result for every item, in whatever order. What `do` raises ends it all."""
    source = items if isinstance(items, AsyncIterable) else _given(items)
    waiting = aiter(source)
    running: set[asyncio.Future[Any]] = set()
    try:
        is_over = False
        while True:
            while not is_over and len(running) < jobs:
                try:
                    running.add(asyncio.ensure_future(do(await anext(waiting))))
                except StopAsyncIteration:
                    is_over = True
            if not running:
                return
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                yield task.result()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _given(items: Iterable[Item]) -> AsyncIterator[Item]:
    for item in items:
        yield item
