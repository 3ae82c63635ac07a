"""`python -m brokers`: make this machine ready for the tests on Kafka, telling each step."""

import fcntl
import sys
import tempfile
from pathlib import Path

from brokers.engine import NoBroker, ready_engine
from brokers.image import ready_image

# Two test runs that begin at once must not both install, start and make.
LOCK = Path(tempfile.gettempdir(), "osdlog-brokers.lock")


def main() -> int:
    """0 when brokers can be started; 1, with what to do, when they cannot."""
    with LOCK.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            ready_image(ready_engine(_say), _say)
        except NoBroker as error:
            _say(str(error))
            return 1
    return 0


def _say(line: str) -> None:
    sys.stderr.write(f"Kafka for the tests: {line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
