"""Where a log on Kafka is, and how its brokers are spoken to.

Rule: `kafka://HOST:PORT[,HOST:PORT]/CLUSTER[?OPTION=VALUE&...]`. An option that
the address does not give is looked for in the environment, as OSDLOG_KAFKA_ and
its name in capitals. A secret is taken from either, and never given back: no
address, error or `repr` that this module makes has one.

What is not here: what the client does with them (`eventlog.kafka.clients`),
and the configuration file (`osd.config`, which fills the environment).
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

from eventlog.errors import BadName

SCHEME = "kafka://"
VARIABLES = "OSDLOG_KAFKA_"
HIDDEN = "***"

SECRETS = frozenset({"sasl_plain_password", "ssl_password"})
NUMBERS = frozenset({"replication_factor", "min_insync_replicas"})
"""Of the topics that `create` makes; the client never sees them."""
SWITCHES = frozenset({"ssl_check_hostname"})
FILES = frozenset({"ssl_cafile", "ssl_certfile", "ssl_crlfile", "ssl_keyfile"})
TEXTS = frozenset(
    {
        "sasl_kerberos_domain_name",
        "sasl_kerberos_service_name",
        "sasl_mechanism",
        "sasl_plain_username",
        "security_protocol",
        "ssl_ciphers",
    }
)
OPTIONS = SECRETS | NUMBERS | SWITCHES | FILES | TEXTS
"""All but the numbers mean what kafka-python says of its options of the same name."""

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")

_HINT = "Write kafka://HOST:PORT[,HOST:PORT]/CLUSTER, as in kafka://localhost:9092/main."
_SERVER = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9][A-Za-z0-9._-]*):([0-9]{1,5})")
_CLUSTER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaAddress:
    """A cluster of brokers, and the name of a log on it."""

    servers: tuple[str, ...]
    """`host:port`, of some brokers; they name the others."""
    cluster: str
    """What the names of the log's topics begin with."""
    security: Mapping[str, Any] = field(repr=False)
    """The client's TLS and SASL options, secrets among them."""
    replication_factor: int | None = None
    min_insync_replicas: int | None = None
    url: str = ""
    """The address without its secrets."""

    @property
    def brokers(self) -> str:
        """For messages."""
        return ", ".join(self.servers)


def parse_kafka(url: str, environment: Mapping[str, str] | None = None) -> KafkaAddress:
    """The address in a URL, with what the environment adds; `BadName` if it cannot be one."""
    place, _, query = url.removeprefix(SCHEME).partition("?")
    if not url.startswith(SCHEME) or "#" in place:
        raise BadName(f"{without_secrets(url)!r} is not the address of a log on Kafka", _HINT)
    servers, _, cluster = place.partition("/")
    if "@" in servers:
        raise BadName(
            "an address of Kafka names no user",
            f"Set {VARIABLES}SASL_PLAIN_USERNAME and {VARIABLES}SASL_PLAIN_PASSWORD instead.",
        )
    if not _CLUSTER.fullmatch(cluster):
        raise BadName(f"{cluster!r} cannot be the name of a log on Kafka", _HINT)
    given = _in_query(query)
    options = _in_environment(os.environ if environment is None else environment) | given
    open_ones = {name: value for name, value in given.items() if name not in SECRETS}
    checked = {name: _checked(name, value) for name, value in sorted(options.items())}
    _require_protocol(checked)
    return KafkaAddress(
        servers=tuple(_server(server) for server in servers.split(",")),
        cluster=cluster,
        security={name: value for name, value in checked.items() if name not in NUMBERS},
        replication_factor=checked.get("replication_factor"),
        min_insync_replicas=checked.get("min_insync_replicas"),
        url=SCHEME + place + (f"?{urlencode(open_ones)}" if open_ones else ""),
    )


def without_secrets(url: str) -> str:
    """The same address, fit to be shown; what is no address is cut before anything secret."""
    place, mark, query = url.partition("?")
    head, at, host = place.rpartition("@")
    place = f"{SCHEME}{HIDDEN}@{host}" if at and head else place
    if not mark:
        return place
    shown = [
        (name, value if name in OPTIONS - SECRETS else HIDDEN)
        for name, value in parse_qsl(query, keep_blank_values=True)
    ]
    return f"{place}?{urlencode(shown, safe='*/')}"


def secrets_in(url: str) -> Mapping[str, str]:
    """The variables that say what is secret in an address."""
    given = dict(parse_qsl(url.partition("?")[2], keep_blank_values=True))
    return {variable(name): given[name] for name in sorted(SECRETS & given.keys())}


def variable(option: str) -> str:
    """The environment's name of an option."""
    return VARIABLES + option.upper()


def _in_query(query: str) -> dict[str, str]:
    given: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in OPTIONS:
            raise BadName(f"{name!r} is not an option of Kafka", f"There are {_names()}.")
        given[name] = value
    return given


def _in_environment(environment: Mapping[str, str]) -> dict[str, str]:
    found = {name: environment.get(variable(name)) for name in OPTIONS}
    return {name: value for name, value in found.items() if value is not None}


def _require_protocol(options: Mapping[str, Any]) -> None:
    """Raise `BadName` where an option means nothing, since the protocol has no such part."""
    protocol = options.get("security_protocol", "PLAINTEXT")
    if protocol not in PROTOCOLS:
        raise BadName(
            f"security_protocol cannot be {protocol!r}", f"There are {', '.join(PROTOCOLS)}."
        )
    for name in sorted(options):
        part = name.partition("_")[0].upper()
        if part in ("SSL", "SASL") and part not in protocol.split("_"):
            fit = " or ".join(each for each in PROTOCOLS if part in each.split("_"))
            raise BadName(
                f"{name} means nothing with security_protocol={protocol}: nothing would be "
                f"{'encrypted' if part == 'SSL' else 'asked for'}",
                f"Say security_protocol={fit} too, or leave {name} out.",
            )


def _checked(name: str, value: str) -> Any:
    if name in NUMBERS:
        if not re.fullmatch(r"[1-9][0-9]{0,3}", value):
            raise BadName(f"{name} cannot be {value!r}", "Give a number, 1 or more.")
        return int(value)
    if name in SWITCHES:
        if value.lower() not in _BOOLEANS:
            raise BadName(f"{name} cannot be {value!r}", "Give true or false.")
        return _BOOLEANS[value.lower()]
    return value


def _server(text: str) -> str:
    match = _SERVER.fullmatch(text)
    if match is None or not 0 < int(match[2]) < 65_536:
        raise BadName(f"{text!r} is not a broker of Kafka", _HINT)
    return text


def _names() -> str:
    return ", ".join(sorted(OPTIONS))
