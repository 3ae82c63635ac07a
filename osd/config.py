"""Which log: how a command or a program finds its cluster.

Rule: what is said on the command line wins over `OSDLOG_LOG`, and that over
the nearest `osdlog.toml`, looked for in the working directory and upwards:

    [osdlog]
    log = "sqlite:osdlog-data/log.sqlite"

    [kafka]                       # for logs on Kafka, see `eventlog.kafka_address`
    security_protocol = "SASL_SSL"
    ssl_cafile = "ca.pem"

A relative path in that file is relative to the file.

What the file says of Kafka, and what is secret in an address, goes into this
process's environment: the processes that it starts have it from there, and no
list of processes shows it.

What else clients agree on without being told stands here too.

What is not here: opening the log (see `eventlog.open`).
"""

import os
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from eventlog.errors import BadName
from eventlog.kafka_address import FILES, OPTIONS, SCHEME, parse_kafka, secrets_in, variable

DEADLINE_S = 30.0
"""How long a client keeps trying, unless it is told otherwise."""

VARIABLE = "OSDLOG_LOG"
FILE = "osdlog.toml"
_FILES = ("sqlite:", "state:")
"""Addresses that begin so are files."""

_HINT = f'Give --log URL, set {VARIABLE}, or write `[osdlog] log = "sqlite:PATH"` in {FILE}.'


def log_url(said: str | None = None, folder: Path | None = None) -> str:
    """The address of the log, without secrets; `BadName` where nobody says one."""
    folder = folder or Path.cwd()
    url = said or os.environ.get(VARIABLE) or _from_file(folder)
    if not url:
        raise BadName("no log is named", _HINT)
    return _kafka_url(url, folder) if url.startswith(SCHEME) else url


def passed_over(url: str) -> str | None:
    """What names another log than this one, which a command of its own log does not look at."""
    folder = Path.cwd()
    if named := os.environ.get(VARIABLE):
        return VARIABLE if _resolved(named, folder) != url else None
    with suppress(BadName):  # it need not name any
        return FILE if _from_file(folder) not in (None, url) else None
    return None


def _kafka_url(url: str, folder: Path) -> str:
    if (file := _nearest(folder)) is not None:
        for option, value in _kafka_options(file):
            os.environ.setdefault(variable(option), value)
    os.environ.update(secrets_in(url))
    return parse_kafka(url).url


def _from_file(folder: Path) -> str | None:
    file = _nearest(folder)
    return None if file is None else _resolved(_named_in(file), file.parent)


def _nearest(folder: Path) -> Path | None:
    files = (parent / FILE for parent in (folder, *folder.parents))
    return next((file for file in files if file.is_file()), None)


def _named_in(file: Path) -> str:
    section = _content(file).get("osdlog")
    named = section.get("log") if isinstance(section, dict) else None
    if not isinstance(named, str) or not named:
        raise BadName(f"{file} names no log", _HINT)
    return named


def _kafka_options(file: Path) -> Iterator[tuple[str, str]]:
    section = _content(file).get("kafka", {})
    if not isinstance(section, dict):
        raise BadName(f"[kafka] in {file} is no table", "Write it as in the documents.")
    for option, value in section.items():
        if option not in OPTIONS or not isinstance(value, str | int):
            raise BadName(
                f"[kafka] in {file} cannot have {option!r}",
                f"It may have {', '.join(sorted(OPTIONS))}.",
            )
        text = str(value).lower() if isinstance(value, bool) else str(value)
        yield option, str(file.parent / text) if option in FILES else text


def _content(file: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BadName(f"{file} cannot be read: {error}", _HINT) from error


def _resolved(url: str, folder: Path) -> str:
    kind, separator, path = url.partition(":")
    is_file = f"{kind}{separator}" in _FILES and path
    return f"{kind}:{folder / path}" if is_file else url
