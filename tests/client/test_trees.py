"""What is below a folder: nothing of it is passed over without a word."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from eventlog.drafts import draft_of
from eventlog.errors import BadName
from osd.client.trees import source_in
from osd.demo.source import files_of
from osd.errors import DiskFailed

NOBODY = 65534


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without root's rights, to whom no folder is closed."""
    if os.geteuid():
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that others than root may look into; pytest's own are not."""
    with TemporaryDirectory() as made:
        path = Path(made)
        path.chmod(0o755)
        for name in ("a", "closed/x", "listed/y", "z"):
            (path / name).parent.mkdir(exist_ok=True)
            (path / name).write_bytes(name.encode())
        (path / "closed").chmod(0)
        (path / "listed").chmod(0o444)
        yield path
        for name in ("closed", "listed"):
            (path / name).chmod(0o755)


def test_what_cannot_be_looked_at_is_named_and_stops_nothing(folder: Path) -> None:
    with as_nobody():
        source = source_in(folder, "t")
    assert [file.name for file in source.files] == ["t/a", "t/z"]
    assert {name: error.what for name, error in source.unread.items()} == {
        "t/closed": f"{folder}/closed cannot be read: Permission denied",
        "t/listed/y": f"{folder}/listed/y cannot be read: Permission denied",
    }
    assert source.unread["t/closed"].hint == "Check its rights and its disk."


def test_a_demo_does_not_begin_with_half_a_folder(folder: Path) -> None:
    with as_nobody(), pytest.raises(DiskFailed, match="closed cannot be read"):
        files_of(folder)


def test_a_folder_that_nobody_may_look_for(folder: Path) -> None:
    (folder / "closed" / "inner").mkdir()
    with as_nobody(), pytest.raises(BadName, match="inner is not a folder"):
        source_in(folder / "closed" / "inner", "t")


def test_files_links_and_folders(tmp_path: Path) -> None:
    for name in ("b", "a/b", "a/skipped/c", "a.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("a")
    os.mkfifo(tmp_path / "a" / "pipe")
    source = source_in(tmp_path, "", frozenset({"skipped"}))
    assert [(file.name, file.size) for file in source.files] == [("a/b", 3), ("a.txt", 5), ("b", 1)]
    assert source.left_out == [tmp_path / "a" / "pipe", tmp_path / "link"]
    assert not source.unread


def test_what_a_killed_command_left_half_written_is_no_file_of_anybody(tmp_path: Path) -> None:
    log = draft_of(tmp_path / "log")
    drafts = [draft_of(tmp_path / "a"), log, log.with_name(f"{log.name}-wal")]
    for path in (*drafts, tmp_path / ".osdlog-notes.part"):
        path.write_bytes(b"half")
    folder = draft_of(tmp_path / "lake")
    folder.mkdir()
    (folder / "part-0").write_bytes(b"half")
    source = source_in(tmp_path, "")
    assert [file.name for file in source.files] == [".osdlog-notes.part"]
    assert source.drafts == sorted([*drafts, folder])
    assert source_in(folder, "").files  # whoever names it means it
