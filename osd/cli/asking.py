"""Asking: a report that waits for stores to say what they have lets them say it.

Rule: whoever is asked says it in the log, where the report reads it; nothing
that an OSD answers is believed here. The wait is bounded, and ends at once
where nobody who could answer is left. Who cannot be asked is named, and the
report then says what it would have said without asking.
"""

import asyncio
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eventlog.ids import RgId, Store
    from osd.cli.auditing import Audit
    from osd.client.async_client import AsyncClient

    Silent = Mapping[Store, list[RgId]]

PATIENCE_S = 10.0
LOOKS_S = 0.25
"""How often the log is read on meanwhile."""
AGAIN_LOOKS = 8
"""After so many looks who is silent still is asked again: it may have been about to erase."""


def ask_the_silent(audit: "Audit", url: str | None, name: str, values: dict[str, Any]) -> None:
    """Ask the stores that the report waits for; returns when they spoke, or time is up."""
    from osd.cli.running import run

    if _silent(audit, name, values):
        run(_ask_all(audit, url, name, values))


async def _ask_all(audit: "Audit", url: str | None, name: str, values: dict[str, Any]) -> None:
    async with AsyncExitStack() as opened:
        client = await _client(opened, url)
        if client is None:
            return
        until, looks = time.monotonic() + PATIENCE_S, 0
        while (silent := _silent(audit, name, values)) and time.monotonic() < until:
            if looks % AGAIN_LOOKS == 0 and not await _ask(client, silent, is_first=not looks):
                return
            looks += 1
            await asyncio.sleep(LOOKS_S)
            audit.read_on()


async def _client(opened: AsyncExitStack, url: str | None) -> "AsyncClient | None":
    """One that knows where the stores are; None where the map cannot be read to its end."""
    from eventlog.errors import OsdlogError
    from osd.cli.output import note
    from osd.client.async_client import AsyncClient

    try:
        client = await opened.enter_async_context(AsyncClient(url))
        await client.map()
    except OsdlogError as error:
        note(f"no store can be asked what it has: {error.what}")
        return None
    return client


def _silent(audit: "Audit", name: str, values: dict[str, Any]) -> "Silent":
    from projections.audit.database import reading
    from projections.audit.reports import silent

    with reading(audit.path, audit.identity) as connection:
        return silent(connection, name, values)


async def _ask(client: "AsyncClient", silent: "Silent", *, is_first: bool) -> bool:
    """Whether anybody could be asked."""
    from eventlog.errors import OsdlogError
    from osd.cli.output import note

    is_asked = False
    for store, rgs in silent.items():
        try:
            await client.want_holdings(store, rgs)
            is_asked = True
        except OsdlogError as error:
            if is_first:
                note(f"{store} cannot be asked what it has: {error.what}")
    return is_asked
