"""Objects over HTTP: one real OSD, real files, and what docs/http.md promises."""

import asyncio
import json
import os
import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import aiohttp
import msgspec
import pytest
from msgspec.structs import replace

from cli.programs import ROOT
from eventlog.ids import Boot, Epoch, Fence, Incarnation, OsdId, RgId, Round, Serial, Store, rg_of
from node.osds import RGS, Cluster, OsdProcess, until
from osd.couriers import Delivery, Parcel, Receipt
from osd.packing import unpack

LIMIT = 8 * 1024 * 1024
LARGE = os.urandom(3 * 1024 * 1024 + 17)


@pytest.fixture(scope="module")
def osd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OsdProcess]:
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    cluster.add(0)
    with cluster.osd(0, max_object_bytes=LIMIT, settings={"is_checked": True}) as started:
        yield started


def test_put_get_head_overwrite_delete(osd: OsdProcess) -> None:
    put = osd.put("cycle", b"one", Content_Type="text/plain")
    assert put.status == 201
    rg, version = put.json["rg"], put.json["version"]
    assert rg == rg_of("cycle", RGS)
    assert put.json == {"rg": rg, "version": version, "etag": f'"{rg}.{version}"', "copies": 1}
    assert osd.put("cycle", b"two", Content_Type="text/plain").json["version"] > version

    got = osd.get("cycle")
    head = osd.request("HEAD", "/objects/cycle")
    assert (got.status, got.body) == (200, b"two")
    assert (head.status, head.body) == (200, b"")
    for reply in (got, head):
        assert reply.headers["Content-Length"] == "3"
        assert reply.headers["Content-Type"] == "text/plain"
        assert reply.headers["Osdlog-Sha256"] == sha256(b"two").hexdigest()
        assert reply.headers["ETag"] == f'"{rg}.{version + 1}"'
        assert reply.headers["Last-Modified"].endswith("GMT")

    assert osd.delete("cycle").status == 200
    assert osd.get("cycle").status == 404
    assert osd.request("HEAD", "/objects/cycle").status == 404
    again = osd.delete("cycle")
    assert (again.status, again.error) == (404, "there is no object 'cycle'")


@pytest.mark.parametrize("size", [0, 1, 64 * 1024, 64 * 1024 + 1, 256 * 1024, len(LARGE)])
@pytest.mark.parametrize("is_chunked", [False, True])
def test_bodies_of_every_kind_come_back(osd: OsdProcess, size: int, is_chunked: bool) -> None:
    body, name = LARGE[:size], f"size/{size}/{is_chunked}"
    sent = iter([body[:1000], body[1000:]]) if is_chunked else body
    path = "/objects/" + name.replace("/", "%2F")
    headers = {"Osdlog-Sha256": sha256(body).hexdigest()}
    assert osd.request("PUT", path, sent, headers).status == 201
    assert osd.get(name).body == body


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_a_put_that_announces_no_body_stores_an_empty_one_every_time(
    osd: OsdProcess, version: str
) -> None:
    """What `curl -X PUT` sends: neither a length nor chunks."""
    asked = f"PUT /objects/none HTTP/{version}\r\nHost: osd\r\nConnection: close\r\n\r\n"
    for _ in range(3):
        with connected(osd) as connection:
            connection.sendall(asked.encode())
            assert connection.recv(64).startswith(f"HTTP/{version} 201".encode())
        assert osd.get("none").body == b""


@pytest.mark.parametrize("name", ["a b", "ü/ñ/日本", "%", "?&=+#", "..", "x" * 1024, "a/facts"])
def test_every_name_is_taken_as_it_is(osd: OsdProcess, name: str) -> None:
    assert osd.put(name, name.encode()).status == 201
    assert osd.get(name).body == name.encode()
    assert name in [row["name"] for row in rows(osd, "")]


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/objects/%ff", "the object name is not UTF-8"),
        ("/objects/%zz", "the object name has a % that no two hexadecimal digits follow"),
        ("/objects/a/b", "the path has more segments than one name has"),
        ("/objects/", "the object name is empty"),
        ("/objects/%00", "the object name has a NUL character"),
        ("/objects/" + "x" * 1025, "the object name is 1,025 bytes of UTF-8"),
    ],
)
def test_names_that_cannot_be_are_refused(osd: OsdProcess, path: str, error: str) -> None:
    for method in ("GET", "PUT", "DELETE"):
        reply = osd.request(method, path, b"" if method == "PUT" else None)
        assert (reply.status, reply.error) == (400, error)
        assert reply.json["hint"]


