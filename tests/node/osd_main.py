"""The process that tests start: an OSD whose configuration is its one argument, in JSON.

Rule: it prints one line when it is ready; the error that stopped it goes to
stderr, and the exit status is 3.
"""

import sys
from pathlib import Path
from typing import Any

import msgspec

from eventlog.errors import OsdlogError
from osd.core.context import Settings
from osd.core.membership import Rebuild
from osd.core.scrubbing import Rhythm
from osd.process import OsdConfig, Ready, run


def _say(ready: Ready) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(ready) + b"\n")
    sys.stdout.buffer.flush()


def main() -> int:
    said: dict[str, Any] = msgspec.json.decode(sys.argv[1])
    said["data"] = Path(said["data"])
    said["settings"] = Settings(**said.get("settings", {}))
    said["rhythm"] = Rhythm(**said.get("rhythm", {}))
    said["rebuild"] = Rebuild("test", "a test") if said.pop("rebuild", False) else None
    try:
        run(OsdConfig(**said), _say)
    except OsdlogError as error:
        sys.stderr.write(f"{error}\n")
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
