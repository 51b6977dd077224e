"""Pieces of HTML."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from interfaceflow.report.summary import SummaryTable

_SUBSCRIPTED = re.compile(r"\b([EWD])_(ad|f|a)\b")


def prose(words: str) -> str:
    """Escape plain text, and set the symbols E_f, E_a and W_ad with their subscripts."""
    return _SUBSCRIPTED.sub(r"<i>\1</i><sub>\2</sub>", escape(words))


def section(name: str, title: str, *body: str) -> str:
    """Return a titled section of the page."""
    return f'<section id="{name}"><h2>{escape(title)}</h2>{"".join(body)}</section>'


def missing(words: str) -> str:
    """Return the note that stands where a part is not there yet."""
    return f'<p class="missing">{prose(words)}</p>'


def paragraph(words: str, css: str = "") -> str:
    """Return a paragraph of plain text."""
    return f'<p class="{css}">{prose(words)}</p>' if css else f"<p>{prose(words)}</p>"


def figure(svg: str, caption: str, css: str = "") -> str:
    """Return a figure with its caption (plain text)."""
    return f'<figure class="{css}">{svg}<figcaption>{prose(caption)}</figcaption></figure>'


def beside(*parts: str) -> str:
    """Put parts side by side where the page is wide enough."""
    return '<div class="pair">' + "".join(f"<div>{part}</div>" for part in parts) + "</div>"


def legend(entries: Sequence[tuple[str, str]]) -> str:
    """Return a line of coloured keys, each (style class, words)."""
    keys = "".join(f'<span class="key"><i class="swatch {css}"></i>{words}</span>' for css, words in entries)
    return f'<p class="legend">{keys}</p>'


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[int] = ()) -> str:
    """Return a table; columns in ``numeric`` are aligned to the right."""
    css = ['class="number"' if i in numeric else "" for i in range(len(columns))]
    head = "".join(f"<th {css[i]}>{prose(words)}</th>" for i, words in enumerate(columns))
    body = "".join(
        "<tr>" + "".join(f"<td {css[i]}>{prose(cell)}</td>" for i, cell in enumerate(row)) + "</tr>" for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def summary(data: SummaryTable, numeric: Sequence[int] = ()) -> str:
    """Return a summary table with its notes."""
    notes = "".join(f"<li>{prose(note)}</li>" for note in data.notes)
    return table(data.columns, data.rows, numeric) + (f'<ul class="notes">{notes}</ul>' if notes else "")


def folded(title: str, body: str) -> str:
    """Return something that opens on a click."""
    return f"<details><summary>{prose(title)}</summary>{body}</details>"
