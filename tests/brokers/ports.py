"""Ports on loopback for servers that are stopped and started again.

Rule: they lie below the range from which the kernel gives ports to whoever asks
for any, so that nobody takes one while its server is down.
"""

import contextlib
import random
import socket

LOWEST = 20_000
HIGHEST = 32_000
LOOPBACK = "127.0.0.1"


def free_ports(count: int) -> list[int]:
    """As many different ports on which nobody listens."""
    found: set[int] = set()
    # Seeded by the system: two test runs must not try the same ports in turn.
    for port in random.SystemRandom().sample(range(LOWEST, HIGHEST), 1000):
        if _is_free(port):
            found.add(port)
        if len(found) == count:
            return sorted(found)
    raise AssertionError(f"no {count} free ports between {LOWEST} and {HIGHEST}")


def _is_free(port: int) -> bool:
    with contextlib.closing(socket.socket()) as probe:
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
