"""Processes that die: a script runs in a process of its own and ends by kill -9.

Rule: the operating system keeps what was written, as after any crash of a
process; nothing of the script's own cleaning up runs.
"""

import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
"""Where a script finds the packages, installed or not."""

_TAIL = "\nimport os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n"


def run_and_kill(script: str, *arguments: object) -> str:
    """Run a script to its end, where it is killed; returns what it printed."""
    done = run(script + _TAIL, *arguments)
    assert done.returncode == -signal.SIGKILL, done.stderr
    return done.stdout


def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a script with the given arguments, and wait for its end however it comes."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
