"""What the client sends and understands, against real HTTP servers that say what the test says."""

import asyncio
import hashlib
import io
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from client.fake_osds import FakeOsd, Reply, boot, made_cluster, no, one_osd, served, stored
from eventlog.errors import BadName, LogMissing, OsdlogError
from eventlog.ids import RgId, Version
from osd.client import AsyncClient, ConditionFailed, NotThere, PutResult
from osd.client.headers import Conditions
from osd.errors import DiskFailed, DiskFull, OutcomeUnknown, Refused, Unavailable

SHORT_S = 0.5
LARGE = bytes(range(256)) * 1024


async def test_a_put_says_what_it_sends(tmp_path: Path) -> None:
    async with one_osd(tmp_path) as (url, osd), AsyncClient(url, actor="ann é") as client:
        osd.script["PUT"] = [stored(version=7)]
        result = await client.put(
            "a", b"bytes", media_type="text/x", metadata={"k": "ü"}, if_none_match="*"
        )
    assert result == PutResult(RgId(1), Version(7), '"1.7"', 1, False)
    (asked,) = osd.asked
    assert asked.body == b"bytes"
    assert asked.headers["Osdlog-Sha256"] == hashlib.sha256(b"bytes").hexdigest()
    assert asked.headers["Content-Type"] == "text/x"
    assert asked.headers["Osdlog-Meta-k"] == "%C3%BC"
    assert asked.headers["If-None-Match"] == "*"
    assert asked.headers["Osdlog-Actor"] == "ann %C3%A9"
    assert asked.headers["Osdlog-Epoch"] == "2"
    assert asked.headers["Idempotency-Key"]
    assert "Expect" not in asked.headers


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("a/b", "/objects/a%2Fb"),
        ("..", "/objects/%2E%2E"),
        (".", "/objects/%2E"),
        ("50%?x#y&z=+ ", "/objects/50%25%3Fx%23y%26z%3D%2B%20"),
        ("ü/\n", "/objects/%C3%BC%2F%0A"),
        ("%2F", "/objects/%252F"),
        ("a;b:c@d", "/objects/a%3Bb%3Ac%40d"),
    ],
)
async def test_a_name_is_one_segment_of_the_path(tmp_path: Path, name: str, path: str) -> None:
    async with one_osd(tmp_path) as (url, osd), AsyncClient(url) as client:
        osd.script["GET"] = [served(b"x")]
        assert await client.get(name) == b"x"
    assert osd.asked[0].path == path


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 1025, "\udcff"])
async def test_a_name_that_is_none_is_not_asked_for(tmp_path: Path, name: str) -> None:
    async with one_osd(tmp_path) as (url, osd), AsyncClient(url) as client:
        with pytest.raises(BadName):
            await client.get(name)
    assert not osd.asked


async def test_503_is_asked_again_with_the_same_request_id(tmp_path: Path) -> None:
    async with one_osd(tmp_path) as (url, osd), AsyncClient(url) as client:
        busy = no(503, "rg 1 is not claimed yet", Retry_After_Ms="1")
        osd.script["PUT"] = [busy, busy, stored()]
        await client.put("a", b"x")
    assert len(osd.asked) == 3
    assert len({asked.headers["Idempotency-Key"] for asked in osd.asked}) == 1


async def test_two_puts_have_two_request_ids(tmp_path: Path) -> None:
    async with one_osd(tmp_path) as (url, osd), AsyncClient(url) as client:
        osd.script["PUT"] = [stored()]
        await client.put("a", b"x")
        await client.put("a", b"x")
        await client.put("a", b"x", request_id="mine")
    first, second, third = (asked.headers["Idempotency-Key"] for asked in osd.asked)
    assert first != second
    assert third == "mine"


async def test_unavailable_has_the_osds_own_sentence(tmp_path: Path) -> None:
    async with one_osd(tmp_path) as (url, osd), AsyncClient(url, deadline_s=SHORT_S) as client:
        osd.script["GET"] = [no(503, "version 3 of 'a' is only on osd.4, not up now", "Start it.")]
        with pytest.raises(Unavailable) as caught:
            await client.get("a")
    assert caught.value.what == "version 3 of 'a' is only on osd.4, not up now (asked for 0.5 s)"
    assert caught.value.hint == "Start it."


