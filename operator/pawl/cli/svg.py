"""Pieces of pictures as SVG that stand alone: text and axes have the colour of the page's text, so
they suit a light and a dark page (colours: Okabe and Ito 2008)."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

BLUE, ORANGE, GREEN, PINK, SKY, RED = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
)
GREY = "#808080"


def text(x: float, y: float, words: str, anchor: str) -> str:
    """`anchor` is start, middle or end."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="currentColor">'
        f"{escape(words)}</text>"
    )


def svg(parts: Iterable[str], width: float, height: float, description: str) -> str:
    """The picture; `description` is for who does not see it."""
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'role="img" aria-label="{escape(description)}">\n{body}\n</svg>'
    )
