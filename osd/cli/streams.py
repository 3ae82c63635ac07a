"""Standard streams: there from the beginning, and empty at the end.

Rule: a descriptor that the shell closed is never given to a file or a socket
of ours: it stands for nothing, so that writing data there fails as it should,
and messages are lost. What was said is handed out before the process ends, or
its exit code says that it was not.
"""

import os
import sys

UNREAD, UNWRITTEN = 141, 3
"""Nobody reads on, as the shell says of a process that SIGPIPE ended; no room, or closed."""


def ensure_open() -> None:
    """Before anything else is opened."""
    for descriptor, flags in enumerate((os.O_WRONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, flags)  # the lowest number that is free, which is this one
    sys.stdin = sys.stdin or os.fdopen(0)
    sys.stdout = sys.stdout or os.fdopen(1, "w")
    sys.stderr = sys.stderr or os.fdopen(2, "w")


def handed_out(code: int) -> int:
    """With which code the process ends: with `code` if all that was said on stdout is out."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = UNREAD
    except OSError as error:
        if code != UNWRITTEN:  # else it was said
            from osd.cli.output import complain, unprintable

            complain(unprintable(error))
        code = UNWRITTEN
    else:
        return code
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or Python tries, and complains, once more
    return code
