"""What nodes ask of each other: large bodies to be staged, and snapshots.

Rule: as everywhere between nodes, a request may be lost, repeated or late. A
yes is given once it is durable here.

What is not here: copies (`osd.http.objects`), and small bodies and what is
settled (`osd.http.parcels`).
"""

from aiohttp import web

from eventlog.ids import Boot, RgId, Serial, rg_name
from osd.bodies import TooLarge
from osd.core.answers import Answer, Kept
from osd.core.handover import next_serial
from osd.core.inputs import Stage
from osd.fetches import NEXT_SERIAL
from osd.http.answers import About, error, json_response, refusal, to_response
from osd.http.parcels import STAGE_MS
from osd.http.requests import checked_object_name, fence_of, number, sender_of
from osd.http.uploads import Overtaken, Uploads
from osd.shell import Served, Shell
from osd.snapshots import snapshot_of


class Peers:
    """The handlers of `/staged/RG/SERIAL` and `/snapshots/RG`."""

    def __init__(self, shell: Shell, uploads: Uploads) -> None:
        self._shell = shell
        self._uploads = uploads

    async def stage(
        self, request: web.BaseRequest, rg: RgId, serial: Serial, name: str
    ) -> web.StreamResponse:
        """Keep a body that the RG's primary sends, until a put names it."""
        fence, epoch = fence_of(request.headers), sender_of(request.headers).epoch
        boot = Boot(number(request.headers, "Osdlog-Boot", 0))
        name = checked_object_name(name)
        admit = self._shell.node.reception.admit_stage
        if declined := admit(rg, epoch, boot, fence, serial):
            return self._no(request, rg, declined)
        if full := self._shell.gauge.refusal(request.content_length or 0):
            return refusal(full, self._shell.node.context.map.epoch)
        with self._uploads.coming(request, rg, name, (fence, serial)):
            try:
                body = await self._uploads.receive(request, rg, fence)
            except TooLarge:
                return self._uploads.too_large()
            except Overtaken as overtaken:
                return self._no(request, rg, overtaken.answer)
            answer = await self._shell.ask(
                Stage(
                    ticket=self._shell.ticket(),
                    boot=boot,
                    rg=rg,
                    epoch=epoch,
                    deadline=self._shell.now_ms() + STAGE_MS,
                    fence=fence,
                    serial=serial,
                    name=name,
                    payload=body.payload,
                    size=body.size,
                    sha256=body.sha256,
                )
            )
        if isinstance(answer, Kept):
            return json_response({"sha256": body.sha256.hex()}, status=201)
        return self._no(request, rg, answer)

    def snapshot(self, rg: RgId) -> web.Response:
        """What is folded of the RG here, for a store that it comes to."""
        table = self._shell.table(rg)
        data = snapshot_of(table) if table is not None else None
        if data is None:
            return error(
                404, f"there is no snapshot of {rg_name(rg)} here", "Fold its log instead."
            )
        response = web.Response(body=data, content_type="application/octet-stream")
        if (above := next_serial(self._shell.node.groups[rg])) is not None:
            response.headers[NEXT_SERIAL] = str(above)
        return response

    def _no(self, request: web.BaseRequest, rg: RgId, answer: Answer | Served) -> web.Response:
        assert not isinstance(answer, Served)
        epoch = self._shell.node.context.map.epoch
        return to_response(answer, About(epoch, rg, request.raw_path))
