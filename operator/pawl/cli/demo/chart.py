"""Pictures of the story as SVG: who got the requests, and how far features were from the baseline.

Both have the same axis of time, so one is read below the other. Text and axes have the colour of
the page's text, so they suit a light and a dark page; what colours tell is told by shapes and words
too (colours: Okabe and Ito 2008).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape
from itertools import groupby

from pawl.cli.demo.story import Index, Share, Story, Window
from pawl.cli.svg import BLUE, GREEN, GREY, ORANGE, PINK, RED, SKY, svg, text

ROLES = {"stable": BLUE, "candidate": ORANGE, "holdback": SKY, "shadow": PINK}
_COLOURS = (BLUE, RED, GREEN, PINK, ORANGE, SKY)
_WIDTH, _LEFT, _RIGHT = 960, 150, 20
_ROW, _BAR, _MARKS, _AXIS = 40, 28, 22, 34
_PLOT = 200


@dataclass(frozen=True)
class _Time:
    """Seconds to pixels."""

    took: float

    def x(self, at: float) -> float:
        return _LEFT + min(max(at / max(self.took, 1.0), 0.0), 1.0) * (_WIDTH - _LEFT - _RIGHT)

    def axis(self, bottom: float) -> Iterator[str]:
        step = next((s for s in (10, 20, 30, 60, 120) if self.took / s <= 12), 300)
        yield f'<path d="M{_LEFT} {bottom}H{_WIDTH - _RIGHT}" stroke="currentColor"/>'
        for second in range(0, int(self.took) + 1, step):
            x = self.x(second)
            yield f'<path d="M{x:.1f} {bottom}v5" stroke="currentColor"/>'
            yield text(x, bottom + 19, f"{second} s", "middle")

    def marks(self, story: Story, bottom: float) -> Iterator[str]:
        """What the demo did, as numbered lines."""
        for number, (at, words) in enumerate(story.marks, 1):
            x = self.x(at)
            yield (
                f'<path d="M{x:.1f} {_MARKS - 6}V{bottom}" stroke="currentColor" '
                f'stroke-dasharray="2 3"><title>{escape(words)}</title></path>'
            )
            yield text(x, _MARKS - 9, f"({number})", "middle")


def timeline(story: Story) -> str:
    """A row for each version: the height of a bar is its share of the requests; shadows, which get
    copies, are outlined."""
    time, names = _Time(story.took), [fate.name for fate in story.fates]
    bottom = _MARKS + _ROW * max(len(names), 1)
    parts = [*time.marks(story, bottom), *time.axis(bottom)]
    for row, fate in enumerate(story.fates):
        base = _MARKS + _ROW * (row + 1) - 4
        parts.append(text(_LEFT - 12, base - 8, fate.name, "end"))
        x = time.x(fate.at)
        parts.append(
            f'<path d="M{x:.1f} {base}l-4 -8h8z" fill="currentColor">'
            f"<title>{escape(fate.name)} was recorded at {fate.at:.0f} s</title></path>"
        )
        for begin, end, share in _spans(story, fate.name):
            parts.append(_bar(time.x(begin), time.x(end), base, share))
    return svg(parts, _WIDTH, bottom + _AXIS, "Shares of the requests by version over time")


def _spans(story: Story, name: str) -> Iterator[tuple[float, float, Share]]:
    ends = [moment.at for moment in story.moments[1:]] + [story.took]
    shares = [
        (moment.at, end, next((s for s in moment.shares if s.version == name), None))
        for moment, end in zip(story.moments, ends, strict=True)
    ]
    for share, some in groupby(shares, key=lambda span: span[2]):
        spans = list(some)
        if share is not None:
            yield spans[0][0], spans[-1][1], share


def _bar(left: float, right: float, base: float, share: Share) -> str:
    shadow = share.role == "shadow"
    height = _BAR * (1.0 if shadow else share.weight / 100)
    colour = ROLES.get(share.role, GREY)
    style = f'stroke="{colour}" ' + (
        'fill="none" stroke-dasharray="4 3"' if shadow else f'fill="{colour}"'
    )
    return (
        f'<rect x="{left:.1f}" y="{base - height:.1f}" width="{max(right - left, 1):.1f}" '
        f'height="{height:.1f}" {style}>'
        f"<title>{escape(share.version)}: {escape(share.role)} {share.weight} %</title></rect>"
    )


def features(story: Story) -> dict[str, str]:
    """Those that drifted in some window -> colour, worst first."""
    worst: dict[str, float] = {}
    for window in story.windows:
        for index in window.worst:
            if index.verdict == "Fail":
                worst[index.feature] = max(index.value, worst.get(index.feature, 0.0))
    names = sorted(worst, key=lambda name: -worst[name])
    return {name: _COLOURS[at % len(_COLOURS)] for at, name in enumerate(names)}


def drift(story: Story) -> str:
    """One dot for each of the five worst features of a window, where the window ends; those that
    failed are crosses. Lines join windows of one version."""
    time, colours, bottom = _Time(story.took), features(story), _MARKS + _PLOT
    found = [index for window in story.windows for index in window.worst]
    limits = sorted({index.threshold for index in found})
    most = 1.1 * max((*(index.value for index in found), *limits, 0.1))

    def y(value: float) -> float:
        return bottom - min(max(value, 0.0) / most, 1.0) * _PLOT

    parts = [*time.marks(story, bottom), *time.axis(bottom)]
    ticks = (0.0, most / 2, most)
    parts += [text(_LEFT - 10, y(value) + 4, f"{value:.2f}", "end") for value in ticks]
    for limit in limits:
        parts.append(
            f'<path d="M{_LEFT} {y(limit):.1f}H{_WIDTH - _RIGHT}" stroke="currentColor" '
            f'stroke-dasharray="6 4" opacity="0.6"/>'
        )
        parts.append(text(_LEFT + 4, y(limit) - 5, f"threshold {limit:g}", "start"))
    for _, some in groupby(story.windows, key=lambda window: window.version):
        for name, points in _series(some).items():
            colour = colours.get(name, GREY)
            dots = [(time.x(end), y(index.value)) for end, index in points]
            path = " ".join(f"{x:.1f},{high:.1f}" for x, high in dots)
            parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}"/>')
            parts += [_dot(*at, index, colour) for at, (_, index) in zip(dots, points, strict=True)]
    return svg(
        parts, _WIDTH, bottom + _AXIS, "Distance of features from the baseline, window by window"
    )


def _series(windows: Iterable[Window]) -> dict[str, list[tuple[float, Index]]]:
    """Feature -> the ends of the windows in which it is told, and what is told."""
    found: dict[str, list[tuple[float, Index]]] = {}
    for window in windows:
        for index in window.worst:
            found.setdefault(index.feature, []).append((window.end, index))
    return found


def _dot(x: float, y: float, index: Index, colour: str) -> str:
    title = f"<title>{escape(index.feature)}: {index.value:.3f}</title>"
    if index.verdict == "Fail":
        shape = f'd="M{x - 5:.1f} {y - 5:.1f}l10 10m0 -10l-10 10" stroke-width="2.5"'
        return f'<path {shape} stroke="{colour}">{title}</path>'
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}">{title}</circle>'
