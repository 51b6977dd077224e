"""Pieces of HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from interfaceflow.report.summary import SummaryTable


def section(name: str, title: str, *body: str) -> str:
    """Return a titled section of the page."""
    return f'<section id="{name}"><h2>{escape(title)}</h2>{"".join(body)}</section>'


def missing(words: str) -> str:
    """Return the note that stands where a part is not there yet."""
    return f'<p class="missing">{escape(words)}</p>'


def paragraph(words: str, css: str = "") -> str:
    """Return a paragraph of plain text."""
    return f'<p class="{css}">{escape(words)}</p>' if css else f"<p>{escape(words)}</p>"


def figure(svg: str, caption: str, css: str = "") -> str:
    """Return a figure with its caption (plain text)."""
    return f'<figure class="{css}">{svg}<figcaption>{escape(caption)}</figcaption></figure>'


def legend(entries: Sequence[tuple[str, str]]) -> str:
    """Return a line of coloured keys, each (style class, words)."""
    keys = "".join(f'<span class="key"><i class="swatch {css}"></i>{words}</span>' for css, words in entries)
    return f'<p class="legend">{keys}</p>'


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[int] = ()) -> str:
    """Return a table; columns in ``numeric`` are aligned to the right."""
    css = ['class="number"' if i in numeric else "" for i in range(len(columns))]
    head = "".join(f"<th {css[i]}>{escape(words)}</th>" for i, words in enumerate(columns))
    body = "".join(
        "<tr>" + "".join(f"<td {css[i]}>{escape(cell)}</td>" for i, cell in enumerate(row)) + "</tr>" for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def summary(data: SummaryTable, numeric: Sequence[int] = ()) -> str:
    """Return a summary table with its notes."""
    notes = "".join(f"<li>{escape(note)}</li>" for note in data.notes)
    return table(data.columns, data.rows, numeric) + (f'<ul class="notes">{notes}</ul>' if notes else "")


def folded(title: str, body: str) -> str:
    """Return something that opens on a click."""
    return f"<details><summary>{escape(title)}</summary>{body}</details>"
