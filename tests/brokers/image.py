"""The image that brokers run from: the official one, or one like it made here.

Rule: what is here already is used; else the official image is pulled; where no
image can be pulled, one with the same variables and folders is made from a
Java runtime and Kafka's jars, once for each change of what it is made from.
"""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import requests
from docker import DockerClient
from docker.errors import DockerException, ImageNotFound
from docker.models.containers import Container

from brokers.engine import NoBroker, Say, install_packages, may_install, run
from brokers.ports import LOOPBACK, free_ports

KAFKA = "4.1.1"
OFFICIAL = f"apache/kafka:{KAFKA}"
MADE = "osdlog-tests/kafka"
UNTRAINED = f"{MADE}:untrained"
STARTED = b"Kafka Server started"

INPUTS = Path(__file__).with_name("image")
JAVA_LEAST = 17
TRAINING_S = 120.0

# What Kafka uses of Java; log4j wants java.desktop for its property listeners.
MODULES = (
    "java.desktop",
    "java.logging",
    "java.management",
    "java.naming",
    "java.security.jgss",
    "java.security.sasl",
    "java.sql",
    "jdk.crypto.ec",
    "jdk.management",
    "jdk.unsupported",
    "jdk.zipfs",
)
FOLDERS = (
    "bin",
    "etc/kafka/docker",
    "etc/kafka/secrets",
    "mnt/shared/config",
    "opt/java",
    "opt/kafka/config",
    "tmp",
    "var/lib/kafka/data",
)
USERS = "root:x:0:0:root:/:/bin/sh\nappuser:x:1000:1000:appuser:/tmp:/bin/sh\n"


def find_image(client: DockerClient) -> str | None:
    """The name of an image that this machine has."""
    for name in (OFFICIAL, _made()):
        try:
            client.images.get(name)
        except ImageNotFound:
            continue
        return name
    return None


def ready_image(client: DockerClient, say: Say) -> str:
    """The name of an image, pulled or made first where that is needed."""
    return find_image(client) or _pull(client, say) or _make(client, say)