async def test_504_ends_as_outcome_unknown(tmp_path: Path) -> None:
    async with one_osd(tmp_path) as (url, osd), AsyncClient(url, deadline_s=SHORT_S) as client:
        osd.script["PUT"] = [no(504, "an append was sent and its fate is not known"), no(503, "no")]
        with pytest.raises(OutcomeUnknown) as caught:
            await client.put("a", b"x")
    assert caught.value.what == "no (asked for 0.5 s)"
    assert "same request id" in caught.value.hint
    assert len(osd.asked) > 1


async def test_504_then_yes_is_yes(tmp_path: Path) -> None:
    async with one_osd(tmp_path) as (url, osd), AsyncClient(url) as client:
        osd.script["DELETE"] = [no(504, "not known"), Reply(200)]
        await client.delete("a")
    assert len({asked.headers["Idempotency-Key"] for asked in osd.asked}) == 1


async def test_a_connection_that_breaks_leaves_a_put_unknown(tmp_path: Path) -> None:
    async with one_osd(tmp_path) as (url, osd), AsyncClient(url, deadline_s=SHORT_S) as client:
        osd.script["PUT"] = [Reply(breaks=0)]
        with pytest.raises(OutcomeUnknown, match="does not answer"):
            await client.put("a", b"x")


async def test_a_connection_that_breaks_leaves_no_doubt_of_a_read(tmp_path: Path) -> None:
    async with one_osd(tmp_path) as (url, osd), AsyncClient(url, deadline_s=SHORT_S) as client:
        osd.script["GET"] = [Reply(breaks=0), no(503, "no copy is left", "Write it again.")]
        with pytest.raises(Unavailable, match="no copy is left") as caught:
            await client.get("a")
    assert caught.value.hint == "Write it again."


async def test_nobody_listens(tmp_path: Path) -> None:
    async with one_osd(tmp_path) as (url, osd):
        pass
    async with AsyncClient(url, deadline_s=SHORT_S) as client:
        with pytest.raises(Unavailable) as caught:
            await client.put("a", b"x")
    said = f"osd.0 at {osd.address} does not answer: Connection refused (asked for 0.5 s)"
    assert caught.value.what == said


async def test_an_osd_that_starts_late_is_found(tmp_path: Path) -> None:
    url = made_cluster(tmp_path, [0])
    osd = FakeOsd(0)
    async with AsyncClient(url, deadline_s=SHORT_S) as client:
        with pytest.raises(
            Unavailable, match=r"rg . is placed nowhere at epoch 1: no OSD is in"
        ) as no:
            await client.get("a")
        assert no.value.hint.startswith("Start one, or put one in: `osdlog map apply --in ID`")
        assert "`--weight ID:1`" in no.value.hint
        async with osd.listening():
            boot(url, osd)
            osd.script["GET"] = [served(b"late")]
            assert await client.get("a") == b"late"


async def test_307_makes_the_client_read_the_map(tmp_path: Path) -> None:
    url = made_cluster(tmp_path, [0])
    async with FakeOsd(0).listening() as old, FakeOsd(0).listening() as new:
        boot(url, old)
        async with AsyncClient(url) as client:
            old.before_reply = lambda _: boot(url, new, 2)
            old.script["GET"] = [Reply(307, {"Osdlog-Epoch": "3", "Location": "http://x/"})]
            new.script["GET"] = [served(b"from the new one")]
            assert await client.get("a") == b"from the new one"
    assert (len(old.asked), len(new.asked)) == (1, 1)
    assert new.asked[0].headers["Osdlog-Epoch"] == "3"


@pytest.mark.parametrize(
    ("reply", "kind", "exact"),
    [
        (no(404, "there is no object 'a'"), NotThere, True),
        (no(412, "the object is at version 3, not as the condition wants"), ConditionFailed, True),
        (no(422, "the request id was used for another request"), Refused, True),
        (no(400, "the body's SHA-256 is x, not y"), Refused, True),
        (no(413, "the body is over the limit"), Refused, True),
        (no(507, "the disk has 3 bytes left"), DiskFull, True),
    ],
)
async def test_a_no_is_an_error_at_once(
    tmp_path: Path, reply: Reply, kind: type[OsdlogError], exact: bool
) -> None:
    async with one_osd(tmp_path) as (url, osd), AsyncClient(url) as client:
        osd.script["PUT"] = [reply]
        with pytest.raises(kind) as caught:
            await client.put("a", b"x")
    assert caught.type is kind
    assert f'"error":"{caught.value.what}"'.encode() in reply.body
    assert caught.value.hint == "Do this."
    assert len(osd.asked) == 1


