"""The Docker engine that brokers run in: found, or started, or installed.

Rule: an engine that answers is used as it is. Where none does, root may start
one, and root on Debian may install one first; anybody else is told in plain
words what to do. A started engine has no bridge and no packet rules, since the
brokers are on the host's loopback, and it runs on, for the next time.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from docker import DockerClient
from docker.errors import DockerException

Say = Callable[[str], None]

STARTING_S = 60.0
ANSWER_S = 120
"""Of the engine, to anything: also to pulling where the registry is out of reach."""
LOG = Path("/var/log/osdlog-dockerd.log")
PID = Path("/run/osdlog-dockerd.pid")

# The second is for file systems on which overlays cannot be laid.
STORAGE: tuple[tuple[str, ...], ...] = ((), ("--storage-driver=vfs",))

WHAT_TO_DO = """\
The tests on Kafka need a Docker engine, and {why}.
Start one that you may use (`docker version` must show a server), or set DOCKER_HOST to one on \
this machine, and run `make test` again. As root on Debian or Ubuntu `make test` installs and \
starts one by itself."""


class NoBroker(Exception):
    """No broker can be had here; its words say what to do."""


class NoEngine(NoBroker):
    """There is no engine, and this process may not or cannot make one."""

    def __init__(self, why: str) -> None:
        super().__init__(WHAT_TO_DO.format(why=why))


def engine() -> DockerClient:
    """The engine that answers; `NoEngine` where none does."""
    if sys.platform != "linux":
        raise NoEngine("only on Linux are its containers on this machine's own loopback")
    try:
        client = DockerClient.from_env(timeout=ANSWER_S)
    except DockerException as error:
        raise NoEngine(_none()) from error
    client.ping()
    return client


def ready_engine(say: Say) -> DockerClient:
    """An engine, started and installed first where that is needed and allowed."""
    try:
        return engine()
    except NoEngine:
        if sys.platform != "linux":
            raise
        _may_make_one()
    if shutil.which("dockerd") is None:
        _install(say)
    return _start(say)


def install_packages(say: Say, *packages: str) -> None:
    """By Debian's package manager."""
    say(f"installing {', '.join(packages)}")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update"],
        ["apt-get", "install", "--yes", "--no-install-recommends", *packages],
    ):
        run(*command, env=quiet)


def run(*command: str, env: Mapping[str, str] | None = None) -> None:
    """Run it to its end; `NoBroker` with all that it said if it fails."""
    try:
        subprocess.run(
            command,
            check=True,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    except subprocess.CalledProcessError as error:
        raise NoBroker(f"`{' '.join(command)}` failed:\n{error.stdout}") from error


def may_install() -> bool:
    """Whether packages can be installed here."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def _may_make_one() -> None:
    if "DOCKER_HOST" in os.environ:
        raise NoEngine(
            f"the one named by DOCKER_HOST, {os.environ['DOCKER_HOST']}, does not answer"
        )
    if os.geteuid() != 0:
        raise NoEngine(f"{_none()}, and only root may start one")


def _none() -> str:
    if host := os.environ.get("DOCKER_HOST"):
        return f"the one named by DOCKER_HOST, {host}, does not answer"
    return "none answers here"


def _install(say: Say) -> None:
    if not may_install():
        raise NoEngine("none is installed, and there is no apt-get to install it with")
    install_packages(say, "docker.io", "iptables")


def _start(say: Say) -> DockerClient:
    for storage in STORAGE:
        say("starting a Docker engine")
        process = _spawn(*storage)
        if (client := _answering(process)) is not None:
            say(f"the engine's process is {process.pid} (also in {PID}), its log {LOG}")
            return client
    last = "\n".join(LOG.read_text(errors="replace").splitlines()[-20:])
    raise NoEngine(f"the one that was started did not come up; its last words:\n{last}\n")


def _spawn(*flags: str) -> "subprocess.Popen[bytes]":
    """On its own: it outlives this process, and holds none of its files or terminal."""
    with LOG.open("ab") as log:
        process = subprocess.Popen(
            ["dockerd", "--bridge=none", "--iptables=false", *flags],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
        )
    PID.write_text(f"{process.pid}\n")
    return process


def _answering(process: "subprocess.Popen[bytes]") -> DockerClient | None:
    deadline = time.monotonic() + STARTING_S
    while time.monotonic() < deadline:
        try:
            return engine()
        except NoEngine:
            if process.poll() is not None:
                return None
            time.sleep(0.1)
    process.terminate()
    process.wait()
    return None
