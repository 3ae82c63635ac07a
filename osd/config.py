"""Which log: how a command or a program finds its cluster.

Rule: what is said on the command line wins over `OSDLOG_LOG`, and that over
the nearest `osdlog.toml`, looked for in the working directory and upwards:

    [osdlog]
    log = "sqlite:osdlog-data/log.sqlite"

A relative path in that file is relative to the file.

What else clients agree on without being told stands here too.

What is not here: opening the log (see `eventlog.open`).
"""

import os
import tomllib
from pathlib import Path
from typing import Any

from eventlog.errors import BadName

DEADLINE_S = 30.0
"""How long a client keeps trying, unless it is told otherwise."""

VARIABLE = "OSDLOG_LOG"
FILE = "osdlog.toml"
_SQLITE = "sqlite:"

_HINT = f'Give --log URL, set {VARIABLE}, or write `[osdlog] log = "sqlite:PATH"` in {FILE}.'


def log_url(said: str | None = None, folder: Path | None = None) -> str:
    """The address of the log; `BadName` where nobody says one."""
    url = said or os.environ.get(VARIABLE) or _from_file(folder or Path.cwd())
    if not url:
        raise BadName("no log is named", _HINT)
    return url


def _from_file(folder: Path) -> str | None:
    for parent in (folder, *folder.parents):
        if (file := parent / FILE).is_file():
            return _resolved(_named_in(file), file.parent)
    return None


def _named_in(file: Path) -> str:
    try:
        content: dict[str, Any] = tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BadName(f"{file} cannot be read: {error}", _HINT) from error
    section = content.get("osdlog")
    named = section.get("log") if isinstance(section, dict) else None
    if not isinstance(named, str) or not named:
        raise BadName(f"{file} names no log", _HINT)
    return named


def _resolved(url: str, folder: Path) -> str:
    path = url.removeprefix(_SQLITE)
    return url if path == url or not path else f"{_SQLITE}{folder / path}"
