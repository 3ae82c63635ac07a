"""Another process that uses a log, as `python other_process.py say|hear URL NAME COUNT`.

`say` appends COUNT records, each to partition 0 and to its own, NAME, and
prints each acknowledged number. `hear` follows partition 0 and prints its
values until there were COUNT. Both print `ready` and wait for a line first.
"""

import sys

from eventlog.ids import Offset, Partition, Topic
from eventlog.log import Entry, Log
from eventlog.open import open_log


def main(what: str, url: str, name: int, count: int) -> None:
    with open_log(url) as log:
        if what == "say":
            _meet()
            _say(log, name, count)
        else:
            _hear(log, count)


def _meet() -> None:
    print("ready", flush=True)  # noqa: T201
    sys.stdin.readline()


def _say(log: Log, name: int, count: int) -> None:
    for number in range(count):
        value = b"%d:%d" % (name, number)
        log.append(
            [
                Entry(Topic.RG, Partition(0), b"\0\0\0\0", value),
                Entry(Topic.RG, Partition(name), b"\0\0\0\1", value),
            ]
        )
        print(number, flush=True)  # noqa: T201


def _hear(log: Log, count: int) -> None:
    tail = log.tail()
    tail.follow(Topic.RG, Partition(0), Offset(0))
    assert tail.poll(0) == []
    _meet()
    heard = 0
    while heard < count:
        for record in tail.poll(60_000):
            print(record.value.decode(), flush=True)  # noqa: T201
            heard += 1


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
