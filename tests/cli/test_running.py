"""What a command's loop tells of tasks that nobody waited for."""

import asyncio
import gc
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest
from aiohttp import ClientConnectionResetError

from client.past_logs import as_sqlite, eventful_log
from osd.cli.running import run, with_client

GONE = ClientConnectionResetError("Cannot write to closing transport")


def failing(error: Exception) -> Callable[..., Coroutine[None, None, None]]:
    async def fail() -> None:
        raise error

    async def work(*_: object) -> None:
        task = asyncio.create_task(fail())
        await asyncio.wait((task,))
        del task
        gc.collect()

    return work


@pytest.mark.parametrize(("error", "told"), [(GONE, 0), (ValueError("our own mistake"), 1)])
def test_an_upload_whose_osd_is_gone_prints_no_traceback(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, error: Exception, told: int
) -> None:
    """The HTTP library has a task of its own for the body; the request fails, and is retried."""
    as_sqlite(eventful_log(), tmp_path / "log.sqlite").close()
    with_client(f"sqlite:{tmp_path / 'log.sqlite'}", failing(error))
    assert len(caplog.records) == told


def test_what_runs_on_and_on_tells_of_every_task_that_failed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Of `osdlog up` a task may matter that no request waits for."""
    run(failing(GONE)())
    assert len(caplog.records) == 1
