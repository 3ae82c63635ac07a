"""What a command's loop tells of tasks that nobody waited for."""

import asyncio
import gc

import pytest
from aiohttp import ClientConnectionResetError

from osd.cli.running import run


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ClientConnectionResetError("Cannot write to closing transport"), 0),
        (ValueError("our own mistake"), 1),
    ],
)
def test_an_upload_whose_osd_is_gone_prints_no_traceback(
    caplog: pytest.LogCaptureFixture, error: Exception, told: int
) -> None:
    """The HTTP library has a task of its own for the body; the request fails, and is retried."""

    async def fail() -> None:
        raise error

    async def work() -> None:
        task = asyncio.create_task(fail())
        await asyncio.wait((task,))
        del task
        gc.collect()

    run(work())
    assert len(caplog.records) == told
