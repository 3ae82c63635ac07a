"""Telling: how the demo looks, on a terminal and in a file.

Rule: what is shown is data and goes to stdout; only bars go to stderr. A
check that fails is said where it failed, and the story ends as failed.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

WIDTH = 100
"""Columns where there is no terminal."""


class Step:
    """One step of the story; `did` is its line in the table at the end."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.did = ""
        self.seconds = 0.0


class Telling:
    """Prints the story, and remembers how it went."""

    def __init__(self) -> None:
        width = None if sys.stdout.isatty() else WIDTH
        self._console = Console(width=width, highlight=False, markup=False, emoji=False)
        self.steps: list[Step] = []
        self.failures: list[str] = []

    @property
    def is_well(self) -> bool:
        """Whether every check so far was passed."""
        return not self.failures

    def title(self, text: str, below: str) -> None:
        """The head of the story."""
        self._console.print(Text(text, style="bold"))
        self._console.print(Text(below, style="dim"), soft_wrap=True)

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """A step, timed from its head to its end."""
        step = Step(title)
        self._console.print()
        self._console.print(
            Rule(Text(f"{len(self.steps) + 1}. {title}", style="bold"), align="left", style="dim")
        )
        self.steps.append(step)
        began = time.monotonic()
        try:
            yield step
        finally:
            step.seconds = time.monotonic() - began

    def line(self, text: str, style: str = "") -> None:
        """Something that is so."""
        self._console.print(Text(f"   {text}", style=style))

    def check(self, passed: bool, text: str) -> None:
        """Something that must be so."""
        if not passed:
            self.failures.append(text)
        word, style = ("ok", "green") if passed else ("FAILED", "bold red")
        self._console.print(Text.assemble(("   " + word, style), "  " + text))

    def table(self, heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
        """Some rows, indented as lines are."""
        drawn = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
        for head in ("  ", *heads):
            drawn.add_column(head, overflow="fold")
        for row in rows:
            drawn.add_row("  ", *map(Text, row))
        self._console.print(drawn)

    def end(self, below: str) -> None:
        """What was done and how long it took."""
        self._console.print()
        drawn = Table(title="", box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
        drawn.add_column("step", no_wrap=True)
        drawn.add_column("what", overflow="fold")
        drawn.add_column("seconds", justify="right")
        for step in self.steps:
            drawn.add_row(Text(step.title), Text(step.did), f"{step.seconds:.1f}")
        total = sum(step.seconds for step in self.steps)
        drawn.add_row(Text("all", style="bold"), Text(self._verdict), f"{total:.1f}")
        self._console.print(drawn)
        self._console.print()
        self._console.print(Text(below), soft_wrap=True)

    @property
    def _verdict(self) -> str:
        if self.is_well:
            return "every check was passed"
        return f"FAILED: {'; '.join(self.failures)}"
