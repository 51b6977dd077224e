"""Small charts as inline SVG: axes, lines, points, error bars. Colours come from the page's style sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from math import ceil, floor, log10

from interfaceflow.report.numbers import fixed, superscript

LEFT, RIGHT, TOP, BOTTOM = 70.0, 14.0, 16.0, 46.0


@dataclass(frozen=True)
class Axis:
    """One axis of a chart.

    Attributes
    ----------
    label
        Quantity and unit.
    low, high
        Ends.
    log
        Whether it is logarithmic; both ends are positive then.
    marks
        Positions and texts of the ticks, instead of round numbers.
    """

    label: str
    low: float
    high: float
    log: bool = False
    marks: tuple[tuple[float, str], ...] | None = None

    @classmethod
    def around(cls, label: str, values: Sequence[float], *, log: bool = False, include: Sequence[float] = ()) -> Axis:
        """Make an axis that holds all values, with some room; a logarithmic one passes over 0 and less."""
        found = [float(v) for v in (*values, *include) if not log or v > 0] or [1.0]
        low, high = min(found), max(found)
        if log:
            room = max(0.08 * log10(high / low), 0.12)
            return cls(label, low / 10**room, high * 10**room, log=True)
        room = 0.06 * (high - low) or 0.5 * abs(high) or 1.0
        return cls(label, low - room, high + room)

    def share(self, value: float) -> float:
        """Return where a value lies between the ends, from 0 to 1."""
        if self.log:
            return (log10(max(value, 1e-300)) - log10(self.low)) / (log10(self.high) - log10(self.low))
        return (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[tuple[float, str]]:
        """Return round values between the ends, with their texts."""
        if self.marks is not None:
            return [mark for mark in self.marks if self.low <= mark[0] <= self.high]
        return self._log_ticks() if self.log else self._linear_ticks()

    def _linear_ticks(self) -> list[tuple[float, str]]:
        raw = (self.high - self.low) / 5
        power = 10.0 ** floor(log10(raw))
        step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw)
        decimals = max(0, -floor(log10(step))) + (1 if round(step / power, 6) == 2.5 and power <= 1 else 0)
        first, last = ceil(self.low / step - 1e-9), floor(self.high / step + 1e-9)
        return [(i * step, fixed(i * step, decimals)) for i in range(first, last + 1)]

    def _log_ticks(self) -> list[tuple[float, str]]:
        first, last = floor(log10(self.low)), ceil(log10(self.high))
        decades = log10(self.high / self.low)
        factors = (1, 2, 5) if decades < 2.2 else (1, 3) if decades < 3.2 else (1,)
        every = max(1, round(decades / 6))
        found = []
        for exponent in range(first, last + 1):
            for factor in factors:
                value = factor * 10.0**exponent
                if self.low <= value <= self.high and (exponent % every == 0 or every == 1):
                    found.append((value, self._log_text(factor, exponent)))
        return found

    @staticmethod
    def _log_text(factor: int, exponent: int) -> str:
        if -2 <= exponent <= 3:
            return fixed(factor * 10.0**exponent, max(0, -exponent))
        return f"10{superscript(exponent)}" if factor == 1 else f"{factor}×10{superscript(exponent)}"


def text_at(x: float, y: float, words: str, css: str, anchor: str = "middle") -> str:
    """Return a ``<text>`` element at a place in SVG units."""
    return f'<text class="{css}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


@dataclass
class Chart:
    """A chart under construction: add marks, then :meth:`render`.

    Attributes
    ----------
    x, y
        Axes.
    width, height
        Size in SVG units; the page scales it.
    title
        Printed above the frame, and read by screen readers.
    """

    x: Axis
    y: Axis
    width: float = 460.0
    height: float = 320.0
    title: str = ""
    _marks: list[str] = field(default_factory=list)

    @property
    def _top(self) -> float:
        return TOP + (18.0 if self.title else 0.0)

    def px(self, value: float) -> float:
        """Return the horizontal position of a value."""
        return LEFT + self.x.share(value) * (self.width - LEFT - RIGHT)

    def py(self, value: float) -> float:
        """Return the vertical position of a value."""
        return self.height - BOTTOM - self.y.share(value) * (self.height - BOTTOM - self._top)

    def line(self, xs: Sequence[float], ys: Sequence[float], css: str) -> None:
        """Draw a line through points; on a logarithmic axis points of 0 and less are left out."""
        points = [
            f"{self.px(x):.1f},{self.py(y):.1f}"
            for x, y in zip(xs, ys, strict=True)
            if (x > 0 or not self.x.log) and (y > 0 or not self.y.log)
        ]
        if points:
            self._marks.append(f'<polyline class="line {css}" points="{" ".join(points)}"/>')

    def cloud(self, xs: Sequence[float], ys: Sequence[float], css: str) -> None:
        """Draw many small dots as one path."""
        path = "".join(f"M{self.px(x):.1f} {self.py(y):.1f}h0" for x, y in zip(xs, ys, strict=True))
        if path:
            self._marks.append(f'<path class="cloud {css}" d="{path}"/>')

    def point(self, x: float, y: float, css: str, tip: str = "") -> None:
        """Draw one marker with a tooltip."""
        title = f"<title>{escape(tip)}</title>" if tip else ""
        self._marks.append(
            f'<circle class="dot {css}" cx="{self.px(x):.1f}" cy="{self.py(y):.1f}" r="4.2">{title}</circle>'
        )

    def error_bar(self, x: float, low: float, high: float, css: str) -> None:
        """Draw a vertical error bar with caps."""
        at, bottom, top = self.px(x), self.py(low), self.py(high)
        caps = "".join(f"M{at - 4:.1f} {end:.1f}h8" for end in (bottom, top))
        self._marks.append(f'<path class="bar {css}" d="M{at:.1f} {bottom:.1f}V{top:.1f}{caps}"/>')

    def limit(self, x: float, y: float, css: str, tip: str = "") -> None:
        """Draw an upper limit: a cap with an arrow that points down."""
        at, top = self.px(x), self.py(y)
        title = f"<title>{escape(tip)}</title>" if tip else ""
        shape = f"M{at - 6:.1f} {top:.1f}h12M{at:.1f} {top:.1f}v20m-4 -6l4 6l4 -6"
        self._marks.append(f'<path class="bar {css}" d="{shape}">{title}</path>')

    def column(self, x: float, height: float, css: str, half_width: float, tip: str = "") -> None:
        """Draw a bar that stands on the lower end of the y axis."""
        left, right, top, base = self.px(x - half_width), self.px(x + half_width), self.py(height), self.py(self.y.low)
        title = f"<title>{escape(tip)}</title>" if tip else ""
        self._marks.append(
            f'<rect class="column {css}" x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" '
            f'height="{max(base - top, 0):.1f}" rx="2">{title}</rect>'
        )

    def level(self, y: float, css: str, label: str = "") -> None:
        """Draw a horizontal line over the whole width, with a label at its right end."""
        at = self.py(y)
        self._marks.append(
            f'<line class="level {css}" x1="{LEFT}" x2="{self.width - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>'
        )
        if label:
            self._marks.append(text_at(self.width - RIGHT - 4, at - 5, label, f"note {css}", "end"))

    def span(self, low: float, high: float, css: str) -> None:
        """Shade the part of the x axis between two values."""
        left, right = self.px(low), self.px(high)
        self._marks.append(
            f'<rect class="span {css}" x="{left:.1f}" y="{self._top:.1f}" width="{right - left:.1f}" '
            f'height="{self.height - BOTTOM - self._top:.1f}"/>'
        )

    def text(self, x: float, y: float, words: str, css: str = "", anchor: str = "middle") -> None:
        """Write a note at a position."""
        self._marks.append(text_at(self.px(x), self.py(y), words, f"note {css}", anchor))

    def render(self) -> str:
        """Return the chart as one ``<svg>`` element."""
        left, right, top, bottom = LEFT, self.width - RIGHT, self._top, self.height - BOTTOM
        name = escape(self.title or self.y.label)
        parts = [f'<svg class="chart" viewBox="0 0 {self.width:g} {self.height:g}" role="img" aria-label="{name}">']
        for value, words in self.x.ticks():
            at = self.px(value)
            parts.append(f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{top}" y2="{bottom}"/>')
            parts.append(text_at(at, bottom + 16, words, "tick"))
        for value, words in self.y.ticks():
            at = self.py(value)
            parts.append(f'<line class="grid" x1="{left}" x2="{right}" y1="{at:.1f}" y2="{at:.1f}"/>')
            parts.append(text_at(left - 7, at + 4, words, "tick", "end"))
        frame = f'x="{left}" y="{top - 6}" width="{right - left}" height="{bottom - top + 12}"'
        parts.append(f'<clipPath id="{self._clip}"><rect {frame}/></clipPath>')
        parts.append(f'<g clip-path="url(#{self._clip})">{"".join(self._marks)}</g>')
        parts.append(f'<path class="axis" d="M{left} {top}V{bottom}H{right}"/>')
        parts.append(text_at((left + right) / 2, self.height - 8, self.x.label, "label"))
        turned = text_at(0, 0, self.y.label, "label")
        parts.append(f'<g transform="translate(14 {(top + bottom) / 2:.1f}) rotate(-90)">{turned}</g>')
        if self.title:
            parts.append(text_at(left, TOP + 4, self.title, "heading", "start"))
        return "".join(parts) + "</svg>"

    @property
    def _clip(self) -> str:
        return f"clip-{self.width:g}-{self.height:g}-{bool(self.title):d}"