def _made() -> str:
    """Named by a sum over all that it is made from, so that a change makes another."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for path in sorted(INPUTS.iterdir()):
        digest.update(path.name.encode() + path.read_bytes())
    return f"{MADE}:{digest.hexdigest()[:12]}"


def _pull(client: DockerClient, say: Say) -> str | None:
    say(f"pulling {OFFICIAL}")
    try:
        client.images.pull(OFFICIAL)
    except (DockerException, requests.RequestException) as error:
        say(f"it cannot be pulled here ({_first_line(error)}), so one like it is made")
        return None
    return OFFICIAL


def _make(client: DockerClient, say: Say) -> str:
    jlink = _tools(say)
    with tempfile.TemporaryDirectory(prefix="osdlog-image-") as folder:
        root = Path(folder, "root")
        for name in FOLDERS:
            (root / name).mkdir(parents=True)
        say(f"fetching Kafka {KAFKA} from Maven Central")
        _fetch_jars(root / "opt/kafka/libs")
        say("making a Java runtime for it")
        _make_runtime(jlink, root / "opt/java/openjdk")
        _lay_out(root)
        say("making the image")
        client.images.build(path=folder, tag=UNTRAINED, rm=True)
    say("starting it once, which makes every later start faster")
    _train(client)
    return _made()


def _tools(say: Say) -> Path:
    """Where jlink is; it and Maven are installed where that may be."""
    jlink = _find_jlink()
    missing = [] if jlink else ["default-jdk-headless"]
    missing += [] if shutil.which("mvn") else ["maven"]
    if missing and not may_install():
        raise NoBroker(
            f"no image of {OFFICIAL} can be pulled, and to make one {' and '.join(missing)} "
            f"(Java {JAVA_LEAST} or later) must be installed"
        )
    if missing:
        install_packages(say, *missing)
    found = jlink or _find_jlink()
    if found is None:
        raise NoBroker(f"no image can be made: there is no JDK {JAVA_LEAST} or later here")
    return found


def _find_jlink() -> Path | None:
    homes = [Path(home) for home in [os.environ.get("JAVA_HOME")] if home]
    found = [home / "bin/jlink" for home in homes]
    found += [Path(path).resolve() for path in [shutil.which("jlink")] if path]
    found += sorted(Path("/usr/lib/jvm").glob("*/bin/jlink"))
    return next((path for path in found if _java_version(path) >= JAVA_LEAST), None)


def _java_version(jlink: Path) -> int:
    try:
        said = subprocess.run([jlink, "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return 0
    number = re.match(r"\d+", said.stdout)
    return int(number[0]) if number else 0


def _fetch_jars(into: Path) -> None:
    run(
        "mvn",
        "--batch-mode",
        "--quiet",
        f"--file={INPUTS / 'pom.xml'}",
        "dependency:copy-dependencies",
        "-DincludeScope=runtime",
        f"-DoutputDirectory={into}",
        f"-Dkafka={KAFKA}",
    )


def _make_runtime(jlink: Path, into: Path) -> None:
    run(
        str(jlink),
        "--strip-debug",
        "--no-man-pages",
        "--no-header-files",
        f"--add-modules={','.join(MODULES)}",
        f"--output={into}",
    )
    # Without an archive of Java's own classes, Kafka's cannot be archived either.
    run(str(into / "bin/java"), "-Xshare:dump")


def _lay_out(root: Path) -> None:
    for name in ("run", "server.properties", "log4j2.yaml", "tools-log4j2.yaml"):
        shutil.copy(INPUTS / name, root / "etc/kafka/docker")
    (root / "etc/kafka/docker/run").chmod(0o755)
    (root / "etc/passwd").write_text(USERS)
    (root / "tmp").chmod(0o1777)
    shutil.copy(INPUTS / "Dockerfile", root.parent)
    shell = Path(os.path.realpath("/bin/sh"))
    shutil.copy(shell, root / "bin/sh")
    for library in _libraries(shell, root / "opt/java/openjdk"):
        target = root / library.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, target)


def _libraries(shell: Path, runtime: Path) -> set[Path]:
    """What the dynamic linker will look for, itself among them."""
    needing = [shell, runtime / "bin/java", runtime / "lib/server/libjvm.so"]
    needing += [runtime / f"lib/lib{name}.so" for name in ("java", "net", "nio", "zip")]
    found: set[Path] = set()
    for path in needing:
        listed = subprocess.run(["ldd", path], capture_output=True, text=True, check=True).stdout
        found |= {Path(name) for name in re.findall(r"(/\S+) \(0x", listed)}
    return {path for path in found if not path.is_relative_to(runtime)}


def _train(client: DockerClient) -> None:
    """Run it once to its end, and keep the archives of classes that this leaves."""
    container = client.containers.run(
        UNTRAINED, detach=True, network_mode="host", environment=_training(), user="root"
    )
    try:
        _wait_for_start(container)
        container.stop(timeout=60)
        container.commit(*_made().split(":"))
    finally:
        container.remove(force=True, v=True)


def _training() -> dict[str, str]:
    """One node of both roles; its start and end load nearly every class there is to load."""
    broker, controller = free_ports(2)
    return {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_LISTENERS": f"PLAINTEXT://{LOOPBACK}:{broker},CONTROLLER://{LOOPBACK}:{controller}",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": f"1@{LOOPBACK}:{controller}",
        "KAFKA_LOG_DIRS": "/var/lib/kafka/data",
    }


def _wait_for_start(container: Container) -> None:
    deadline = time.monotonic() + TRAINING_S
    while STARTED not in container.logs():
        container.reload()
        if container.status == "exited" or time.monotonic() > deadline:
            said = container.logs().decode(errors="replace")
            raise NoBroker(f"a broker did not start from the image made for it:\n{said}\n")
        time.sleep(0.2)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
