"""Holdings over HTTP: a proof waits for what this store has of some RGs, and asks it to say so.

Rule: what a store has it says in the log, and nowhere else; the answer here is
only that it will. Whoever asks names the store, since an OSD may have another
disk by now. Asked again, it states them again.
"""

import msgspec
from aiohttp import web

from eventlog.ids import RgId
from osd.core.inputs import HoldingsWanted
from osd.errors import Refused
from osd.http.answers import error, json_response
from osd.http.uploads import whole
from osd.shell import Shell


class _Wanted(msgspec.Struct, forbid_unknown_fields=True):
    store: str
    rgs: list[int]


class HoldingsAsked:
    """The handler of `/holdings`."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    async def put(self, request: web.BaseRequest, _query: str) -> web.Response:
        """State what is here of these RGs, once each is read to the log's end."""
        context = self._shell.node.context
        try:
            wanted = msgspec.json.decode(await whole(request), type=_Wanted)
        except msgspec.MsgspecError as failure:
            raise Refused(f"the request is not understood: {failure}", _FORM) from None
        if wanted.store != str(context.me):
            return error(404, f"this is {context.me}, not {wanted.store[:80]}", "Read the map.")
        count = context.map.rg_count or 0
        if strange := [rg for rg in wanted.rgs if not 0 <= rg < count]:
            raise Refused(f"there is no RG {strange[0]}", f"The cluster has {count}, from 0 on.")
        self._shell.feed(HoldingsWanted(tuple(map(RgId, sorted(set(wanted.rgs))))))
        return json_response({"rgs": len(set(wanted.rgs))})


_FORM = 'Give JSON as in {"store": "osd.3/00ab34cd56ef7890", "rgs": [31, 32]}.'
