"""`demo-report.html`: the story in one file that needs nothing else and can be read offline.

It is well-formed XML as well as HTML, and follows the reader's choice of light or dark.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape

from pawl.cli.demo import chart
from pawl.cli.demo.story import Story

NAME = "demo-report.html"
_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
       background: Canvas; color: CanvasText; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .4rem; }
svg { width: 100%; height: auto; font-size: 12.5px; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .25rem .6rem;
         border-bottom: 1px solid #8885; }
.swatch { display: inline-block; width: .8em; height: .8em; margin: 0 .35em 0 .9em; }
.outlined { border: 1px dashed; box-sizing: border-box; }
.bad { font-weight: 600; }
"""


def render(story: Story) -> str:
    """The page."""
    began = datetime.fromtimestamp(story.begun, UTC)
    named = ", ".join(chart.features(story)) or "none"
    parts = [
        f"<h1>Pawl demo: {len(story.fates)} versions in {story.took:.0f} seconds</h1>",
        f"<p>Began {began:%Y-%m-%d %H:%M:%S} UTC; times are seconds from then on. "
        f"Features that drifted: {escape(named)}.</p>",
        *_pictures(story),
        *_versions(story),
        *_verdicts(story),
        *_windows(story),
        *_events(story),
    ]
    body = "\n".join(parts)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8"/>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>\n'
        f"<title>Pawl demo</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _pictures(story: Story) -> Iterable[str]:
    yield "<h2>Versions and their shares of the requests</h2>"
    yield chart.timeline(story)
    swatches = [_swatch(colour, role, role == "shadow") for role, colour in chart.ROLES.items()]
    yield f"<p>{''.join(swatches)} The triangle: recorded.</p>"
    yield "<h2>Drift of the served version, window by window</h2>"
    yield chart.drift(story)
    swatches = [_swatch(colour, name) for name, colour in chart.features(story).items()]
    yield (
        "<p>The five features of a window that are nearest to the threshold, or furthest beyond. "
        f"Cross: failed, it is beyond the threshold and not by chance.{''.join(swatches)}</p>"
    )
    if story.marks:
        marks = "".join(f"<li>at {at:.0f} s: {escape(text)}</li>" for at, text in story.marks)
        yield f"<p>What the demo did, where the dotted lines are:</p><ol>{marks}</ol>"


def _versions(story: Story) -> Iterable[str]:
    rows = []
    for fate in story.fates:
        metrics = ", ".join(f"{name} {value:.4f}" for name, value in fate.metrics.items())
        rows.append((fate.name, fate.origin, metrics, fate.stage, fate.ended))
    return _table("Versions", ("version", "from", "metrics", "stage", "how it ended"), rows)


def _verdicts(story: Story) -> Iterable[str]:
    rows = [
        (gate.version, gate.stage, f"{gate.metric} {gate.limit}", gate.verdict, gate.message)
        for gate in story.gates.values()
    ]
    columns = ("version", "when", "gate", "verdict", "because")
    return _table("Verdicts of the gates", columns, sorted(rows, key=lambda row: row[0]))


def _windows(story: Story) -> Iterable[str]:
    rows = [
        (
            f"{window.start:.0f}-{window.end:.0f} s",
            window.version,
            f"{window.samples:,}",
            window.verdict,
            ", ".join(f"{i.feature} {i.metric} {i.value:.3f}" for i in window.worst),
        )
        for window in story.windows
    ]
    return _table("Windows", ("window", "version", "rows", "verdict", "furthest"), rows)


def _events(story: Story) -> Iterable[str]:
    rows = [(f"{e.at:.0f} s", e.about, e.reason, e.message) for e in story.events]
    return _table("Events", ("at", "of", "reason", "message"), rows)


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterable[str]:
    yield f"<h2>{title}</h2>"
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    yield f"<table><thead><tr>{head}</tr></thead><tbody>"
    for row in rows:
        yield "<tr>" + "".join(map(_cell, row)) + "</tr>"
    yield "</tbody></table>"


def _cell(text: str) -> str:
    kind = ' class="bad"' if text == "Fail" else ""
    return f"<td{kind}>{escape(text)}</td>"


def _swatch(colour: str, text: str, outlined: bool = False) -> str:
    style = f"border-color: {colour}" if outlined else f"background: {colour}"
    kind = "swatch outlined" if outlined else "swatch"
    return f'<span class="{kind}" style="{style}"></span>{escape(text)}'
