"""A machine without an engine: who runs the tests hears what to do, and no test is skipped."""

import os
import subprocess
import sys
from pathlib import Path

from cli.programs import ROOT

NOWHERE = "unix:///nowhere/docker.sock"
WORDS = f"and the one named by DOCKER_HOST, {NOWHERE}, does not answer"


def without_engine(*arguments: str) -> "subprocess.CompletedProcess[str]":
    path = f"{ROOT}{os.pathsep}{Path(__file__).parents[1]}"
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        env={**os.environ, "DOCKER_HOST": NOWHERE, "PYTHONPATH": path},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_getting_ready_says_what_to_do() -> None:
    done = without_engine("brokers")
    assert done.returncode == 1
    assert WORDS in done.stderr
    assert "Start one that you may use (`docker version` must show a server)" in done.stderr


def test_a_test_fails_with_these_words() -> None:
    done = without_engine("pytest", "-q", "tests/brokers/test_brokers.py", "-k", "password")
    assert done.returncode == 1
    assert WORDS in done.stdout
    assert "skipped" not in done.stdout
