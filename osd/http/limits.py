"""Limits over HTTP: what a node's background work may use, asked and set while it runs.

Rule: what is not said stays as it is. A yes is given once it is durable, so
that it stands after a restart too.
"""

from typing import Annotated

import msgspec
from aiohttp import web

from osd.core.pulls import MAX_PULLS, MAX_RATE
from osd.errors import Refused
from osd.http.answers import ask_again, json_response
from osd.http.uploads import whole
from osd.reports import limits
from osd.shell import Shell


class _Wanted(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    pulls: Annotated[int, msgspec.Meta(ge=0, le=MAX_PULLS)] | None = None
    rate: Annotated[int, msgspec.Meta(ge=0, le=MAX_RATE)] | None = None


class LimitSetting:
    """The handlers of `/limits`."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    async def get(self, _request: web.BaseRequest, _query: str) -> web.Response:
        """What they are, and what is under way."""
        return json_response(limits(self._shell))

    async def put(self, request: web.BaseRequest, _query: str) -> web.Response:
        """Set those that are named."""
        try:
            wanted = msgspec.json.decode(await whole(request), type=_Wanted)
        except msgspec.MsgspecError as failure:
            what = f"the limits are not understood: {failure}"
            raise Refused(what, "Give pulls and rate as whole numbers, 0 or more.") from None
        named = {key: n for key, n in msgspec.structs.asdict(wanted).items() if n is not None}
        now = self._shell.node.context.pulls.limits
        if not await self._shell.limit(msgspec.structs.replace(now, **named)):
            hint = "Ask for them with `osdlog limits`."
            return ask_again("the limits are not durable yet", hint)
        return json_response(limits(self._shell))
