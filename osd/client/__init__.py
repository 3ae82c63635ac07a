"""The client of a cluster, for programs: `Client`, and `AsyncClient` with an event loop."""

from osd.client.answers import Facts, Listed, OsdStatus, PutResult, RgRow, Stat
from osd.client.async_client import AsyncClient
from osd.client.errors import ConditionFailed, NotThere
from osd.client.sync_client import Client

__all__ = [
    "AsyncClient",
    "Client",
    "ConditionFailed",
    "Facts",
    "Listed",
    "NotThere",
    "OsdStatus",
    "PutResult",
    "RgRow",
    "Stat",
]
