"""Commands that are told to end while they wait: they end, and leave nothing behind."""

import asyncio
import fcntl
import os
import signal
import struct
import subprocess
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest
from aiohttp import web

from cli.programs import COMMAND, PATIENCE_S, environment
from client.fake_osds import FakeOsd, boot, made_cluster, served
from node.osds import until

BODY = bytes(3_000_000)
ENDINGS = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]


class StallingOsd(FakeOsd):
    """Gives the first half of an object, and then nothing more."""

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers=served(BODY).headers)
        await response.prepare(request)
        await response.write(BODY[: len(BODY) // 2])
        await asyncio.Event().wait()
        return response


@contextmanager
def command(*words: object, log: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [*COMMAND, *map(str, words)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment(log),
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def is_drained(pipe: IO[bytes]) -> bool:
    """Whether all that was written is read."""
    return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4))) == (0,)


async def came(condition: Callable[[], object]) -> None:
    await asyncio.to_thread(until, condition)


async def ended(process: subprocess.Popen[bytes]) -> tuple[int, bytes]:
    """Its code and what it said; nobody writes into its stdin meanwhile."""
    code = await asyncio.to_thread(process.wait, PATIENCE_S)
    assert process.stderr is not None
    return code, process.stderr.read()


@pytest.mark.parametrize(("number", "code"), ENDINGS)
async def test_a_put_of_a_pipe_that_gives_nothing_more(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    with command("put", "a", "-", log=made_cluster(tmp_path, [0])) as process:
        pipe = process.stdin
        assert pipe is not None
        pipe.write(b"x")
        pipe.flush()
        await came(lambda: is_drained(pipe))
        process.send_signal(number)
        assert await ended(process) == (code, b"")


@pytest.mark.parametrize(("number", "code"), ENDINGS)
async def test_a_get_of_half_an_object_leaves_no_draft(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    url, target = made_cluster(tmp_path, [0]), tmp_path / "out"
    target.mkdir()
    async with StallingOsd(0).listening() as osd:
        boot(url, osd)
        with command("get", "a", "-o", target / "a", log=url) as process:
            await came(lambda: any(target.iterdir()))
            process.send_signal(number)
            assert await ended(process) == (code, b"")
    assert not list(target.iterdir())


async def test_a_fifo_that_nobody_reads(tmp_path: Path) -> None:
    url, fifo = made_cluster(tmp_path, [0]), tmp_path / "fifo"
    os.mkfifo(fifo)
    async with FakeOsd(0).listening() as osd:
        osd.script["GET"] = [served(BODY)]
        boot(url, osd)
        with command("get", "a", "-o", fifo, log=url) as process:
            await came(lambda: osd.asked)
            await asyncio.sleep(0.5)
            process.send_signal(signal.SIGINT)
            assert await ended(process) == (130, b"")
