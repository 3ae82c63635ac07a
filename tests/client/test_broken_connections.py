"""Why an OSD did not answer is told in our words, whatever the HTTP library says of sockets."""

import asyncio
from collections.abc import Iterator
from http import HTTPStatus

import aiohttp
import msgspec
import pytest
from aiohttp import web

from osd.broken_connections import why_broken

Answer = bytes | None


def kinds(of: type[Exception]) -> Iterator[type[Exception]]:
    yield of
    for kind in of.__subclasses__():
        yield from kinds(kind)


async def reason(url: str, timeout_s: float = 5.0) -> str:
    """Why asking there fails, which it must."""
    timeout = aiohttp.ClientTimeout(total=timeout_s)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        with pytest.raises((aiohttp.ClientError, TimeoutError, OSError, ValueError)) as caught:
            async with session.get(url) as response:
                await response.read()
    return why_broken(caught.value)


async def reason_where(answer: Answer, timeout_s: float = 5.0) -> str:
    """The same, of who answers so and hangs up; nothing: of who is silent."""
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if answer is None:
            await ended.wait()
        else:
            writer.write(answer)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        said = await reason(f"http://127.0.0.1:{port}/alive", timeout_s)
        ended.set()
    return said


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"", "the connection broke"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "the connection broke"),
        (b"SSH-2.0-x\r\n\r\n", "what answers there does not speak as an OSD does"),
    ],
    ids=["nothing", "half an answer", "another protocol"],
)
async def test_who_answers_badly(answer: bytes, said: str) -> None:
    assert await reason_where(answer) == said


async def test_who_is_silent() -> None:
    assert await reason_where(None, timeout_s=0.1) == "it takes too long"


async def test_who_is_not_there() -> None:
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
    assert await reason(f"http://127.0.0.1:{port}/") == "Connection refused"
    assert await reason("http://osd.invalid:1/") == "its host's name is not known here"
    assert await reason("http://:0:0/") == "nobody can be asked at such an address"


async def test_who_takes_no_websocket() -> None:
    async def refuse(_request: web.BaseRequest) -> web.Response:
        return web.Response(status=HTTPStatus.SERVICE_UNAVAILABLE)

    runner = web.ServerRunner(web.Server(refuse))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await session.ws_connect(f"http://127.0.0.1:{runner.addresses[0][1]}/parcels")
    await runner.cleanup()
    assert why_broken(caught.value) == "it answered 503"


def test_what_we_raised_is_told_as_it_stands() -> None:
    assert why_broken(aiohttp.ClientError("it answered 404")) == "it answered 404"
    assert why_broken(aiohttp.ClientError()) == "the connection broke"


def test_no_words_of_the_library_are_handed_on() -> None:
    theirs = "Cannot connect to host 127.0.0.1:1 ssl:default [Multiple exceptions: Errno 111]"
    every: set[type[Exception]] = {*kinds(aiohttp.ClientError), OSError, msgspec.DecodeError}
    for kind in every - {aiohttp.ClientError}:
        error = kind.__new__(kind, theirs)
        error.args = (theirs,)
        error.__dict__["status"] = 503
        assert theirs not in why_broken(error)
