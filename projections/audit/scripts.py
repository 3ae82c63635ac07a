"""Scripts: the SQL of the audit, in files beside this module.

Rule: SQL stands in `sql/` and nowhere else, so that it can be read, and run, by itself.
"""

from functools import cache
from pathlib import Path


@cache
def script(name: str) -> str:
    """The text of `sql/<name>.sql`."""
    return (Path(__file__).parent / "sql" / f"{name}.sql").read_text("utf-8")
