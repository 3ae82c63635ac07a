"""The clients of Kafka's brokers, and every size and time they are given.

Rule: here, and nowhere else, a client is made; each number stands beside its
reason. A consumer never joins a group, never commits and never resets: where
it reads on is said by whoever folds. The producer asks for all in-sync
replicas and is idempotent, which spares duplicates and proves nothing.

What is not here: what is done with them.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.net.compat import KafkaNetClient

from eventlog.kafka_address import KafkaAddress

CONNECT_MS = 5_000
"""To find a broker that answers. Twice what a broker needs that is busy with its start."""
REQUEST_MS = 5_000
"""For one answer. A healthy broker takes milliseconds; a pause of its JVM can take a second."""
DELIVERY_MS = 10_000
"""For an append with all attempts: two slow answers, or a new leader (1 to 6 s). Well below a
client's deadline, so that an unknown outcome is settled while the client still waits."""
IDLE_MS = 9 * 60_000
"""An idle connection is closed just before brokers do it (10 minutes)."""
BACKOFF_MS = 50
LAST_BACKOFF_MS = 1_000
"""Between attempts to connect. A broker that is back is found within a second."""

FETCH_WAIT_MS = 100
"""So long a broker holds a fetch that finds nothing. Records end it at once; a partition that is
followed anew waits for its end, and an idle tail asks ten times a second."""
MOVING_WAIT_MS = 5
"""The same while the map changes, when partitions are followed anew one after the other."""
FETCH_BYTES = 16 * 1024 * 1024
"""Of one answer: about 80,000 events, decoded well within a second, so nothing waits long."""
PARTITION_BYTES = 1024 * 1024
"""Of one partition in one answer: 16 busy partitions fill it, and none can starve the others."""
SCAN_BYTES = 32 * 1024 * 1024
SCAN_PARTITION_BYTES = 8 * 1024 * 1024
"""Whoever scans waits for nobody: the larger a piece, the less is done for each piece."""
ONE_READ_BYTES = 1024 * 1024
"""Of the answer to a plain read of one partition."""
SOCKET_BYTES = 1024 * 1024
"""A fetch arrives in some dozen pieces, not in hundreds."""

BATCH_BYTES = 1_000_000
"""The records of one append to one partition go in one batch, so that they stand together and one
request is enough. Just below what brokers accept unless told otherwise (1,048,588)."""
MAX_RECORD_BYTES = BATCH_BYTES - 1_024
"""Of key and value; what a batch adds stays below the difference."""
MAX_REQUEST_BYTES = 16 * 1024 * 1024
"""Batches for several partitions of one leader; a broker takes 100 MB."""
LINGER_MS = 1_000
"""An append flushes when its last entry is in; before that nothing may leave, or one append could
go in two requests of which a dying process sends only the first."""
IN_FLIGHT = 1
"""Appends take turns anyway; more would only let batches pass each other."""

_Client = TypeVar("_Client", KafkaConsumer, KafkaProducer, KafkaAdminClient)

logging.getLogger("kafka").addHandler(logging.NullHandler())
"""What goes wrong is raised; without this the client would also print it."""


class Fetching(NamedTuple):
    """How a consumer fetches."""

    wait_ms: int
    size: int
    partition_size: int
    has_session: bool
    """Whether brokers keep what is fetched; a reader changes its partition all the time."""


TAIL = Fetching(FETCH_WAIT_MS, FETCH_BYTES, PARTITION_BYTES, has_session=True)
READ = Fetching(0, ONE_READ_BYTES, ONE_READ_BYTES, has_session=False)
SCAN = Fetching(FETCH_WAIT_MS, SCAN_BYTES, SCAN_PARTITION_BYTES, has_session=True)


def make_consumer(address: KafkaAddress, fetching: Fetching) -> KafkaConsumer:
    """A consumer with nothing assigned."""
    return _made(
        KafkaConsumer,
        **_common(address),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",
        allow_auto_create_topics=False,
        check_crcs=True,
        fetch_min_bytes=1,
        fetch_max_wait_ms=fetching.wait_ms,
        fetch_max_bytes=fetching.size,
        max_partition_fetch_bytes=fetching.partition_size,
        max_poll_records=1_000_000,  # all that came; the tail deals it out
        enable_incremental_fetch_sessions=fetching.has_session,
        receive_buffer_bytes=SOCKET_BYTES,
        metrics_enabled=False,
    )


def make_producer(address: KafkaAddress) -> KafkaProducer:
    """A producer; its connection is tried here already."""
    return _made(
        KafkaProducer,
        **_common(address),
        acks="all",
        enable_idempotence=True,
        delivery_timeout_ms=DELIVERY_MS,
        max_block_ms=CONNECT_MS,
        batch_size=BATCH_BYTES,
        max_request_size=MAX_REQUEST_BYTES,
        linger_ms=LINGER_MS,
        max_in_flight_requests_per_connection=IN_FLIGHT,
        allow_auto_create_topics=False,
        metrics_enabled=False,
    )


def make_admin(address: KafkaAddress) -> KafkaAdminClient:
    """An administrator's client."""
    return _made(KafkaAdminClient, **_common(address))


def _made(kind: Callable[..., _Client], **config: Any) -> _Client:
    """Such a client; what it had opened is closed if it cannot be made, which it leaves to us."""
    opened: list[KafkaNetClient] = []

    def connect(*args: Any, **given: Any) -> KafkaNetClient:
        opened.append(KafkaNetClient(*args, **given))
        return opened[-1]

    try:
        return kind(kafka_client=connect, **config)
    except BaseException:
        for each in opened:
            with suppress(Exception):  # what it could not do is told already
                each.close()
        raise


def _common(address: KafkaAddress) -> dict[str, Any]:
    return {
        "bootstrap_servers": list(address.servers),
        "client_id": "osdlog",
        "bootstrap_timeout_ms": CONNECT_MS,
        "request_timeout_ms": REQUEST_MS,
        "connections_max_idle_ms": IDLE_MS,
        "retry_backoff_ms": BACKOFF_MS,
        "reconnect_backoff_ms": BACKOFF_MS,
        "reconnect_backoff_max_ms": LAST_BACKOFF_MS,
        **address.security,
    }
