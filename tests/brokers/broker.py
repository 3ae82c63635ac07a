"""A real Kafka broker in a container, which a test may stop, kill, pause and damage.

Rule: what the broker is told, it is told by the official image's variables. It
listens on loopback only, on ports that are its own also while it is down.
Clusters of several are in `brokers.kraft`.
"""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from docker import DockerClient
from docker.models.containers import Container
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer

from brokers.compose import ONE, Service, services
from brokers.files import read_file, write_file
from brokers.image import STARTED
from brokers.ports import LOOPBACK, free_ports
from brokers.secrets import PASSWORD, USER, Secrets

# Containers are labelled with their test process, and those of dead processes are removed by
# the next: the reaper that testcontainers would start is an image of its own to be pulled.
testcontainers_config.ryuk_disabled = True
OWNER = "osdlog-tests.owner"

STARTING_S = 120.0
STOPPING_S = 60
DATA = "/var/lib/kafka/data"
Speed = Literal["quick-start", "full-speed"]

# Half of the broker's life in a test is its start, for which the better compiler comes too late.
JAVA: Mapping[Speed, dict[str, str]] = {
    "quick-start": {
        "KAFKA_HEAP_OPTS": "-Xmx256m",
        "KAFKA_JVM_PERFORMANCE_OPTS": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
    },
    "full-speed": {"KAFKA_HEAP_OPTS": "-Xmx1g -Xms1g"},
}

# A killed broker is let in again when its last session has ended, after Kafka's 9 s.
SHORT_SESSION: Mapping[str, str] = {
    "KAFKA_BROKER_HEARTBEAT_INTERVAL_MS": "400",
    "KAFKA_BROKER_SESSION_TIMEOUT_MS": "2000",
}


class Ports(NamedTuple):
    """Where one broker listens: plainly, with TLS, with TLS and a password."""

    plain: int
    tls: int
    login: int


class Broker:
    """One broker; `start` before use, `close` at the end, anything between."""

    def __init__(
        self,
        image: str,
        secrets: Secrets,
        service: Service | None = None,
        settings: Mapping[str, str] | None = None,
        speed: Speed = "quick-start",
    ) -> None:
        """`settings` are more variables of the image; they win over those chosen here."""
        if service is None:
            [service] = services(ONE)
        self.ports = Ports(service.port, *free_ports(2))
        self.secrets = secrets
        self._began: float | None = None
        """When it was started last; seconds since 1970."""
        self._docker = DockerContainer(image).with_kwargs(
            network_mode="host", user="root", labels={OWNER: owner_of_this_process()}
        )
        secured = _secured(service.environment, self.ports)
        self._docker.with_envs(**{**service.environment, **secured, **JAVA[speed]})
        self._docker.with_envs(**(settings or {}))
        self._docker.with_copy_into_container(secrets.broker_pem, "/etc/kafka/secrets/broker.pem")

    @property
    def address(self) -> str:
        """Where clients find it."""
        return f"{LOOPBACK}:{self.ports.plain}"

    @property
    def tls_address(self) -> str:
        """The same, for clients that use TLS."""
        return f"{LOOPBACK}:{self.ports.tls}"

    @property
    def login_address(self) -> str:
        """The same, for clients that use TLS and say who they are, by SASL's PLAIN."""
        return f"{LOOPBACK}:{self.ports.login}"

    def url(self, cluster: str) -> str:
        """The address of a log on it."""
        return f"kafka://{self.address}/{cluster}"

    def start(self) -> None:
        """Start it, for the first time or after `stop` or `kill`; returns once it serves."""
        self.begin()
        self.wait()

    def begin(self) -> None:
        """Start it, and wait for nothing."""
        is_new, self._began = self._began is None, time.time()
        if is_new:
            self._docker.start()
        else:
            self._container.start()

    def wait(self) -> None:
        """Until it serves; fails with all that it said if it does not."""
        deadline = time.monotonic() + STARTING_S
        while STARTED not in self._container.logs(since=self._began):
            assert self.is_running(), f"the broker ended:\n{self.said()}"
            assert time.monotonic() < deadline, f"the broker does not start:\n{self.said()}"
            time.sleep(0.1)

    def stop(self) -> None:
        """A clean stop: everything is flushed."""
        self._container.stop(timeout=STOPPING_S)

    def kill(self) -> None:
        """Its process is gone at once; what the operating system has cached is not lost."""
        self._container.kill()
        self._container.wait()

    def pause(self) -> None:
        """It stands still: connections stay, nothing is answered, and it may be killed."""
        self._container.kill("SIGSTOP")

    def unpause(self) -> None:
        """It goes on."""
        self._container.kill("SIGCONT")

    def mend(self) -> None:
        """Make it serve again, whatever a test has done to it; see `wait`."""
        if self.is_running():
            self.unpause()
        else:
            self.begin()

    def close(self) -> None:
        """Nothing of it is left."""
        self._docker.stop()

    def is_running(self) -> bool:
        """Whether its process is there, paused or not."""
        self._container.reload()
        return str(self._container.status) == "running"

    def said(self) -> str:
        """All it ever printed."""
        return self._container.logs().decode(errors="replace")

    def read_file(self, path: str) -> bytes:
        """A file below its data directory, also while it is down."""
        return read_file(self._container, f"{DATA}/{path}")

    def write_file(self, path: str, content: bytes) -> None:
        """Put a file in place of one below its data directory, while it is down."""
        write_file(self._container, f"{DATA}/{path}", content)

    @property
    def _container(self) -> Container:
        return self._docker.get_wrapped_container()


def owner_of_this_process() -> str:
    """Its id and the moment it began, which together name one process for ever."""
    return _owner(os.getpid())


def remove_orphans(client: DockerClient) -> None:
    """Remove the brokers of test runs that were killed before they could."""
    for container in client.containers.list(all=True, filters={"label": OWNER}):
        owner = container.labels[OWNER]
        if _owner(int(owner.partition(":")[0])) != owner:
            container.remove(force=True, v=True)


def _owner(pid: int) -> str:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return "nobody"
    return f"{pid}:{stat.rpartition(')')[2].split()[19]}"


def _secured(environment: Mapping[str, str], ports: Ports) -> dict[str, str]:
    """Two more listeners: with TLS, and with TLS and a password."""
    more = f",SECURE://{LOOPBACK}:{ports.tls},LOGIN://{LOOPBACK}:{ports.login}"
    protocols = ",SECURE:SSL,LOGIN:SASL_SSL"
    login = "org.apache.kafka.common.security.plain.PlainLoginModule required "
    login += f'user_{USER}="{PASSWORD}";'
    return {
        "KAFKA_LISTENERS": environment["KAFKA_LISTENERS"] + more,
        "KAFKA_ADVERTISED_LISTENERS": environment["KAFKA_ADVERTISED_LISTENERS"] + more,
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": (
            environment["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"] + protocols
        ),
        "KAFKA_SSL_KEYSTORE_TYPE": "PEM",
        "KAFKA_SSL_KEYSTORE_LOCATION": "/etc/kafka/secrets/broker.pem",
        "KAFKA_LISTENER_NAME_LOGIN_SASL_ENABLED_MECHANISMS": "PLAIN",
        "KAFKA_LISTENER_NAME_LOGIN_PLAIN_SASL_JAAS_CONFIG": login,
    }
