"""A report as a page: one HTML file that needs nothing else, to be handed over.

Rule: the page says what the text says, in the same order; nothing on it is
said by colour alone, and no name in it can become markup.
"""

from collections.abc import Iterator
from datetime import datetime
from html import escape
from typing import Any

from projections.audit.reports import Report, Table

BEGINS = b"<!doctype html>"
"""The first bytes of every page."""

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem;
  color: #1a1a1a; background: #fff; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; display: block; overflow-x: auto; }
th, td { border-bottom: 1px solid #ccc; padding: .3rem .6rem; text-align: left;
  vertical-align: top; }
th { border-bottom-width: 2px; }
.verdict { border: 2px solid; border-left-width: .6rem; padding: .6rem 1rem; }
.yes { border-color: #1a7f37; } .no { border-color: #b42318; }
@media print { body { margin: 0; max-width: none; } table { display: table; } }
"""


def page(report: Report, cluster: str) -> str:
    """The report as one HTML document."""
    answer = "yes" if report.verdict else "no"
    parts = [
        BEGINS.decode("ascii"),
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width">',
        f"<title>{escape(report.question)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{escape(report.question)}</h1>",
        f'<p class="verdict {answer}"><strong>{answer.upper()}</strong>:',
        f"{escape(report.sentence)}.</p>",
        f"<p>From the log of cluster <code>{escape(cluster)}</code>. Positions are topic,",
        "partition and offset of a record, as <code>osdlog log cat</code> shows them.</p>",
        *(part for table in report.tables for part in _table(table)),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _table(table: Table) -> Iterator[str]:
    yield f"<h2>{escape(table.title)}</h2>"
    if not table.rows:
        yield "<p>None.</p>"
        return
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in table.columns)
    yield f"<table><thead><tr>{heads}</tr></thead><tbody>"
    for row in table.rows:
        yield "<tr>" + "".join(f"<td>{escape(text(value))}</td>" for value in row) + "</tr>"
    yield "</tbody></table>"


def text(value: Any) -> str:
    """A cell in words."""
    match value:
        case None:
            return ""
        case list():
            return ", ".join(map(text, value))
        case datetime():
            return f"{value.isoformat(' ')[:26]}Z"
        case _:
            return str(value)
