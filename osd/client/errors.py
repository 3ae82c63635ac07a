"""Errors that only clients meet; see `osd.errors` for the tree they stand in.

Rule: an error's first sentence is the OSD's own wherever one spoke.

    Refused
    ├── NotThere           there is no such object, OSD or moment
    └── ConditionFailed    If-Match or If-None-Match said no
"""

from osd.errors import Refused


class NotThere(Refused):
    """There is no object, OSD, RG, moment or record by that name."""


class ConditionFailed(Refused):
    """The object is not in the state that the request asked for."""
