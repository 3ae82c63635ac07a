"""Files of a container, which may be down: by the engine, so that nobody's rights matter."""

import io
import tarfile
from pathlib import PurePosixPath

from docker.models.containers import Container


def read_file(container: Container, path: str) -> bytes:
    """The whole file."""
    chunks, _ = container.get_archive(path)
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
        found = archive.extractfile(archive.getmembers()[0])
        assert found is not None, f"{path} is no file"
        return found.read()


def write_file(container: Container, path: str, content: bytes) -> None:
    """In place of the file, which is owned by root."""
    place = PurePosixPath(path)
    member = tarfile.TarInfo(place.name)
    member.size = len(content)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.addfile(member, io.BytesIO(content))
    container.put_archive(str(place.parent), packed.getvalue())
