"""How long the demo takes on this Python's standard library, set-up not counted."""

import subprocess
import sys
from time import perf_counter

from benchmarks.table import Row


def run() -> list[Row]:
    """One run, which must pass all its own checks."""
    start = perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "osd.cli", "demo"], capture_output=True, text=True, check=False
    )
    seconds = perf_counter() - start
    last = [line.strip() for line in done.stdout.splitlines() if line.startswith("all ")]
    note = last[0] if last else f"exit {done.returncode}"
    return [Row("osdlog demo, whole", seconds, "s", "< 60", " ".join(note.split()))]
