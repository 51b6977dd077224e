"""Simple filters on tables: ``temperature_K>300``, ``label=metal-Li``."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from interfaceflow.core.errors import UserInputError, suggest_name

if TYPE_CHECKING:
    from pandas import DataFrame, Series

_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "!=": operator.ne,
    "==": operator.eq,
    "=": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}
_PATTERN = re.compile(r"\s*([A-Za-z_]\w*)\s*(>=|<=|!=|==|=|>|<)\s*(.*?)\s*")


@dataclass(frozen=True)
class Filter:
    """One condition on one column.

    Attributes
    ----------
    column, comparison, value
        As they stand in the filter's text.
    """

    column: str
    comparison: str
    value: str


def parse_filter(text: str) -> Filter:
    """Read a filter such as ``temperature_K>300``.

    Raises
    ------
    UserInputError
        If it is not a column, a comparison and a value.
    """
    match = _PATTERN.fullmatch(text)
    if match is None or not match[3]:
        raise UserInputError(
            f"filter {text!r}: expected COLUMN, one of {' '.join(_COMPARISONS)}, and a value, "
            "such as 'temperature_K>300' or 'label=metal-Li'"
        )
    return Filter(match[1], match[2], match[3])


def apply_filters(table: DataFrame, filters: Sequence[Filter]) -> DataFrame:
    """Return the rows that pass all filters.

    Raises
    ------
    UserInputError
        If a column does not exist, or a value does not fit it.
    """
    for condition in filters:
        if condition.column not in table.columns:
            raise UserInputError(
                f"filter on {condition.column!r}: no such column."
                f"{suggest_name(condition.column, map(str, table.columns))} "
                f"Columns: {', '.join(map(str, table.columns))}"
            )
        column = table[condition.column]
        table = table[_COMPARISONS[condition.comparison](column, _value_for(column, condition))]
    return table.reset_index(drop=True)


def _value_for(column: Series[Any], condition: Filter) -> str | float | bool:
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    if is_bool_dtype(column):
        truth = {"true": True, "yes": True, "false": False, "no": False}.get(condition.value.casefold())
        if truth is None:
            raise UserInputError(f"filter on {condition.column!r}: {condition.value!r} is neither true nor false")
        return truth
    if is_numeric_dtype(column):
        try:
            return float(condition.value)
        except ValueError:
            raise UserInputError(
                f"filter on {condition.column!r}: {condition.value!r} is not a number "
                "(give it without a unit; the unit is in the column's name)"
            ) from None
    if condition.comparison not in ("=", "==", "!=") and len(column):
        raise UserInputError(f"filter on {condition.column!r}: this column holds text; compare it with = or !=")
    return condition.value
