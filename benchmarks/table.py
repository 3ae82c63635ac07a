"""The benchmarks' table: what was measured, on what, against what was asked.

Rule: a figure stands beside the machine, the date and the target; nothing here
judges, and no test asserts a time.
"""

import os
import platform
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from rich.console import Console
from rich.table import Table


class Row(NamedTuple):
    """One figure. `target` and `note` are empty where there is nothing to say."""

    name: str
    value: float
    unit: str
    target: str = ""
    note: str = ""


def show(title: str, rows: Iterable[Row]) -> None:
    """Print one benchmark's figures."""
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("figure")
    table.add_column("median", justify="right")
    table.add_column("unit")
    table.add_column("asked")
    table.add_column("note")
    for row in rows:
        table.add_row(row.name, _number(row.value), row.unit, row.target, row.note)
    Console(width=130).print(table)


def machine() -> str:
    """The machine and the date, in one line."""
    cpu = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            names = [line.split(":", 1)[1].strip() for line in lines if "model name" in line]
            cpu = names[0] if names else cpu
    except OSError:
        pass
    load = os.getloadavg()[0]
    date = datetime.now(UTC).date().isoformat()
    return f"{date}, {os.cpu_count()} x {cpu}, Python {platform.python_version()}, load {load:.1f}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
