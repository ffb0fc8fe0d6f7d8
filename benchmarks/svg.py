"""Line charts as SVG, written by hand: panels side by side, with axes, lines, areas and labels."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

BLUE, RED, GREY, GREEN = "#0072B2", "#D55E00", "#767676", "#009E73"
WIDTH, HEIGHT = 380, 270
LEFT, RIGHT, TOP, BOTTOM = 52, 24, 34, 44

Points = Sequence[tuple[float, float]]


def identity(x: float) -> float:
    return x


@dataclass
class Panel:
    """One chart. Ranges are (low, high); what lies outside is cut off."""

    title: str
    x_label: str
    y_label: str
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    x_ticks: Sequence[float]
    y_ticks: Sequence[float]
    x_format: Callable[[float], str] = "{:,g}".format
    y_format: Callable[[float], str] = "{:g}".format
    log_x: bool = False
    parts: list[str] = field(default_factory=list)

    def line(
        self, points: Points, colour: str, *, width: float = 1.8, dash: str = "", fade: float = 1.0
    ) -> None:
        """A polyline."""
        path = " ".join(f"{self._x(x):.1f},{self._y(y):.1f}" for x, y in points)
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}" '
            f'stroke-opacity="{fade:g}" stroke-linejoin="round"{dashes}/>'
        )

    def area(self, points: Points, colour: str, fade: float = 0.18) -> None:
        """A filled polygon."""
        path = " ".join(f"{self._x(x):.1f},{self._y(y):.1f}" for x, y in points)
        self.parts.append(f'<polygon points="{path}" fill="{colour}" fill-opacity="{fade:g}"/>')

    def level(self, y: float, colour: str, text: str = "") -> None:
        """A dashed horizontal line, with a label above its right end."""
        low, high = self.x_range
        self.line([(low, y), (high, y)], colour, width=1.2, dash="5 4")
        if text:
            self.text(high, y, text, colour, anchor="end", dy=-4)

    def mark(self, x: float, y: float, colour: str) -> None:
        """A dot."""
        self.parts.append(
            f'<circle cx="{self._x(x):.1f}" cy="{self._y(y):.1f}" r="3.5" fill="{colour}"/>'
        )

    def text(
        self, x: float, y: float, text: str, colour: str, *, anchor: str = "start", dy: float = 0
    ) -> None:
        """A label at a point."""
        self.parts.append(
            f'<text x="{self._x(x):.1f}" y="{self._y(y) + dy:.1f}" fill="{colour}" '
            f'text-anchor="{anchor}" paint-order="stroke" stroke="#fff" stroke-width="4" '
            f'stroke-opacity="0.85">{escape(text)}</text>'
        )

    def _x(self, x: float) -> float:
        scale = math.log if self.log_x else identity
        low, high = (scale(end) for end in self.x_range)
        part = (scale(min(max(x, self.x_range[0]), self.x_range[1])) - low) / (high - low)
        return LEFT + part * (WIDTH - LEFT - RIGHT)

    def _y(self, y: float) -> float:
        low, high = self.y_range
        part = (min(max(y, low), high) - low) / (high - low)
        return HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM)

    def render(self, at: int) -> str:
        """As a group, the at-th from the left."""
        bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
        axes = [f'<path d="M{LEFT} {TOP}V{bottom}H{right}" fill="none" stroke="#444"/>']
        for x in self.x_ticks:
            where = self._x(x)
            axes.append(f'<path d="M{where:.1f} {bottom}v4" stroke="#444"/>')
            axes.append(_text(where, bottom + 16, self.x_format(x), "middle"))
        for y in self.y_ticks:
            where = self._y(y)
            axes.append(f'<path d="M{LEFT} {where:.1f}h-4" stroke="#444"/>')
            axes.append(_text(LEFT - 7, where + 4, self.y_format(y), "end"))
        axes.append(_text((LEFT + right) / 2, HEIGHT - 8, self.x_label, "middle"))
        axes.append(
            f'<text transform="translate(13 {(TOP + bottom) / 2:.0f}) rotate(-90)" '
            f'text-anchor="middle" fill="#222">{escape(self.y_label)}</text>'
        )
        title = f'<text x="{LEFT}" y="18" fill="#222" font-weight="600">{escape(self.title)}</text>'
        body = "\n".join([title, *axes, *self.parts])
        return f'<g transform="translate({at * WIDTH} 0)">\n{body}\n</g>'


def figure(panels: Sequence[Panel], description: str) -> str:
    """The SVG document."""
    width = WIDTH * len(panels)
    body = "\n".join(panel.render(at) for at, panel in enumerate(panels))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT}" width="{width}" '
        f'height="{HEIGHT}" font-family="system-ui, sans-serif" font-size="11.5" role="img" '
        f'aria-label="{escape(description, {chr(34): "&quot;"})}">\n'
        f'<rect width="100%" height="100%" fill="#fff"/>\n{body}\n</svg>\n'
    )


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="#222">{escape(text)}</text>'