@pytest.mark.parametrize(
    ("header", "value", "error"),
    [
        ("Osdlog-Sha256", "ab", "Osdlog-Sha256 is not 64 hexadecimal digits"),
        ("Osdlog-Epoch", "x", "Osdlog-Epoch is 'x', not a decimal number"),
        ("If-Match", "abc", "If-Match is neither * nor a list of ETags in quotes"),
        ("Osdlog-Meta-a", "%e", "Osdlog-Meta-a has a % that no two hexadecimal digits follow"),
        ("Osdlog-Meta-a", "%ff", "Osdlog-Meta-a is not UTF-8"),
        ("Osdlog-Meta-a", "x" * 9000, "the user metadata has 9,001 bytes, and may have 8,192"),
        ("Idempotency-Key", "a b", "Idempotency-Key is not 1 to 255 visible ASCII characters"),
        ("Osdlog-Actor", "x" * 256, "Osdlog-Actor has more than 255 characters"),
    ],
)
def test_headers_that_contradict_themselves_are_refused(
    osd: OsdProcess, header: str, value: str, error: str
) -> None:
    reply = osd.request("PUT", "/objects/bad", b"x", {header: value})
    assert (reply.status, reply.error) == (400, error)
    assert osd.get("bad").status == 404


def test_a_wrong_sum_leaves_nothing(osd: OsdProcess) -> None:
    before = set(osd.files())
    for body in (b"small", LARGE):
        reply = osd.put("wrong", body, Osdlog_Sha256="0" * 64)
        found = sha256(body).hexdigest()
        assert (reply.status, reply.error) == (
            400,
            f"the body's SHA-256 is {found}, not {'0' * 64}",
        )
    assert osd.get("wrong").status == 404
    until(lambda: set(osd.files()) == before)


def test_metadata_comes_back(osd: OsdProcess) -> None:
    assert osd.put("meta", b"", Osdlog_Meta_Color="gr%C3%BCn", Osdlog_Meta_n="100%25").status == 201
    got = osd.get("meta")
    assert got.headers["Osdlog-Meta-color"] == "gr%C3%BCn"
    assert got.headers["Osdlog-Meta-n"] == "100%25"
    assert osd.put("full-meta", b"", Osdlog_Meta_a="%C3%BC" * 4095).status == 201
    assert osd.get("full-meta").headers["Osdlog-Meta-a"] == "%C3%BC" * 4095


def test_conditions(osd: OsdProcess) -> None:
    assert osd.put("cond", b"x", If_Match="*").status == 412
    assert osd.put("cond", b"1", If_None_Match="*").status == 201
    etag = osd.get("cond").headers["ETag"]
    held = osd.put("cond", b"2", If_None_Match="*")
    assert (held.status, held.headers["ETag"]) == (412, etag)
    assert osd.put("cond", b"2", If_Match=f'"1.1", {etag}').status == 201
    assert osd.put("cond", b"3", If_Match=etag).status == 412
    assert osd.delete("cond", If_Match=etag).status == 412
    etag = osd.get("cond").headers["ETag"]
    assert osd.get("cond", If_None_Match=etag).status == 304
    assert osd.get("cond", If_Match='"0.0"').status == 412
    assert osd.get("cond", If_Match='"0.0"', If_None_Match=etag).status == 412
    assert osd.get("cond", If_Match=etag, If_None_Match=etag).status == 304
    for absent in (osd.get("no-cond", If_Match="*"), osd.get("no-cond", If_Match=etag)):
        assert absent.error == "there is no object, and the condition wants one"
        assert absent.status == 412
    assert osd.get("no-cond", If_None_Match=etag).status == 404
    assert osd.get("cond").body == b"2"
    assert osd.delete("cond", If_Match=etag).status == 200


def test_a_request_asked_again_gets_the_first_answer(osd: OsdProcess) -> None:
    first = osd.put("again", b"1", Idempotency_Key="k1")
    other = osd.put("again", b"2", Idempotency_Key="k1")
    assert other.status == 422
    assert "was used for another request: put of again with other bytes" in other.error
    assert osd.get("again").body == b"1"
    assert osd.put("again", b"2").status == 201
    repeated = osd.put("again", b"1", Idempotency_Key="k1")
    assert (repeated.status, repeated.json) == (201, first.json)
    assert repeated.headers["Osdlog-Repeated"] == "1"
    assert osd.get("again").body == b"2"
    other = osd.delete("again", Idempotency_Key="k1")
    assert other.status == 422
    assert other.error == "request id k1 was used for another request: put of again"


def test_the_list_is_in_the_order_of_utf8(osd: OsdProcess) -> None:
    names = ["ls/a", "ls/b/1", "ls/b/2", "ls/c", "ls/z", "ls/ä", "ls/日", "ls/\U0001f600"]
    for name in reversed(names):
        assert osd.put(name, b"x").status == 201
    assert osd.delete("ls/c").status == 200
    left = [name for name in names if name != "ls/c"]
    assert [row["name"] for row in rows(osd, "prefix=ls%2F")] == left
    assert [row["name"] for row in rows(osd, "prefix=ls%2Fb")] == names[1:3]
    assert [row["name"] for row in rows(osd, "prefix=ls%2F&limit=2")] == left[:2]
    assert [row["name"] for row in rows(osd, "prefix=ls%2F&after=ls%2Fb%2F1&limit=3")] == left[2:5]
    assert rows(osd, "limit=0") == []


