"""The order in which files are synced, renamed and removed.

The real calls run; they are only written down, as `fsync 3f` or
`rename 3f/2a...3f`, with the last parts of the path.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def calls_during(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What the code inside asked of the operating system, in order."""
    calls: list[str] = []
    with monkeypatch.context() as patched:
        for name in ("fsync", "fdatasync"):
            patched.setattr(os, name, _noting_descriptor(calls, name))
        for name in ("rename", "replace"):
            patched.setattr(os, name, _noting_target(calls, name))
        patched.setattr(os, "unlink", _noting_unlink(calls))
        yield calls


def _short(path: str | Path) -> str:
    path = Path(path)
    return path.name if path.is_dir() else f"{path.parent.name}/{path.name}"


def _noting_descriptor(calls: list[str], name: str):  # type: ignore[no-untyped-def] # noqa: ANN202
    real = getattr(os, name)

    def noting(descriptor: int) -> None:
        calls.append(f"{name} {_short(Path(f'/proc/self/fd/{descriptor}').readlink())}")
        real(descriptor)

    return noting


def _noting_target(calls: list[str], name: str):  # type: ignore[no-untyped-def] # noqa: ANN202
    real = getattr(os, name)

    def noting(source: str | Path, target: str | Path) -> None:
        calls.append(f"rename {_short(target)}")
        real(source, target)

    return noting


def _noting_unlink(calls: list[str]):  # type: ignore[no-untyped-def] # noqa: ANN202
    real = os.unlink

    def noting(path: str | Path) -> None:
        calls.append(f"unlink {_short(path)}")
        real(path)

    return noting
