"""Progress bars, on stderr and only on a terminal.

Rule: a bar says nothing that the last line does not say too.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from osd.cli.output import console


class Bar:
    """Counts files; the bytes beside."""

    def __init__(self, progress: Progress, what: str, files: int, size: int) -> None:
        self._progress = progress
        self._files = progress.add_task(what, total=files, size=0, all=size)

    def step(self, size: int, files: int = 1) -> None:
        """One more file is dealt with, or several."""
        self._progress.advance(self._files, files)
        task = self._progress.tasks[self._files]
        self._progress.update(self._files, size=task.fields["size"] + size)


@contextmanager
def bar(what: str, files: int, size: int) -> Iterator[Bar]:
    """A bar for as long as the work takes."""
    in_bytes = [TextColumn("{task.fields[size]:,} of {task.fields[all]:,} bytes")] if size else []
    with _progress(*in_bytes) as progress:
        yield Bar(progress, what, files, size)


@contextmanager
def counter(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar that is told how many are done, and how many there are."""
    with _progress() as progress:
        task = progress.add_task(what, total=None)

        def tell(done: int, count: int) -> None:
            progress.update(task, completed=done, total=count)

        yield tell


@contextmanager
def rated_counter(what: str, noun: str) -> Iterator[Callable[[int, int], None]]:
    """The same, with how many a second beside."""
    with _progress(_Rate(noun)) as progress:
        task = progress.add_task(what, total=None)

        def tell(done: int, count: int) -> None:
            progress.update(task, completed=done, total=count)

        yield tell


class _Rate(ProgressColumn):
    """`480,000 events/s`, over the last half minute."""

    def __init__(self, noun: str) -> None:
        super().__init__()
        self._noun = noun

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f} {self._noun}/s" if task.speed else "")


def _progress(*columns: ProgressColumn) -> Progress:
    """On stderr, gone at the end, and nothing at all where that is no terminal."""
    stderr = console(is_stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        *columns,
        TimeRemainingColumn(),
        console=stderr,
        transient=True,
        disable=not stderr.is_terminal,
    )
