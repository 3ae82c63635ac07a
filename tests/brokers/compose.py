"""The services of the compose files in docs/, moved to free ports on loopback.

Rule: the tests' brokers are told what those files tell, so that the files are
known to work; changed are only addresses, all of which become this machine's.

What is not here: any other YAML than that of those two files.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from brokers.ports import LOOPBACK, free_ports

DOCS = Path(__file__).parents[2] / "docs"
ONE = DOCS / "kafka-one-broker.yml"
THREE = DOCS / "kafka-three-brokers.yml"

_SERVICE = re.compile(r"^  (kafka[\w-]*):\n    image: .*\n((?:    .*\n)+)", re.MULTILINE)
_VARIABLE = re.compile(r'^      (\w+): "?([^"\n]+)"?$', re.MULTILINE)
_OWN = re.compile(r"(?:0\.0\.0\.0|127\.0\.0\.1|localhost):(\d+)")
_NAMED = re.compile(r"(kafka[\w-]*):(\d+)")


class Service(NamedTuple):
    """One broker: its variables, and where clients find it."""

    environment: Mapping[str, str]
    port: int


def services(file: Path) -> list[Service]:
    """Those of a compose file, in its order, each time on other ports."""
    told = {
        name: dict(_VARIABLE.findall(rest)) for name, rest in _SERVICE.findall(file.read_text())
    }
    places: dict[tuple[str, str], int] = {}
    for name, environment in told.items():
        for value in environment.values():
            places |= {(name, port): 0 for port in _OWN.findall(value)}
            places |= dict.fromkeys(_NAMED.findall(value), 0)
    moved = dict(zip(sorted(places), free_ports(len(places)), strict=True))
    return [_service(name, environment, moved) for name, environment in told.items()]


def _service(
    name: str, environment: Mapping[str, str], moved: Mapping[tuple[str, str], int]
) -> Service:
    def here(value: str) -> str:
        value = _OWN.sub(lambda found: f"{LOOPBACK}:{moved[name, found[1]]}", value)
        return _NAMED.sub(lambda found: f"{LOOPBACK}:{moved[found[1], found[2]]}", value)

    advertised = _OWN.findall(environment["KAFKA_ADVERTISED_LISTENERS"])
    changed = {key: here(value) for key, value in environment.items()}
    return Service(changed, moved[name, advertised[0]])
