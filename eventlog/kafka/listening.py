"""Listening: being told that a fetch of a consumer was answered.

Rule: the client's own wait cannot be ended from outside, and waiting in short
slices costs more than all the fetching. So nobody waits in the client: its
thread calls us when an answer is there, and only then is it asked for records.
That is one attribute of its fetcher, and another says how long brokers hold a
fetch that finds nothing. A client that has no such attributes is asked again
after each short while: slower, the same.

What is not here: what came, and what is done with it (`eventlog.kafka.tail`).
"""

from collections.abc import Callable
from typing import Any

from kafka import KafkaConsumer

_HELD = "fetch_max_wait_ms"


class Listener:
    """Listens to the fetches of one consumer. One thread uses it; `tell` is called in another."""

    def __init__(self, consumer: KafkaConsumer, tell: Callable[[], None]) -> None:
        self._fetcher: Any = getattr(consumer, "_fetcher", None)
        self._tell = tell
        self._under_way: list[Any] = []

    def hears(self) -> bool:
        """Whether something is under way, and nothing of it is answered yet."""
        done = [future.is_done for future in self._under_way]
        return bool(done) and not any(done)

    def listen(self) -> None:
        """Hear of all that is under way now; what is answered already is told at once."""
        futures = list(getattr(self._fetcher, "_fetch_futures", ()))
        for future in futures:
            if future not in self._under_way:
                future.add_both(self._answered)
        self._under_way = futures

    def hold(self, wait_ms: int) -> None:
        """Let brokers hold so long a fetch that is sent from now on and finds nothing."""
        config = getattr(self._fetcher, "config", {})
        if _HELD in config:
            config[_HELD] = wait_ms

    def _answered(self, _answer: object) -> None:
        self._tell()
