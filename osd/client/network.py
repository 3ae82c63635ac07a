"""The network of a client: whom it asks, and over what.

Rule: it is made when an OSD is first asked. A client that only reads the log
and writes it has none, and does not load aiohttp, which takes longer than a
small command. Of a saved state no OSD is asked.

What is not here: what is asked (see `osd.client.objects`, `osd.client.listing`
and `osd.client.questions`).
"""

from contextlib import AsyncExitStack
from typing import Any, NamedTuple

from eventlog.log import Log
from eventlog.state_file import StateFile
from osd.client.headers import Headers
from osd.client.listing import Listing
from osd.client.map_reader import MapReader
from osd.client.objects import Objects
from osd.client.questions import Questions
from osd.client.transport import new_session


class Network(NamedTuple):
    """All share one session."""

    objects: Objects
    listing: Listing
    questions: Questions


def connect(
    log: Log, reader: MapReader, own: Headers, deadline_s: float, opened: AsyncExitStack
) -> Network:
    """For the running loop; `own` goes with every request, `opened` gives the connections back."""
    if isinstance(log, StateFile):
        from osd.client import exporting

        offline: Any = exporting.Offline(log)
        return Network(offline, offline, offline)
    session = new_session(reader.map.cluster)
    opened.push_async_exit(session)
    return Network(
        Objects(session, reader, own, deadline_s),
        Listing(session, reader, deadline_s),
        Questions(session, reader, deadline_s),
    )
