"""What a node asks other nodes over HTTP: copies, hints, and to drop what is settled.

Rule: a fetched copy has the size and the sum that the log says, or it was not
fetched. Sources are asked in turn. Nothing is retried here: the core decides.
"""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import quote

import aiohttp
from yarl import URL

from eventlog.ids import Store, write_fence
from osd.blobs import BlobFiles, BlobId
from osd.bodies import Gauge, Received, TooLarge, receive
from osd.core.effects import Fetch, Hint, Settle
from osd.core.inputs import Fetched, FetchFailed
from osd.errors import DiskError

CONNECT_SECONDS = 2.0
SILENCE_SECONDS = 10.0
"""A source that sends nothing for so long is given up."""


class Fetcher:
    """One client session for all."""

    def __init__(self, blobs: BlobFiles, gauge: Gauge) -> None:
        self._blobs = blobs
        self._gauge = gauge
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS
        )
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            timeout=timeout,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def close(self) -> None:
        """Give back the connections."""
        await self.session.close()

    async def fetch(self, fetch: Fetch) -> Fetched | FetchFailed:
        """The copy, from the first source that gives good bytes."""
        if refusal := self._gauge.refusal(fetch.size):
            return FetchFailed(fetch.ticket, refusal.what)
        failures = []
        for store, address in fetch.sources:
            try:
                received = await self._fetch_from(fetch, address)
            except DiskError as error:
                return FetchFailed(fetch.ticket, error.what)
            except (aiohttp.ClientError, TimeoutError, OSError, TooLarge) as error:
                failures.append(_failure(store, f"{type(error).__name__} {error}"))
                continue
            if (received.size, received.sha256) == (fetch.size, fetch.sha256):
                return Fetched(fetch.ticket, received.payload, store)
            await self._drop(received)
            failures.append(_failure(store, "other bytes than the log says"))
        return FetchFailed(fetch.ticket, "; ".join(failures))

    async def hint(self, hint: Hint) -> None:
        """Send a hint; it may get lost."""
        url = f"http://{hint.address}/hints/{hint.rg:x}"
        try:
            headers = {"Osdlog-Epoch": str(hint.epoch)}
            async with self.session.post(url, headers=headers):
                pass
        except (aiohttp.ClientError, TimeoutError, OSError):
            return  # the next one comes soon

    async def settle(self, settle: Settle) -> bool:
        """Say what is settled; whether the peer has dropped it."""
        headers = {
            "Osdlog-Fence": write_fence(settle.fence),
            "Osdlog-Below": str(settle.below),
            "Osdlog-Next-Offset": str(settle.next_offset),
        }
        url = f"http://{settle.address}/settled/{settle.rg:x}"
        try:
            async with self.session.post(url, headers=headers) as response:
                return response.status == 204
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False

    async def _fetch_from(self, fetch: Fetch, address: str) -> Received:
        name = quote(fetch.name, safe="")
        url = f"http://{address}/copies/{fetch.rg:x}/{fetch.version}?name={name}"
        async with self.session.get(_exactly(url), allow_redirects=False) as response:
            if response.status != 200:
                raise aiohttp.ClientError(f"it answered {response.status}")
            return await receive(_chunks(response.content), self._blobs, fetch.size)

    async def _drop(self, received: Received) -> None:
        if isinstance(received.payload, str):
            unlink, blob = self._blobs.unlink, BlobId(received.payload)
            await asyncio.get_running_loop().run_in_executor(None, unlink, [blob])


async def _chunks(stream: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    while chunk := await stream.readany():
        yield chunk


def _failure(store: Store, why: str) -> str:
    return f"{store}: {why.strip()}"


def _exactly(url: str) -> URL:
    """The address as it is written: nothing is decoded and encoded again."""
    return URL(url, encoded=True)