def test_a_body_over_the_limit_is_refused_before_it_is_sent(osd: OsdProcess) -> None:
    with connected(osd) as client:
        client.sendall(
            b"PUT /objects/big HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n"
            b"Expect: 100-continue\r\n\r\n" % (LIMIT + 1)
        )
        assert client.recv(64 * 1024).startswith(b"HTTP/1.1 413 ")
    chunked = osd.request("PUT", "/objects/big", iter([b"x" * 2**20] * 9))
    assert (chunked.status, chunked.error) == (413, "the body is over the limit of 8,388,608 bytes")
    assert osd.get("big").status == 404


def test_a_body_that_is_expected_is_asked_for(osd: OsdProcess) -> None:
    with connected(osd) as client:
        client.sendall(
            b"PUT /objects/expected HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        assert client.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"body")
        assert client.recv(1000).startswith(b"HTTP/1.1 201 ")
    assert osd.get("expected").body == b"body"


def test_a_client_that_goes_away_leaves_nothing(osd: OsdProcess) -> None:
    before = set(osd.files())
    with connected(osd) as client:
        client.sendall(b"PUT /objects/gone HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n\r\n")
        client.sendall(LARGE)
        until(lambda: set(osd.files()) != before)
    until(lambda: set(osd.files()) == before)
    assert osd.get("gone").status == 404


def test_a_client_that_goes_away_while_reading_is_nobodys_fault(osd: OsdProcess) -> None:
    assert osd.put("half-read", LARGE).status == 201
    with connected(osd) as client:
        client.sendall(b"GET /objects/half-read HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(1000)
    assert osd.get("half-read").body == LARGE


def test_a_newer_epoch_is_read_first(osd: OsdProcess) -> None:
    assert osd.put("epoch", b"x", Osdlog_Epoch="999").status == 201
    assert osd.get("epoch", Osdlog_Epoch="999").status == 200
    assert osd.get("epoch", Osdlog_Consistency="local").status == 200


def test_a_read_by_barrier_comes_after_an_event_of_its_own(osd: OsdProcess) -> None:
    rg = osd.put("barred", b"x").json["rg"]
    before = osd.report(f"/rgs/{rg:x}")["next_offset"]
    assert osd.get("barred", Osdlog_Consistency="barrier").body == b"x"
    assert osd.report(f"/rgs/{rg:x}")["next_offset"] == before + 1
    reply = osd.get("barred", Osdlog_Consistency="now")
    assert reply.status == 400
    assert reply.json["error"] == "Osdlog-Consistency is 'now', neither log, barrier nor local"


def test_overwritten_files_are_removed(osd: OsdProcess) -> None:
    before = set(osd.files())
    for _ in range(3):
        assert osd.put("files", LARGE).status == 201
    until(lambda: len(set(osd.files()) - before) == 1)
    assert osd.delete("files").status == 200
    until(lambda: set(osd.files()) == before)
    until(lambda: osd.facts("files") == {})


def test_reports(osd: OsdProcess) -> None:
    put = osd.put("reported", b"12345", Osdlog_Actor="ann%20%C3%A9")
    status = osd.report("/status")
    assert (status["name"], status["phase"], status["rgs"]) == ("osd.0", "running", RGS)
    assert status["states"] == {"clean": RGS}
    assert status["log"]["stalled"] is None
    assert status["disk"]["free"] > 0
    facts = osd.report("/objects/reported/facts")
    assert (facts["actor"], facts["version"]) == ("ann é", put.json["version"])
    assert [(fact["osd"], fact["status"]) for fact in facts["facts"]] == [(0, "held")]
    rg = put.json["rg"]
    report = osd.report(f"/rgs/{rg:x}")
    assert report["state"] == "clean"
    assert report["explanation"].startswith(f"rg {rg:x} is clean")
    assert report["import_plan"] == []
    assert [row["rg"] for row in osd.report("/rgs")] == list(range(RGS))
    digest = osd.report(f"/rgs/{rg:x}/digest")
    assert len(digest["digest"]) == 64
    assert digest["next_offset"] == report["next_offset"]
    metrics = osd.request("GET", "/metrics").body.decode()
    assert 'osdlog_states{state="clean"} 8\n' in metrics
    assert set(re.findall(r"# TYPE (\w+) ", metrics)) == documented_metrics()


def documented_metrics() -> set[str]:
    page = (ROOT / "docs/http.md").read_text(encoding="utf-8")
    table = page.partition("| metric | is |")[2].partition("\n\n")[0]
    return set(re.findall(r"`(osdlog_\w+)", table))


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/nothing", 404),
        ("POST", "/objects/a", 405),
        ("GET", "/rgs/ffff", 400),
        ("GET", "/rgs/0/other", 404),
        ("GET", "/copies/0/1?name=none", 404),
        ("GET", "/copies/0/x?name=none", 400),
        ("GET", "/objects/never-was/facts", 404),
        ("POST", "/hints/0", 204),
        ("PUT", "/status", 405),
        ("OPTIONS", "*", 404),
    ],
)
def test_other_requests(osd: OsdProcess, method: str, path: str, status: int) -> None:
    assert osd.request(method, path).status == status


