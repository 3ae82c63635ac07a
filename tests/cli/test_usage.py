"""Help, and how wrong usage is said: no OSD runs here, and no log is looked at."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from cli.programs import osdlog
from osd.cli import app
from osd.cli.node_options import host_said

PROGRAM = typer.main.get_command(app.app)


def ended(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command that ends before it begins."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["osdlog", *arguments])
        with pytest.raises(SystemExit) as end:
            app.main()
    said = capsys.readouterr()
    assert isinstance(end.value.code, int)
    return end.value.code, said.out, said.err


def commands(command: Any = PROGRAM, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of each command, groups too."""
    yield path
    for name, each in getattr(command, "commands", {}).items():
        yield from commands(each, (*path, name))


def found(path: tuple[str, ...]) -> Any:
    command: Any = PROGRAM
    for name in path:
        command = command.commands[name]
    return command


@pytest.mark.parametrize(
    ("line", "what", "hint"),
    [
        ("nonsense", "no such command 'nonsense'", "Write osdlog [OPTIONS] COMMAND [ARGS]...;"),
        ("statsu", "no such command 'statsu'. Did you mean 'status', 'stat'?", "Write osdlog "),
        ("map aply", "no such command 'aply'. Did you mean 'apply'?", "Write osdlog map "),
        ("--nonsense", "no such option: --nonsense", "Write osdlog [OPTIONS] COMMAND"),
        ("put a", "missing argument 'FILE'", "Write osdlog put [OPTIONS] {NAME} {FILE};"),
        ("put a b c", "got unexpected extra argument(s) (c)", "Write osdlog put [OPTIONS] "),
        ("osd --data d", "missing option '--id'", "Write osdlog osd [OPTIONS];"),
        ("map apply --add", "option '--add' requires an argument", "`osdlog map apply --help` "),
        ("ls --json=1", "option '--json' does not take a value", "`osdlog ls --help` "),
        (
            "put a b --meta K=1 --meta k=2",
            "invalid value for --meta: a key stands twice; keys are read in lower case",
            "Write osdlog put [OPTIONS] {NAME} {FILE}; `osdlog put --help` explains it.",
        ),
        (
            "osd --id 0 --data d --advertise here:80",
            (
                "invalid value for '--advertise': 'here:80' is no host: give a name or an address,"
                " without a port"
            ),
            "Write osdlog osd [OPTIONS];",
        ),
        ("demo a --source b", "two folders are to go in", "Name one: "),
    ],
)
def test_it_is_said_in_two_lines(
    line: str, what: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = ended(capsys, *line.split())
    assert (code, out) == (2, "")
    said, next_step = err.splitlines()
    assert said == f"error: {what}"
    assert next_step.startswith(f"hint: {hint}")


def test_a_word_forges_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    _, _, err = ended(capsys, "a\nhint: all is well\x1b[2J")
    assert err.splitlines()[0] == r"error: no such command 'a\nhint: all is well\x1b[2J'"


@pytest.mark.parametrize("host", ["a", "10.0.0.1", "::1", "[fe80::1%eth0]", "host-1.ex_ample.org"])
def test_a_host_may_be(host: str) -> None:
    assert host_said(host) == host


@pytest.mark.parametrize("host", ["", "a b", "a:80", "[::1]:80", "http://a", "ü" * 70, "a/b"])
def test_no_host_is_called(host: str) -> None:
    with pytest.raises(typer.BadParameter, match="is no host"):
        host_said(host)


def test_every_address_is_nobodys(tmp_path: Path) -> None:
    """Others would find themselves there; nothing is made before that is said."""
    data = tmp_path / "data"
    done = osdlog("osd", "--id", 0, "--data", data, "--host", "::", log="sqlite:none")
    assert done.code == 2
    assert done.err == (
        "error: nobody can reach osd.0 at ::, which is every address\n"
        "hint: Say with --advertise HOST how others reach it.\n"
    )
    assert not data.exists()


@pytest.mark.parametrize("group", [(), ("map",), ("rg",), ("log",)])
def test_a_group_alone_shows_what_there_is(
    group: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = ended(capsys, *group)
    assert (code, out) == (2, "")
    assert err.startswith(f"Usage: {' '.join(('osdlog', *group))} ")
    assert "\nCommands:\n" in err


@pytest.mark.parametrize("path", list(commands()), ids=" ".join)
def test_every_word_is_explained(path: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """Also on a narrow terminal: a sentence goes on in the next line and is never cut."""
    code, out, err = ended(capsys, *path, "-h")
    assert (code, err) == (0, "")
    assert "..." not in out.partition("\n")[2]
    for parameter in found(path).params:
        if not getattr(parameter, "hidden", False):
            assert parameter.help, parameter.name
            assert parameter.metavar or getattr(parameter, "is_flag", False), parameter.name