async def test_wrong_bytes_are_never_handed_out(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"before")
    async with one_osd(tmp_path) as (url, osd), AsyncClient(url) as client:
        osd.script["GET"] = [served(b"wrong", sha256="0" * 64)]
        with pytest.raises(DiskFailed, match=f"a version 1 should have SHA-256 {'0' * 64}, but"):
            await client.get("a")
        with pytest.raises(DiskFailed):
            await client.stream_to("a", target)
        stream = io.BytesIO()
        with pytest.raises(DiskFailed):
            await client.stream_to("a", stream)
    assert target.read_bytes() == b"before"
    assert stream.getvalue() == b""
    assert {entry.name for entry in tmp_path.iterdir()} >= {"target"}
    assert not list(tmp_path.glob("*.part"))


async def test_a_body_that_breaks_off_is_asked_for_again(tmp_path: Path) -> None:
    async with one_osd(tmp_path) as (url, osd), AsyncClient(url) as client:
        osd.script["GET"] = [served(LARGE, breaks=100_000), served(LARGE)]
        stat = await client.stream_to("a", tmp_path / "large")
    assert (tmp_path / "large").read_bytes() == LARGE
    assert stat.metadata == {"colour": "grün"}
    assert len(osd.asked) == 2


async def test_a_file_that_cannot_be_written_is_not_the_osds_fault(tmp_path: Path) -> None:
    async with one_osd(tmp_path) as (url, osd), AsyncClient(url) as client:
        osd.script["GET"] = [served(b"x")]
        with pytest.raises(DiskFailed, match=r"cannot write .*: No such file or directory"):
            await client.stream_to("a", tmp_path / "no" / "such" / "folder")
    assert len(osd.asked) == 1


