"""What a node asks other nodes over HTTP: copies, hints, snapshots.

Rule: a fetched copy has the size and the sum that the log says, or it was not
fetched. Sources are asked in turn, each for what the ones before did not give;
small copies together. Nothing is retried here: the core decides, which waits
for the end of what it asked for; so whatever goes wrong is that end.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from urllib.parse import quote

import aiohttp
import msgspec
from yarl import URL

from eventlog.ids import RgId, Serial, Store, Version
from osd.blobs import BlobFiles, BlobId
from osd.bodies import Gauge, Received, next_chunk, receive, small
from osd.broken_connections import why_broken
from osd.core.effects import Fetch, Hint, Lacked
from osd.core.inputs import Fetched, Got, Payload
from osd.couriers import FAILED
from osd.errors import DiskError
from osd.packing import unpack

CONNECT_SECONDS = 2.0
HINTS_AT_ONCE = 32
MAX_SNAPSHOT_BYTES = 256 * 1024**2
NEXT_SERIAL = "Osdlog-Next-Serial"
"""With a snapshot: see `osd.core.handover.next_serial`."""
SILENCE_SECONDS = 10.0
"""A source that sends nothing for so long is given up."""


class Fetcher:
    """One client session for all; whatever it asks says for which cluster."""

    def __init__(self, blobs: BlobFiles, gauge: Gauge, cluster: str) -> None:
        self._blobs = blobs
        self._gauge = gauge
        self._hints = asyncio.Semaphore(HINTS_AT_ONCE)
        self._hinting: set[RgId] = set()
        """RGs of which a hint is under way or waits."""
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS
        )
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            headers={"Osdlog-Cluster": cluster},
            timeout=timeout,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def close(self) -> None:
        """Give back the connections."""
        await self.session.close()

    async def fetch(self, fetch: Fetch) -> Fetched:
        """The copies, each from the first source that gives good bytes."""
        try:
            refusal: DiskError | None = self._gauge.refusal(fetch.size)
        except DiskError as error:
            refusal = error
        if refusal is not None:
            return Fetched(fetch.ticket, (), refusal.what, is_own_disk=True)
        left = {lacked.version: lacked for lacked in fetch.lacked}
        got: list[Got] = []
        failures = []
        for store, address in fetch.sources:
            try:
                good, why = await self._fetch_from(fetch.rg, tuple(left.values()), address)
            except DiskError as error:
                return Fetched(fetch.ticket, tuple(got), error.what, is_own_disk=True)
            except FAILED as error:
                good, why = {}, why_broken(error)
            except Exception as error:  # noqa: BLE001 - an import place must not stay taken
                good, why = {}, f"{type(error).__name__} {error}"
            got += [Got(version, payload, store) for version, payload in good.items()]
            left = {version: it for version, it in left.items() if version not in good}
            if not left:
                return Fetched(fetch.ticket, tuple(got))
            failures.append(_failure(store, why))
        return Fetched(fetch.ticket, tuple(got), "; ".join(failures))

    async def hint(self, hint: Hint) -> None:
        """Send a hint; it may get lost, as the RG's next one while this one waits for its turn."""
        if hint.rg in self._hinting:
            return
        self._hinting.add(hint.rg)
        try:
            async with self._hints:
                await self._send(hint)
        finally:
            self._hinting.discard(hint.rg)

    async def _send(self, hint: Hint) -> None:
        url = f"http://{hint.address}/hints/{hint.rg:x}"
        try:
            headers = {"Osdlog-Epoch": str(hint.epoch)}
            async with self.session.post(url, headers=headers):
                pass
        except FAILED:
            return  # the next one comes soon

    async def snapshot(self, address: str, rg: RgId) -> tuple[bytes | None, Serial | None]:
        """What the store there has folded of the RG, as it says; None where it gives nothing.

        With it the next serial of the RG's primary, if that is who gave it.
        """
        try:
            async with self.session.get(f"http://{address}/snapshots/{rg:x}") as response:
                if response.status != 200 or (response.content_length or 0) > MAX_SNAPSHOT_BYTES:
                    return None, None
                said = response.headers.get(NEXT_SERIAL, "")
                above = Serial(int(said)) if said.isascii() and said.isdecimal() else None
                return await response.read(), above
        except FAILED:
            return None, None

    async def _fetch_from(
        self, rg: RgId, lacked: Sequence[Lacked], address: str
    ) -> tuple[dict[Version, Payload], str]:
        """What the source gives and is good, by version; and what is wrong with the rest."""
        if len(lacked) > 1:
            received = await self._fetch_together(rg, lacked, address)
        else:
            received = {lacked[0].version: await self._fetch_one(rg, lacked[0], address)}
        good: dict[Version, Payload] = {}
        for it in lacked:
            given = received.get(it.version)
            if given is not None and (given.size, given.sha256) == (it.size, it.sha256):
                good[it.version] = given.payload
            elif given is not None:
                await self._drop(given)
        is_absent = len(received) < len(lacked)
        return good, "it answered 404" if is_absent else "other bytes than the log says"

    async def _fetch_one(self, rg: RgId, lacked: Lacked, address: str) -> Received:
        name = quote(lacked.name, safe="")
        url = f"http://{address}/copies/{rg:x}/{lacked.version}?name={name}"
        async with self.session.get(_exactly(url), allow_redirects=False) as response:
            if response.status != 200:
                raise aiohttp.ClientError(f"it answered {response.status}")
            return await receive(_chunks(response.content), self._blobs, lacked.size)

    async def _fetch_together(
        self, rg: RgId, lacked: Sequence[Lacked], address: str
    ) -> dict[Version, Received]:
        url = f"http://{address}/copies/{rg:x}"
        asked = msgspec.json.encode([(it.version, it.name) for it in lacked])
        async with self.session.post(url, data=asked, allow_redirects=False) as response:
            if response.status != 200:
                raise aiohttp.ClientError(f"it answered {response.status}")
            bodies = unpack(await response.read())
        if bodies is None or len(bodies) != len(lacked):
            raise aiohttp.ClientError("its answer is not what was asked for")
        given = zip(lacked, bodies, strict=True)
        return {it.version: small(body) for it, body in given if body is not None}

    async def _drop(self, received: Received) -> None:
        if isinstance(received.payload, str):
            unlink, blob = self._blobs.unlink, BlobId(received.payload)
            await asyncio.get_running_loop().run_in_executor(None, unlink, [blob])


async def _chunks(stream: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    while chunk := await next_chunk(stream):
        yield chunk


def _failure(store: Store, why: str) -> str:
    return f"{store}: {why.strip()}"


def _exactly(url: str) -> URL:
    """The address as it is written: nothing is decoded and encoded again."""
    return URL(url, encoded=True)
