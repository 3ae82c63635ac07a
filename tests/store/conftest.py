"""A real file system that can be filled: a small tmpfs, mounted for one test."""

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

SMALL_DISK_BYTES = 48 * 1024 * 1024


class SmallDisk:
    """A mounted file system of 48 MiB, and the file of somebody else who fills it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._filler = path / "somebody-elses"

    @property
    def free(self) -> int:
        found = os.statvfs(self.path)
        return found.f_bavail * found.f_frsize

    def fill(self, leave: int = 0) -> None:
        """Somebody else writes until about `leave` bytes are free."""
        with self._filler.open("ab", buffering=0) as file:
            while not self._filled(file.fileno(), leave):
                continue

    def _filled(self, file: int, leave: int) -> bool:
        """False where others took some of what was free meanwhile."""
        try:
            os.posix_fallocate(file, 0, os.fstat(file).st_size + self.free - leave)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            return False
        return True

    def make_room(self) -> None:
        """Somebody else removes it all."""
        self._filler.unlink()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    if os.geteuid() != 0:
        pytest.skip("filling a disk needs one that may be filled: run as root to mount a tmpfs")
    mount = tmp_path / "small-disk"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK_BYTES}", "osdlog-test", str(mount)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.fail(
            f"cannot mount a tmpfs ({mounted.stderr.strip()}): this test fills a disk of its own "
            "and needs CAP_SYS_ADMIN; in a container, start it with --cap-add SYS_ADMIN"
        )
    try:
        yield SmallDisk(mount)
    finally:
        subprocess.run(["umount", "--lazy", str(mount)], check=True)
