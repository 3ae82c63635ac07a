"""Where an object's bytes go: files, links, FIFOs, slow streams and broken ones."""

import errno
import io
import os
import threading
import time
from pathlib import Path

import pytest

from client.fake_osds import FakeOsd, one_osd, served
from osd.client import AsyncClient, objects
from osd.client.sinks import FileSink
from osd.errors import DiskFailed

LARGE = bytes(range(256)) * 8192


class Stream(io.BytesIO):
    """Takes what it has room for; its first write is slow, or fails."""

    def __init__(self, slow_s: float = 0.0, error: OSError | None = None) -> None:
        super().__init__()
        self.name = "<stdout>"
        self._slow_s = slow_s
        self._error = error

    def write(self, data: object) -> int:
        if self._error is not None:
            raise self._error
        time.sleep(self._slow_s)
        self._slow_s = 0.0
        assert isinstance(data, memoryview)
        return super().write(data[:300_000])


class SlowFile(FileSink):
    """Its disk pauses once."""

    pause_s = 1.0

    def _store(self, data: bytes) -> None:
        time.sleep(self.pause_s)
        self.pause_s = 0.0
        super()._store(data)


async def got(tmp_path: Path, target: Path | Stream, data: bytes = LARGE) -> FakeOsd:
    async with one_osd(tmp_path) as (url, osd), AsyncClient(url) as client:
        osd.script["GET"] = [served(data)]
        await client.stream_to("a", target)
    return osd


async def test_a_slow_stream_is_written_to_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "ATTEMPT_MS", 200)
    monkeypatch.setattr(objects, "GRACE_S", 0.1)
    stream = Stream(slow_s=1.0)
    osd = await got(tmp_path, stream)
    assert stream.getvalue() == LARGE
    assert len(osd.asked) == 1


async def test_a_file_that_takes_its_time_is_no_silent_osd(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "ATTEMPT_MS", 200)
    monkeypatch.setattr(objects, "GRACE_S", 0.1)
    sink = SlowFile(tmp_path / "file")
    async with one_osd(tmp_path) as (url, osd), AsyncClient(url) as client:
        osd.script["GET"] = [served(LARGE)]
        with sink:
            await client._network.objects.get("a", sink, "log")
    assert (tmp_path / "file").read_bytes() == LARGE
    assert len(osd.asked) == 1


async def test_a_full_stream_is_no_fault_of_the_osd(tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(DiskFailed, match="cannot write standard output: No space left on device"):
        await got(tmp_path, Stream(error=full))


async def test_a_closed_pipe_is_its_owners_to_judge(tmp_path: Path) -> None:
    with pytest.raises(BrokenPipeError):
        await got(tmp_path, Stream(error=BrokenPipeError(errno.EPIPE, "Broken pipe")))


async def test_the_target_of_a_link_gets_the_bytes(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to("target")
    await got(tmp_path, link)
    assert link.is_symlink()
    assert target.read_bytes() == LARGE


async def test_a_link_to_nothing_makes_the_file(tmp_path: Path) -> None:
    (tmp_path / "dangling").symlink_to("new")
    await got(tmp_path, tmp_path / "dangling")
    assert (tmp_path / "dangling").is_symlink()
    assert (tmp_path / "new").read_bytes() == LARGE


async def test_a_fifo_is_written_into(tmp_path: Path) -> None:
    fifo, read = tmp_path / "fifo", []
    os.mkfifo(fifo)
    reader = threading.Thread(target=lambda: read.append(fifo.read_bytes()))
    reader.start()
    await got(tmp_path, fifo)
    reader.join()
    assert read == [LARGE]
    assert fifo.is_fifo()


async def test_a_file_keeps_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"old")
    file.chmod(0o600)
    await got(tmp_path, file)
    assert file.read_bytes() == LARGE
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("path", ["/", "", ".", ".."])
async def test_a_folder_is_no_file(tmp_path: Path, path: str) -> None:
    with pytest.raises(DiskFailed, match=r"cannot write .*: it is a folder"):
        await got(tmp_path, Path(path), b"x")


@pytest.mark.parametrize("name", ["a" * 255, "ü" * 127, "\N{GRINNING FACE}" * 63])
async def test_a_name_as_long_as_any_may_be(tmp_path: Path, name: str) -> None:
    await got(tmp_path, tmp_path / name, b"x")
    assert (tmp_path / name).read_bytes() == b"x"


async def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DiskFailed, match=r"cannot write .*: No such file or directory"):
        await got(tmp_path, tmp_path / "none" / "file", b"x")
