"""Three brokers that are one Kafka cluster, each broker and controller at once.

Rule: whichever one is down, the other two are a quorum of controllers and the
least in-sync replicas of a log; with two down nothing is written.
"""

from brokers.broker import Broker, Speed
from brokers.compose import THREE, services
from brokers.secrets import Secrets

# A dead broker's partitions move when its session ends, and a still one leaves the
# replicas in sync after its lag: with Kafka's 9 and 30 s a test would mostly wait.
SETTINGS = {
    "KAFKA_BROKER_HEARTBEAT_INTERVAL_MS": "300",
    "KAFKA_BROKER_SESSION_TIMEOUT_MS": "3000",
    "KAFKA_REPLICA_LAG_TIME_MAX_MS": "5000",
}


class Kraft:
    """The three, by their node numbers."""

    def __init__(self, image: str, secrets: Secrets, speed: Speed = "quick-start") -> None:
        self.brokers = {
            int(service.environment["KAFKA_NODE_ID"]): Broker(
                image, secrets, service, SETTINGS, speed
            )
            for service in services(THREE)
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