def test_what_is_read_into_memory_is_bounded(osd: OsdProcess) -> None:
    reply = osd.request("PUT", "/limits", bytes(2 << 20))
    assert reply.status == 413
    assert reply.json["error"].startswith("the body is too large: ")


def test_copies_asked_for_together_are_few_and_different(osd: OsdProcess) -> None:
    put = osd.put("small", b"one").json
    path, asked = f"/copies/{put['rg']:x}", [put["version"], "small"]
    reply = osd.request("POST", path, json.dumps([asked]).encode())
    assert unpack(reply.body) == [b"one"]
    many = [[version, "small"] for version in range(257)]
    for refused in ([asked, asked], many):
        reply = osd.request("POST", path, json.dumps(refused).encode())
        assert reply.status == 400
        assert reply.json["error"] == "more than 256 copies are asked for, or one of them twice"


def test_parcels_whose_numbers_cannot_be_are_refused_all_together(osd: OsdProcess) -> None:
    alive = osd.report("/alive")
    fence = Fence(Epoch(1), Round(1), Store(OsdId(0), Incarnation(1)), Boot(1))
    good = Parcel(
        alive["boot"], RgId(0), Epoch(1), fence, Serial(1), "a", sha256(b"").digest(), b""
    )
    later = replace(fence, epoch=Epoch(10**17))
    for bad in (
        replace(good, serial=Serial(-1)),
        replace(good, serial=Serial(2**64 - 1)),
        replace(good, fence=replace(fence, store=Store(OsdId(2**32), Incarnation(1)))),
    ):
        said = asyncio.run(delivered(osd, msgspec.msgpack.encode(Delivery(1, [good, bad]))))
        assert said == "what is sent of 'a' has numbers that cannot be"
    message = msgspec.msgpack.encode(Delivery(7, [replace(good, fence=later)]))
    said = asyncio.run(delivered(osd, message))
    assert said == Receipt(7, ["there is no map of that claim's epoch"])
    assert osd.report("/alive") == alive


def test_parcels_come_in_messages_of_a_kept_connection(osd: OsdProcess) -> None:
    assert osd.request("GET", "/parcels").status == 426
    assert "no delivery" in str(asyncio.run(delivered(osd, b"\xc1")))
    too_large = asyncio.run(delivered(osd, bytes(2 << 20)))
    assert too_large in (1009, 1006), "the reason may be lost where the rest was still being sent"


async def delivered(osd: OsdProcess, message: bytes) -> Receipt | str | int | None:
    """What is answered to a message; or why the connection is closed, else by which code."""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"http://{osd.address}/parcels") as line,
    ):
        with suppress(ConnectionError):  # it may hang up before all is sent
            await line.send_bytes(message)
        answer = await line.receive()
        if answer.type is aiohttp.WSMsgType.BINARY:
            return msgspec.msgpack.decode(answer.data, type=Receipt)
        return answer.extra or line.close_code


def test_copies_are_given_by_version(osd: OsdProcess) -> None:
    for body in (b"a copy", LARGE):
        put = osd.put("copied", body).json
        path = f"/copies/{put['rg']:x}/{put['version']}"
        reply = osd.request("GET", f"{path}?name=copied")
        assert (reply.status, reply.body) == (200, body)
        assert reply.headers["Osdlog-Sha256"] == sha256(body).hexdigest()
        assert osd.request("GET", f"{path}?name=another").status == 404


def rows(osd: OsdProcess, query: str) -> list[dict[str, object]]:
    reply = osd.request("GET", f"/list?{query}")
    assert reply.status == 200, reply
    return [json.loads(line) for line in reply.body.splitlines()]


def connected(osd: OsdProcess) -> socket.socket:
    host, _, port = osd.address.partition(":")
    return socket.create_connection((host, int(port)), timeout=30)


def test_nothing_is_left_of_what_was_written(osd: OsdProcess) -> None:
    assert not list(Path(osd.config["data"], "blobs", "tmp").iterdir())
