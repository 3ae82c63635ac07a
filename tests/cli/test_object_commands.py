"""put, get, rm, ls, stat, import, export: against a real cluster, as people type them."""

import hashlib
import json
import os
import re
from pathlib import Path

import pytest

from cli.conftest import Cluster
from eventlog.drafts import draft_of


def test_put_get_rm(cluster: Cluster, tmp_path: Path) -> None:
    data = os.urandom(200_000)
    (tmp_path / "in.png").write_bytes(data)
    put = cluster.run("put", "words/a b", tmp_path / "in.png", "--meta", "colour=grün")
    assert (put.code, put.out) == (0, "")
    assert put.err.startswith("words/a b is version ")
    assert cluster.run("get", "words/a b", "--consistency", "barrier").data == data
    got = cluster.run("get", "words/a b", "-o", tmp_path / "out")
    assert (got.code, got.out) == (0, "")
    assert (tmp_path / "out").read_bytes() == data
    said = json.loads(cluster.run("stat", "words/a b", "--json").out)
    assert re.search(r"\ncopies +1, on osd\.[01] *\n", cluster.run("stat", "words/a b").out)
    assert said["sha256"] == hashlib.sha256(data).hexdigest()
    assert (said["media_type"], said["metadata"]) == ("image/png", {"colour": "grün"})
    assert cluster.run("rm", "words/a b").code == 0
    gone = cluster.run("get", "words/a b")
    assert (gone.code, gone.out) == (1, "")
    assert (
        gone.err
        == "error: there is no object 'words/a b'\nhint: `osdlog ls` lists the names there are.\n"
    )


def test_stdin_and_stdout(cluster: Cluster) -> None:
    data = os.urandom(3_000_000)
    put = cluster.run("put", "piped", "-", "--json", stdin=data)
    assert json.loads(put.out)["copies"] == 1
    assert put.err == ""
    assert cluster.run("get", "piped").data == data
    assert cluster.run("rm", "piped", "--json").out == '{"name":"piped","deleted":true}\n'


def test_conditions_and_request_ids(cluster: Cluster) -> None:
    first = cluster.run("put", "c", "-", "--if-none-match", "*", "--json", stdin=b"1")
    etag = json.loads(first.out)["etag"]
    again = cluster.run("put", "c", "-", "--if-none-match", "*", stdin=b"2")
    assert again.code == 1
    assert "error: the object is at version" in again.err
    once = cluster.run(
        "put", "c", "-", "--if-match", etag, "--request-id", "r", "--json", stdin=b"3"
    )
    twice = cluster.run(
        "put", "c", "-", "--if-match", etag, "--request-id", "r", "--json", stdin=b"3"
    )
    assert json.loads(once.out)["version"] == json.loads(twice.out)["version"]
    assert json.loads(twice.out)["is_repeated"]
    assert cluster.run("rm", "c").code == 0


def test_ls(cluster: Cluster) -> None:
    names = ["ls/a", "ls/b/c", "ls/ü", "ls/[bold]x"]
    for name in names:
        cluster.client.put(name, name.encode())
    assert cluster.run("ls", "ls/").lines == sorted(names, key=str.encode)
    rows = [json.loads(line) for line in cluster.run("ls", "ls/", "--json").lines]
    assert [row["name"] for row in rows] == sorted(names, key=str.encode)
    assert cluster.run("ls", "ls/b", "-l").out.endswith("  ls/b/c\n")
    assert cluster.run("ls", "nothing/").out == ""
    assert cluster.run("ls", "ls/", "-0").data.split(b"\0") == [
        *sorted(map(str.encode, names)),
        b"",
    ]
    assert "it is for names alone" in cluster.run("ls", "-0", "-l").err
    for name in names:
        cluster.client.delete(name)


def make_tree(folder: Path) -> dict[str, bytes]:
    files = {"a.txt": b"a", "deep/er/b": b"", "deep/ü c": os.urandom(100_000)}
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return files


def read_tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_import_and_export(cluster: Cluster, tmp_path: Path) -> None:
    files = make_tree(tmp_path / "in")
    (tmp_path / "in" / "link").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "in" / "pipe")
    draft = draft_of(tmp_path / "in" / "a.txt")
    draft.write_bytes(b"half")
    left_out = f"{tmp_path / 'in' / 'link'}, {tmp_path / 'in' / 'pipe'}"
    done = cluster.run("import", tmp_path / "in", "tree/")
    assert (done.code, done.err.splitlines()) == (
        0,
        [
            f"left out: 2 links and special files, which no object can be: {left_out}",
            f"left out: 1 draft of commands that were killed, or still run: {draft}",
            "imported 3 files, 100 kB",
        ],
    )
    (tmp_path / "in" / "a.txt").write_bytes(b"b")
    said = json.loads(cluster.run("import", tmp_path / "in", "tree", "--json").out)
    assert said == {"done": 1, "replaced": 1, "skipped": 2, "bytes": 1, "failed": {}}
    assert cluster.run("export", "tree", tmp_path / "out").code == 0
    assert read_tree(tmp_path / "out") == files | {"a.txt": b"b"}
    (tmp_path / "out" / "a.txt").write_bytes(b"damaged")
    done = cluster.run("export", "tree", tmp_path / "out")
    said = "exported 1 file, 1 B, 1 in place of other bytes, 2 files there already\n"
    assert done.err == said
    assert read_tree(tmp_path / "out") == files | {"a.txt": b"b"}
    for name in files:
        cluster.client.delete(f"tree/{name}")