async def test_large_bodies_wait_for_a_yes(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(LARGE * 8)
    async with one_osd(tmp_path) as (url, osd), AsyncClient(url) as client:
        osd.script["PUT"] = [stored()]
        await client.put("a", file)
        assert osd.asked[0].headers["Expect"] == "100-continue"
        assert osd.asked[0].body == LARGE * 8
        osd.refuses_early = True
        osd.script["PUT"] = [no(507, "full")]
        with pytest.raises(DiskFull):
            await client.put("a", file)
    assert osd.asked[1].body is None


@pytest.mark.parametrize("size", [0, 10, 3_000_000])
async def test_an_iterable_is_sent_again_whole(tmp_path: Path, size: int) -> None:
    data = b"q" * size

    async def slowly() -> AsyncIterator[bytes]:
        for start in range(0, size, 70_000):
            yield data[start : start + 70_000]

    async with one_osd(tmp_path) as (url, osd), AsyncClient(url) as client:
        osd.script["PUT"] = [no(503, "not now"), stored(), stored()]
        await client.put("a", slowly())
        await client.put("b", [data[:5], data[5:]])
    assert [asked.body for asked in osd.asked] == [data] * 3
    digest = hashlib.sha256(data).hexdigest()
    assert {asked.headers["Osdlog-Sha256"] for asked in osd.asked} == {digest}


async def test_a_fifo_is_put_as_a_pipe_is(tmp_path: Path) -> None:
    """Piece by piece, not whole in memory, and again where that is needed."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    async with one_osd(tmp_path) as (url, osd), AsyncClient(url) as client:
        osd.script["PUT"] = [no(503, "not now"), stored()]
        await asyncio.gather(client.put("a", fifo), asyncio.to_thread(fifo.write_bytes, LARGE * 8))
    assert [asked.body for asked in osd.asked] == [LARGE * 8] * 2
    assert osd.asked[0].headers["Expect"]


async def test_a_file_that_shrinks_while_it_is_sent(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * 5_000_000)
    async with one_osd(tmp_path) as (url, osd), AsyncClient(url) as client:
        osd.script["PUT"] = [no(503, "not now"), stored()]
        osd.before_reply = lambda _: file.write_bytes(b"short" * 300_000)
        with pytest.raises(Refused, match="file became shorter while it was sent"):
            await client.put("a", file)


async def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    async with one_osd(tmp_path) as (url, _), AsyncClient(url) as client:
        with pytest.raises(BadName, match="nothing cannot be read: No such file or directory"):
            await client.put("a", tmp_path / "nothing")


async def test_another_program_has_the_port(tmp_path: Path) -> None:
    async with one_osd(tmp_path) as (url, osd), AsyncClient(url, deadline_s=SHORT_S) as client:
        osd.script["GET"] = [Reply(200, {"Content-Type": "text/html"}, b"<html>")]
        osd.script["PUT"] = osd.script["GET"]
        with pytest.raises(Unavailable, match=r"what answers at .* does not speak as osd\.0"):
            await client.get("a")
        with pytest.raises(Unavailable, match="does not speak"):
            await client.rg(RgId(1))
        with pytest.raises(Unavailable, match="does not speak"):
            _ = [row async for row in client.list()]


@pytest.mark.parametrize(
    ("status", "body"),
    [(404, b"<html>"), (404, b'{"error":"Not Found"}'), (403, b""), (412, b"no"), (507, b"[]")],
)
async def test_another_programs_no_is_not_the_clusters(
    tmp_path: Path, status: int, body: bytes
) -> None:
    async with one_osd(tmp_path) as (url, osd), AsyncClient(url, deadline_s=SHORT_S) as client:
        foreign = [Reply(status, {}, body)]
        osd.script = {"GET": foreign, "HEAD": [Reply(status)], "PUT": foreign, "DELETE": foreign}
        says = rf"what answers at .* does not speak as osd\.0 should: it answers {status}, and"
        with pytest.raises(Unavailable, match=says):
            await client.get("a")
        with pytest.raises(Unavailable, match=says):
            await client.stat("a")
        with pytest.raises(Unavailable, match=says):
            await client.put("a", b"x")
        with pytest.raises(Unavailable, match=says):
            await client.delete("a")
        (row,) = await client.status()
    assert "does not speak as osd.0 should" in str(row.why)


async def test_an_osd_that_is_another_program_is_not_out_of_a_copy(tmp_path: Path) -> None:
    async with one_osd(tmp_path) as (url, osd), AsyncClient(url) as client:
        osd.script["GET"] = [no(404, "no copy of version 1 is here"), Reply(404, {}, b"<html>")]
        assert not await client.has_copy(osd.osd, RgId(1), Version(1), "a")
        with pytest.raises(Unavailable, match="does not speak"):
            await client.has_copy(osd.osd, RgId(1), Version(1), "a")


async def test_a_read_has_no_unknown_outcome(tmp_path: Path) -> None:
    async with one_osd(tmp_path) as (url, osd), AsyncClient(url, deadline_s=SHORT_S) as client:
        osd.script["GET"] = osd.script["HEAD"] = [Reply(breaks=0), no(500, "the node failed")]
        with pytest.raises(Unavailable, match="the node failed"):
            await client.get("a")
        with pytest.raises(Unavailable, match=r"osd\.0 answered 500"):
            await client.stat("a")
        with pytest.raises(Unavailable, match="the node failed"):
            await client.rg(RgId(1))


async def test_a_declared_loss_that_meets_itself_is_unknown(tmp_path: Path) -> None:
    async with one_osd(tmp_path) as (url, osd), AsyncClient(url) as client:
        gone = no(404, "there is no object 'a'")
        osd.script["POST"] = [no(504, "not known"), gone]
        with pytest.raises(OutcomeUnknown) as caught:
            await client.declare_lost("a", "burnt")
        with pytest.raises(NotThere):
            await client.declare_lost("a", "burnt")
        osd.script["DELETE"] = [no(504, "not known"), gone]
        with pytest.raises(NotThere):  # by its request id, it would have been told
            await client.delete("a")
    assert caught.value.what == (
        "there is no object 'a' now; an attempt that got no answer may have been what took it away"
    )
    assert caught.value.hint == "`osdlog history NAME` shows what was done, by whom and when."


async def test_a_log_without_a_cluster_or_no_log(tmp_path: Path) -> None:
    with pytest.raises(LogMissing):
        async with AsyncClient(f"sqlite:{tmp_path / 'none'}"):
            pass


async def test_a_read_says_what_it_waits_for(tmp_path: Path) -> None:
    async with one_osd(tmp_path) as (url, osd), AsyncClient(url) as client:
        osd.script["GET"] = [served(b"x")] * 3
        osd.script["HEAD"] = [served(b"x")]
        await client.get("a")
        await client.get("a", consistency="barrier")
        await client.stream_to("a", tmp_path / "a", consistency="local")
        await client.stat("a", consistency="barrier")
        with pytest.raises(BadName, match=r"'fast' is nothing .* one of log, barrier, local"):
            await client.get("a", consistency="fast")
    said = [asked.headers["Osdlog-Consistency"] for asked in osd.asked]
    assert said == ["log", "barrier", "local", "barrier"]


async def test_stat(tmp_path: Path) -> None:
    async with one_osd(tmp_path) as (url, osd), AsyncClient(url) as client:
        headers = served(b"12345").headers
        osd.script["HEAD"] = [Reply(200, headers)]
        stat = await client.stat("a")
        osd.script["HEAD"] = [Reply(404, {"Osdlog-Epoch": "2"})]
        with pytest.raises(NotThere, match="there is no object 'a'"):
            await client.stat("a")
    assert (stat.size, stat.version, stat.etag) == (5, 1, '"1.1"')
    assert stat.media_type == "text/plain"


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ({"media_type": "te\nxt"}, r"'te\\nxt' is no media type"),
        ({"media_type": "bad type"}, "'bad type' is no media type"),
        ({"media_type": ""}, "'' is no media type"),
        ({"metadata": {"k k": "v"}}, "'k k' is no key of metadata"),
        ({"metadata": {"é": "v"}}, "'é' is no key of metadata"),
        ({"metadata": {"k": "\udcff"}}, "metadata k is not valid Unicode"),
        ({"metadata": {"k": "v" * 100_000}}, "the metadata has over"),
        ({"request_id": ""}, "'' is no request id"),
        ({"request_id": "a b"}, "'a b' is no request id"),
        ({"request_id": "a" * 256}, "is no request id"),
        ({"if_match": '"1.1"\n'}, "is no ETag"),
        ({"if_none_match": ""}, "'' is no ETag"),
        ({"if_match": "version 1"}, "'version 1' is no ETag"),
        ({"if_match": '"1.1'}, "is no ETag"),
    ],
)
async def test_what_no_header_may_be_is_not_sent(
    tmp_path: Path, said: dict[str, Any], what: str
) -> None:
    async with one_osd(tmp_path) as (url, osd), AsyncClient(url) as client:
        with pytest.raises(BadName, match=what):
            await client.put("a", b"x", **said)
    assert not osd.asked


@pytest.mark.parametrize(
    ("said", "sent"),
    [("1.1", '"1.1"'), ('"1.1"', '"1.1"'), (' "a", W/"b" ', ' "a", W/"b" '), ("*", "*")],
)
def test_an_etag_needs_no_quotes(said: str, sent: str) -> None:
    """A shell takes them."""
    assert Conditions(if_match=said).headers == {"If-Match": sent}


@pytest.mark.parametrize("reason", ["", "a" * 256])
async def test_a_reason_that_cannot_be_kept_is_not_sent(tmp_path: Path, reason: str) -> None:
    async with one_osd(tmp_path) as (url, osd), AsyncClient(url) as client:
        with pytest.raises(BadName, match="a reason of"):
            await client.declare_lost("a", reason)
    assert not osd.asked


@pytest.mark.parametrize("actor", ["a" * 256, "\udcff"])
async def test_an_actor_that_is_none(tmp_path: Path, actor: str) -> None:
    url = made_cluster(tmp_path, [0])
    with pytest.raises(BadName, match="the actor"):
        async with AsyncClient(url, actor=actor):
            pass


@pytest.mark.parametrize("deadline_s", [float("inf"), float("nan"), -1.0])
async def test_a_deadline_that_is_none(tmp_path: Path, deadline_s: float) -> None:
    async with one_osd(tmp_path) as (url, osd), AsyncClient(url, deadline_s=deadline_s) as client:
        with pytest.raises(BadName, match="s is no deadline"):
            await client.get("a")
    assert not osd.asked
