"""Three brokers that are one Kafka cluster, each broker and controller at once.

Rule: whichever one is down, the other two are a quorum of controllers and the
least in-sync replicas of a log; with two down nothing is written.
"""

from brokers.broker import Broker, Ports, Speed
from brokers.ports import LOOPBACK, free_ports
from brokers.secrets import Secrets

NODES = (1, 2, 3)


class Kraft:
    """The three, by their node numbers."""

    def __init__(self, image: str, secrets: Secrets, speed: Speed = "quick-start") -> None:
        ports = free_ports(4 * len(NODES))
        of_node = {node: Ports(*ports[i * 4 : i * 4 + 4]) for i, node in enumerate(NODES)}
        settings = _settings(of_node)
        self.brokers = {
            node: Broker(image, secrets, node, of_node[node], settings, speed) for node in NODES
        }

    @property
    def address(self) -> str:
        """All three, as clients name them."""
        return ",".join(broker.address for broker in self.brokers.values())

    def url(self, cluster: str) -> str:
        """The address of a log on them."""
        return f"kafka://{self.address}/{cluster}"

    def start(self) -> None:
        """All at once: none serves before two are there."""
        for broker in self.brokers.values():
            broker.begin()
        for broker in self.brokers.values():
            broker.wait()

    def mend(self) -> None:
        """Make all serve again, whatever a test has done to them."""
        for broker in self.brokers.values():
            broker.mend()
        for broker in self.brokers.values():
            broker.wait()

    def close(self) -> None:
        """Nothing of them is left."""
        for broker in self.brokers.values():
            broker.close()


def _settings(of_node: dict[int, Ports]) -> dict[str, str]:
    voters = ",".join(f"{node}@{LOOPBACK}:{ports.controller}" for node, ports in of_node.items())
    return {
        "KAFKA_CONTROLLER_QUORUM_VOTERS": voters,
        # A dead broker's partitions move when its session ends, and a still one leaves the
        # replicas in sync after its lag: with Kafka's 9 and 30 s a test would mostly wait.
        "KAFKA_BROKER_HEARTBEAT_INTERVAL_MS": "300",
        "KAFKA_BROKER_SESSION_TIMEOUT_MS": "3000",
        "KAFKA_REPLICA_LAG_TIME_MAX_MS": "5000",
    }
