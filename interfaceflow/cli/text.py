"""Plain tables for terminals and pipes."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pandas import DataFrame


def align(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table with aligned columns."""
    widths = [max(len(row[i]) for row in [headers, *rows]) for i in range(len(headers))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in [headers, *rows]]
    return "\n".join(line.rstrip() for line in lines)


def show_frame(table: DataFrame) -> str:
    """Return a table of results: one row as a list of names and values, more as columns that fit the terminal."""
    if len(table) == 0:
        return "(no results of this kind yet)"
    cells = [[_shown(value) for value in row] for row in table.itertuples(index=False)]
    names = [str(name) for name in table.columns]
    if len(cells) == 1:
        return align(("quantity", "value"), list(zip(names, cells[0], strict=True)))
    n_columns = _columns_that_fit(names, cells, shutil.get_terminal_size((120, 24)).columns)
    text = align(names[:n_columns], [row[:n_columns] for row in cells])
    hidden = names[n_columns:]
    return text + (f"\n(more columns with --json or --csv: {', '.join(hidden)})" if hidden else "")


def _columns_that_fit(names: Sequence[str], cells: Sequence[Sequence[str]], width: int) -> int:
    total = 0
    for i, name in enumerate(names):
        total += max(len(name), *(len(row[i]) for row in cells)) + 2
        if total - 2 > width:
            return max(i, 1)
    return len(names)


def _shown(value: object) -> str:
    if value is None or value != value:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
