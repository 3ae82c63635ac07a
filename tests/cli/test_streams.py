"""What is printed, and how a command ends that cannot print it: no OSD runs here."""

import os
import subprocess
from pathlib import Path

import pytest

from cli.programs import COMMAND, PATIENCE_S, environment
from client.fake_osds import made_cluster
from eventlog.errors import OsdlogError
from osd.cli.output import complain, note, say, shown, table
from projections.audit.errors import QueryRefused

FORGED = "a\nosd.0 is lost\x1b[2J\u202ex\u2028\x85\udcff"
ESCAPED = r"a\nosd.0 is lost\x1b[2J\u202ex\u2028\x85\udcff"


def in_shell(line: str, log: str | None = None) -> tuple[int, str]:
    """Exit code and stderr of a line in which $O is the program."""
    process = subprocess.run(
        ["sh", "-c", line],
        env=environment(log) | {"O": " ".join(COMMAND)},
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return process.returncode, process.stderr.decode()


@pytest.mark.parametrize("command", ["--version", "log cat", "map log", "map show"])
def test_nobody_reads_on(tmp_path: Path, command: str) -> None:
    log = made_cluster(tmp_path, [0])
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as target:
        done = subprocess.run(
            [*COMMAND, *command.split()],
            stdout=target,
            stderr=subprocess.PIPE,
            env=environment(log),
            timeout=PATIENCE_S,
            check=False,
        )
    assert done.returncode == 141
    assert b"rror" not in done.stderr


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("$O --version >&-", "Bad file descriptor"),
        ("$O --version <&- >&-", "Bad file descriptor"),
        ("ulimit -f 0; $O --version >{}/full", "File too large"),
    ],
)
def test_what_cannot_be_printed_is_said(tmp_path: Path, line: str, why: str) -> None:
    code, said = in_shell(line.format(tmp_path))
    assert code == 3
    assert said == (
        f"error: cannot write standard output: {why}\n"
        "hint: Check where it goes, and whether there is room.\n"
    )


def test_closed_streams_are_not_given_to_a_socket(tmp_path: Path) -> None:
    log = made_cluster(tmp_path, [0])
    code, said = in_shell("$O status <&- >&-", log)
    assert (code, said.splitlines()[0]) == (
        3,
        "error: cannot write standard output: Bad file descriptor",
    )
    assert in_shell("$O map show <&- 2>&-", log) == (0, "")


def test_no_room_for_what_comes_from_a_pipe(tmp_path: Path) -> None:
    """It is kept in a temporary file, to be sent again; more than 2 MiB find no room there."""
    log = made_cluster(tmp_path, [0])
    code, said = in_shell(
        f"ulimit -f 4096; head -c 9000000 /dev/zero | TMPDIR={tmp_path} $O put a -", log
    )
    assert code == 3
    assert said == (
        f"error: cannot keep what is put in {tmp_path}: File too large\n"
        "hint: Make room there, or name another folder in TMPDIR.\n"
    )


def test_a_name_forges_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    say(FORGED)
    note(FORGED)
    complain(OsdlogError(FORGED, "Hint."))
    table(("name",), [(FORGED,)])
    out, err = capsys.readouterr()
    assert [line.rstrip() for line in out.splitlines()] == [ESCAPED, "name", ESCAPED]
    assert err.splitlines() == [ESCAPED, f"error: {ESCAPED}", "hint: Hint."]


def test_what_is_wrong_in_a_query_is_shown_below_it(capsys: pytest.CaptureFixture[str]) -> None:
    complain(QueryRefused("the query is wrong: so\nSELECT x\n       ^", "Hint."))
    said = capsys.readouterr().err
    assert said == "error: the query is wrong: so\nSELECT x\n       ^\nhint: Hint.\n"


def test_other_text_stays() -> None:
    assert shown("grün 日本 \U0001f600 a\u00a0b") == "grün 日本 \U0001f600 a\u00a0b"


def test_a_line_of_a_table_ends_with_its_last_word(capsys: pytest.CaptureFixture[str]) -> None:
    table(("name", "note"), [("a", "full"), ("longer", ""), ("b", "no more")])
    assert capsys.readouterr().out == "name    note\na       full\nlonger\nb       no more\n"
