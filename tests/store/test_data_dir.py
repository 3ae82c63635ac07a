"""Data directories: whose they are is never in doubt, whatever moment a process died at."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from eventlog.ids import OsdId
from osd.data_dir import DataDir
from osd.errors import DirectoryRefused
from osd.rocks import RocksRows
from store.killing import ROOT, run, run_and_kill
from store.os_calls import calls_during

CLUSTER = "6b0f3c7e-cluster"
OSD = OsdId(3)

_KILL_AT = """
import os, signal, sys
from pathlib import Path
from osd.data_dir import DataDir

left = int(sys.argv[2])

def step():
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)

def before(event, arguments):
    if event in ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "fcntl.flock"):
        step()

def stepping(real):
    def call(*arguments):
        step()
        return real(*arguments)
    return call

for name in ("fsync", "pwrite", "ftruncate"):
    setattr(os, name, stepping(getattr(os, name)))
"""

_HOOKED = "sys.addaudithook(before)\n"


def create_and_close(path: Path) -> DataDir:
    made = DataDir.create(path, CLUSTER, OSD)
    made.close()
    return made


def test_a_created_directory_opens_again_as_the_same_store(tmp_path: Path) -> None:
    made = create_and_close(tmp_path / "deep" / "er" / "osd.3")
    found = DataDir.open(made.path, CLUSTER, OSD)
    assert found.store == made.store
    assert found.store.osd == OSD
    assert 1 <= found.store.incarnation < 2**63
    found.close()


def test_each_create_is_a_new_incarnation(tmp_path: Path) -> None:
    assert create_and_close(tmp_path / "a").store != create_and_close(tmp_path / "b").store


def test_boots_rise_by_one_and_last(tmp_path: Path) -> None:
    made = DataDir.create(tmp_path, CLUSTER, OSD)
    assert [made.raise_boot(), made.raise_boot()] == [1, 2]
    made.close()
    found = DataDir.open(tmp_path, CLUSTER, OSD)
    assert found.raise_boot() == 3
    found.close()


def test_a_directory_in_use_is_refused_naming_the_process(tmp_path: Path) -> None:
    made = DataDir.create(tmp_path, CLUSTER, OSD)
    for open_it in (DataDir.open, DataDir.rebuild):
        with pytest.raises(DirectoryRefused) as caught:
            open_it(tmp_path, CLUSTER, OSD)
        assert caught.value.what == (
            f"osd.3's data directory {tmp_path} is in use by process {os.getpid()}"
        )
        assert caught.value.hint == "Stop that process first, or give this one another directory."
    made.close()


def test_the_lock_ends_with_its_process(tmp_path: Path) -> None:
    create_and_close(tmp_path)
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from osd.data_dir import DataDir\n"
        f"held = DataDir.open(Path(sys.argv[1]), {CLUSTER!r}, {OSD})\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(DirectoryRefused, match=f"in use by process {holder.pid}"):
        DataDir.open(tmp_path, CLUSTER, OSD)
    holder.kill()
    holder.communicate()
    DataDir.open(tmp_path, CLUSTER, OSD).close()


def test_a_child_process_does_not_keep_the_lock(tmp_path: Path) -> None:
    held = DataDir.create(tmp_path, CLUSTER, OSD)
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    held.close()
    DataDir.open(tmp_path, CLUSTER, OSD).close()
    child.communicate(b"\n")


@pytest.mark.parametrize(
    ("cluster", "osd", "asked"),
    [
        (CLUSTER, OsdId(4), f"osd.4 of cluster {CLUSTER}"),
        ("another", OSD, "osd.3 of cluster another"),
    ],
)
def test_another_ones_directory_is_refused_naming_both(
    tmp_path: Path, cluster: str, osd: OsdId, asked: str
) -> None:
    create_and_close(tmp_path)
    for open_it in (DataDir.open, DataDir.rebuild):
        with pytest.raises(DirectoryRefused) as caught:
            open_it(tmp_path, cluster, osd)
        assert caught.value.what == (
            f"{tmp_path} belongs to osd.3 of cluster {CLUSTER}, not to {asked}"
        )
    DataDir.open(tmp_path, CLUSTER, OSD).close()


def test_create_refuses_a_directory_that_is_an_osds(tmp_path: Path) -> None:
    create_and_close(tmp_path)
    with pytest.raises(DirectoryRefused) as caught:
        DataDir.create(tmp_path, CLUSTER, OSD)
    assert caught.value.what == f"{tmp_path} already belongs to osd.3 of cluster {CLUSTER}"
    assert caught.value.hint.startswith("Open it instead. ")


def test_a_folder_with_other_files_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    for open_it in (DataDir.create, DataDir.open, DataDir.rebuild):
        with pytest.raises(DirectoryRefused, match=r"thesis\.tex"):
            open_it(tmp_path, CLUSTER, OSD)
    assert os.listdir(tmp_path) == ["thesis.tex"]


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DirectoryRefused, match="file is a file"):
        DataDir.create(tmp_path / "file", CLUSTER, OSD)


def test_a_new_file_system_is_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "lost+found").mkdir()
    create_and_close(tmp_path)


def test_there_is_nothing_to_open(tmp_path: Path) -> None:
    with pytest.raises(DirectoryRefused, match="there is no data directory"):
        DataDir.open(tmp_path / "missing", CLUSTER, OSD)
    assert not (tmp_path / "missing").exists()
    with pytest.raises(DirectoryRefused, match="holds no OSD yet") as caught:
        DataDir.open(tmp_path, CLUSTER, OSD)
    assert "a new OSD needs a missing or empty directory" in caught.value.hint


def test_a_store_without_its_identity_is_refused(tmp_path: Path) -> None:
    create_and_close(tmp_path)
    (tmp_path / "rows").mkdir()
    (tmp_path / "identity.json").unlink()
    for open_it in (DataDir.open, DataDir.create):
        with pytest.raises(DirectoryRefused, match=r"it has rows but no identity\.json") as caught:
            open_it(tmp_path, CLUSTER, OSD)
        assert caught.value.hint.startswith("If its disk is only not mounted, mount it. ")
        assert "osdlog osd --rebuild" in caught.value.hint


@pytest.mark.parametrize("name", ["identity.json", "boot.json"])
def test_no_damage_of_a_small_file_passes(tmp_path: Path, name: str) -> None:
    create_and_close(tmp_path)
    whole = (tmp_path / name).read_bytes()
    damaged = [whole[:end] for end in range(len(whole) - 1)]
    damaged += [
        whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in range(len(whole) - 1)
    ]
    for content in damaged:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DirectoryRefused, match=f"{name} is damaged") as caught:
            DataDir.open(tmp_path, CLUSTER, OSD)
        assert "osdlog osd --rebuild" in caught.value.hint
    (tmp_path / name).write_bytes(whole)
    DataDir.open(tmp_path, CLUSTER, OSD).close()


def test_a_missing_boot_is_refused(tmp_path: Path) -> None:
    create_and_close(tmp_path)
    (tmp_path / "boot.json").unlink()
    with pytest.raises(DirectoryRefused, match=r"boot\.json is missing"):
        DataDir.open(tmp_path, CLUSTER, OSD)


def test_a_store_that_ran_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    made = DataDir.create(tmp_path, CLUSTER, OSD)
    made.require_rows()
    RocksRows(made.rows).close()
    made.require_rows()
    made.raise_boot()
    made.require_rows()
    shutil.rmtree(made.rows)
    with pytest.raises(DirectoryRefused) as caught:
        made.require_rows()
    assert caught.value.what == (
        f"{tmp_path} is of osd.3 of cluster {CLUSTER}, which ran before, and it has no rows"
    )
    assert caught.value.hint.startswith("Put the whole directory back if you have a copy. ")
    assert "osdlog osd --rebuild" in caught.value.hint
    made.close()


def test_another_format_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("osd.data_dir.FORMAT", 2)
        create_and_close(tmp_path)
    with pytest.raises(DirectoryRefused, match="is of format 2; this program knows format 1"):
        DataDir.open(tmp_path, CLUSTER, OSD)


def test_rebuild_makes_a_new_empty_store_of_ones_own_directory(tmp_path: Path) -> None:
    made = DataDir.create(tmp_path, CLUSTER, OSD)
    made.raise_boot()
    made.rows.mkdir()
    (made.rows / "old").write_bytes(b"x")
    made.close()
    fresh = DataDir.rebuild(tmp_path, CLUSTER, OSD)
    assert fresh.store.osd == OSD
    assert fresh.store != made.store
    assert fresh.raise_boot() == 1
    assert not fresh.rows.exists()
    fresh.close()


def test_rebuild_heals_a_damaged_identity(tmp_path: Path) -> None:
    create_and_close(tmp_path)
    (tmp_path / "identity.json").write_bytes(b"{")
    DataDir.rebuild(tmp_path, CLUSTER, OSD).close()
    DataDir.open(tmp_path, CLUSTER, OSD).close()


def test_killed_anywhere_in_create_the_folder_opens_or_is_created(tmp_path: Path) -> None:
    script = _KILL_AT + _HOOKED + f"DataDir.create(Path(sys.argv[1]), {CLUSTER!r}, {OSD})\n"
    opened, created = 0, 0
    for point in range(200):
        path = tmp_path / f"{point}" / "osd"
        done = run(script, path, point)
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        if (path / "identity.json").exists():
            DataDir.open(path, CLUSTER, OSD).close()
            opened += 1
        else:
            create_and_close(path)
            created += 1
    assert done.returncode == 0
    assert opened >= 1
    assert created >= 10


def test_killed_anywhere_in_raise_boot_no_boot_is_given_twice(tmp_path: Path) -> None:
    create_and_close(tmp_path)
    script = (
        _KILL_AT
        + f"held = DataDir.open(Path(sys.argv[1]), {CLUSTER!r}, {OSD})\n"
        + _HOOKED
        + "boot = held.raise_boot()\nprint(boot, flush=True)\n"
    )
    given = []
    for point in range(50):
        done = run(script, tmp_path, point)
        given += [int(line) for line in done.stdout.split()]
        held = DataDir.open(tmp_path, CLUSTER, OSD)
        given.append(held.raise_boot())
        held.close()
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
    assert done.returncode == 0
    assert point >= 4
    assert given == sorted(set(given))


def test_killed_anywhere_in_rebuild_it_can_be_repeated(tmp_path: Path) -> None:
    script = _KILL_AT + _HOOKED + f"DataDir.rebuild(Path(sys.argv[1]), {CLUSTER!r}, {OSD})\n"
    for point in range(200):
        path = tmp_path / f"{point}"
        old = create_and_close(path)
        old.rows.mkdir()
        (old.rows / "old").write_bytes(b"x")
        done = run(script, path, point)
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        if (path / "identity.json").exists():
            left = DataDir.open(path, CLUSTER, OSD)
            assert left.store != old.store or (left.rows / "old").exists()
            left.close()
        DataDir.rebuild(path, CLUSTER, OSD).close()
        assert not old.rows.exists()
    assert done.returncode == 0
    assert point >= 10


def test_a_boot_given_before_kill_9_is_not_given_again(tmp_path: Path) -> None:
    create_and_close(tmp_path)
    printed = run_and_kill(
        "import sys\n"
        "from pathlib import Path\n"
        "from osd.data_dir import DataDir\n"
        f"print(DataDir.open(Path(sys.argv[1]), {CLUSTER!r}, {OSD}).raise_boot(), flush=True)\n",
        tmp_path,
    )
    held = DataDir.open(tmp_path, CLUSTER, OSD)
    assert held.raise_boot() > int(printed)
    held.close()


def test_identity_and_boot_are_synced_before_and_after_their_renames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "osd"
    with calls_during(monkeypatch) as calls:
        create_and_close(folder)
    assert calls == [
        f"fsync {tmp_path.name}",
        "fsync osd/boot.json.new",
        "rename osd/boot.json",
        "fsync osd",
        "fsync osd/identity.json.new",
        "rename osd/identity.json",
        "fsync osd",
    ]