def test_an_export_of_nothing_is_a_no(cluster: Cluster, tmp_path: Path) -> None:
    done = cluster.run("export", "tere", tmp_path / "out")
    assert (done.code, done.err.splitlines()) == (
        1,
        ["error: no object's name begins with 'tere/'", "hint: `osdlog ls` lists the names."],
    )


def test_an_export_never_leaves_its_folder(cluster: Cluster, tmp_path: Path) -> None:
    bad = ["t/../../evil", "t//etc/evil", "t/a/./b", "t/link/evil", "t/..", "t/file/below"]
    for name in [*bad, "t/good", "t/file"]:
        cluster.client.put(name, b"x")
    outside, out = tmp_path / "outside", tmp_path / "out"
    outside.mkdir()
    out.mkdir()
    (out / "link").symlink_to(outside)
    (out / "file").write_bytes(b"x")
    (out / "good").symlink_to("../outside/new")
    done = cluster.run("export", "t", out)
    assert f"'t/good' is not exported: {out}/good is a symbolic link" in done.err
    (out / "good").unlink()
    os.mkfifo(out / "good")
    assert "good is there and is no file" in cluster.run("export", "t", out).err
    (out / "good").unlink()
    done = cluster.run("export", "t", out)
    assert done.code == 3
    assert "'t/../../evil' is not exported: as a path it would lead elsewhere" in done.err
    assert f"'t/link/evil' is not exported: {out}/link is a symbolic link" in done.err
    assert "t/file/below: there is no place for" in done.err
    assert "error: 6 failures\nhint: Mend what is said above" in done.err
    assert not list(outside.iterdir())
    assert sorted(os.listdir(out)) == ["file", "good", "link"]
    assert sorted(os.listdir(tmp_path)) == ["out", "outside"]
    for name in [*bad, "t/good", "t/file"]:
        cluster.client.delete(name)


def test_an_export_writes_no_object_into_anothers_file(cluster: Cluster, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "d").mkdir(parents=True)
    (out / "a").symlink_to("b")
    (out / "e").symlink_to("d")
    names = ["a", "b", "d/x", "e/x", "e/y/z"]
    for name in names:
        cluster.client.put(f"own/{name}", name.encode())
    done = cluster.run("export", "own", out)
    assert done.code == 3
    assert f"'own/a' is not exported: {out}/a is a symbolic link" in done.err
    assert f"'own/e/y/z' is not exported: {out}/e is a symbolic link" in done.err
    assert "exported 2 files, 4 B" in done.err
    assert ((out / "b").read_bytes(), (out / "d" / "x").read_bytes()) == (b"b", b"d/x")
    assert os.listdir(out / "d") == ["x"]
    for name in names:
        cluster.client.delete(f"own/{name}")


def test_a_folder_that_cannot_be_read_is_a_failure(cluster: Cluster, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "good").write_bytes(b"x")
    make_deeper_than_paths_go(folder)
    done = cluster.run("import", folder, "deep")
    assert done.code == 3
    assert "imported 1 file, 1 B" in done.err
    assert "cannot be read: File name too long\nerror: 1 failure\nhint: " in done.err
    cluster.client.delete("deep/good")


def make_deeper_than_paths_go(folder: Path) -> None:
    """The one thing in a folder that root cannot look at either."""
    at = os.open(folder, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("n" * 250, dir_fd=at)
        inner = os.open("n" * 250, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = inner
    os.close(at)


def test_one_bad_file_stops_no_other(cluster: Cluster, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "good").write_bytes(b"x")
    (folder / os.fsdecode(b"bad\xff")).write_bytes(b"x")
    done = cluster.run("import", folder, "mixed")
    assert done.code == 3
    assert "imported 1 file, 1 B" in done.err
    assert "the object name is not valid Unicode" in done.err
    assert cluster.run("get", "mixed/good").data == b"x"
    cluster.client.delete("mixed/good")


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("put", "", "-"), "error: the object name is empty\n"),
        (("put", "a", "/no/such/file"), "error: /no/such/file cannot be read: No such file"),
        (("import", "/no/such", "x"), "error: /no/such is not a folder\n"),
        (("put", "a", "-", "--meta", "novalue"), "'novalue' is not KEY=VALUE"),
        (("get", "a", "--json"), "the bytes go to stdout; name a file with -o"),
        (("put", "a", "-", "--meta", "k k=v"), "error: 'k k' is no key of metadata"),
        (("put", "a", "-", "--type", "te\nxt"), r"error: 'te\nxt' is no media type"),
        (("put", "a", "-", "--deadline", "inf"), "error: inf s is no deadline"),
        (("put", "a"), "error: missing argument 'FILE'"),
        (("nonsense",), "error: no such command 'nonsense'"),
    ],
)
def test_wrong_usage_is_exit_2(cluster: Cluster, arguments: tuple[str, ...], what: str) -> None:
    done = cluster.run(*arguments)
    assert done.code == 2
    assert what in done.err
    assert done.out == ""
