"""Time spans in words."""

from __future__ import annotations


def format_duration(seconds: float) -> str:
    """Write a time span as people say it.

    Parameters
    ----------
    seconds
        The time span, s.

    Examples
    --------
    >>> format_duration(7.4), format_duration(200), format_duration(8000)
    ('7.4 s', '3 min 20 s', '2 h 13 min')
    """
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    total = round(seconds)
    if total < 60:
        return f"{total} s"
    if total < 3600:
        return f"{total // 60} min {total % 60} s"
    return f"{total // 3600} h {total % 3600 // 60} min"
