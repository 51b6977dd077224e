"""Numbers as text, no more digits than their uncertainty supports."""

from __future__ import annotations

from math import floor, isfinite, log10

from interfaceflow.schemas.transport import DiffusivityEstimate

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
MINUS = "−"


def superscript(exponent: int) -> str:
    """Return an integer as superscript characters."""
    return str(exponent).translate(_SUPERSCRIPTS)


def fixed(value: float, decimals: int) -> str:
    """Return a number with a fixed number of decimals, and a true minus sign."""
    text = f"{value:.{decimals}f}"
    return text.replace("-", MINUS) if float(text) != 0 else text.lstrip("-")


def significant(value: float, digits: int = 3) -> str:
    """Return a number with about so many significant digits, in plain or power-of-ten notation."""
    if value == 0 or not isfinite(value):
        return fixed(value, 0)
    exponent = floor(log10(abs(value)))
    if -3 <= exponent < 5:
        return fixed(value, max(0, digits - 1 - exponent))
    return f"{fixed(value / 10**exponent, digits - 1)} × 10{superscript(exponent)}"


def grade_text(value: float, digits: int = 3) -> str:
    """Return an extrapolation grade, ``none`` where there was none to look at."""
    return "none" if value == 0 else significant(value, digits)


def with_error(value: float, error: float | None) -> str:
    """Return ``value ± error``, rounded to the error's leading digit (two where that is 1); three digits without error.

    Parameters
    ----------
    value, error
        In the same unit.
    """
    if error is None or error <= 0 or not isfinite(error):
        return significant(value)
    exponent = floor(log10(error))
    decimals = max(0, -exponent + (1 if error / 10**exponent < 2 else 0))
    return f"{fixed(value, decimals)} ± {fixed(error, decimals)}"


def diffusivity(estimate: DiffusivityEstimate) -> str:
    """Return a diffusivity as ``value (lower to upper) × 10ⁿ``, or an upper limit as ``< value`` [cm2/s]."""
    value, lower, upper = estimate.tracer_diffusivity_cm2_s, estimate.lower_cm2_s, estimate.upper_cm2_s
    if value is None or lower is None:
        return f"< {power_of_ten(upper)}" if upper > 0 else "none seen"
    exponent = floor(log10(value))
    half_width = (upper - lower) / 2 / 10**exponent
    decimals = min(2, max(1, -floor(log10(half_width)))) if half_width > 0 else 2
    low, middle, high = (fixed(x / 10**exponent, decimals) for x in (lower, value, upper))
    return f"{middle} ({low} to {high}) × 10{superscript(exponent)}"


def power_of_ten(value: float) -> str:
    """Return a positive number as ``4.1 × 10⁻⁸``."""
    exponent = floor(log10(value))
    if round(value / 10**exponent, 1) >= 10:
        exponent += 1
    return f"{fixed(value / 10**exponent, 1)} × 10{superscript(exponent)}"
