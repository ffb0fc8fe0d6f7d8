"""A lineage as a picture: four columns, a line for each step, dashed ones from parents. One HTML
file that needs no other, with the files of each version below."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import pairwise

from pawl.cli.lineage import words
from pawl.cli.lineage.graph import Lineage, told
from pawl.cli.svg import BLUE, GREEN, GREY, ORANGE, SKY, svg, text

_WIDTH, _HEIGHT, _GAP, _ROW = 250, 44, 60, 64
_COLOURS = (SKY, ORANGE, BLUE, GREEN)
_COLUMNS = ("data", "job", "version", "Deployment")
_LONG = 34
#: Column and what is said: the same thing is one box, however many versions it led to.
Box = tuple[int, tuple[str, ...]]


def page(title: str, lineage: Lineage) -> str:
    """The whole page."""
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f"<title>{escape(title)}</title>"
        "<style>:root{color-scheme:light dark}body{font:15px system-ui;max-width:78rem;"
        "margin:2rem auto}svg{width:100%;font:12px system-ui}td,th{padding:.1rem .8rem .1rem 0;"
        "text-align:left}code{font-size:.85em}</style>"
        f"<h1>Lineage of {escape(title)}</h1>{_drawing(lineage)}{''.join(_details(lineage))}"
        "</html>\n"
    )


def _drawing(lineage: Lineage) -> str:
    paths = list(_paths(lineage))
    rows: list[list[Box]] = [[], [], [], []]
    for box in dict.fromkeys(box for path in paths for box in path):
        rows[box[0]].append(box)
    where = {box: i for column in rows for i, box in enumerate(column)}
    lines = dict.fromkeys(pair for path in paths for pair in pairwise(path))
    parts = [text(_x(i), 16, name, "start") for i, name in enumerate(_COLUMNS)]
    parts += [_line(a, b, where) for a, b in lines]
    parts += list(_parents(lineage, where))
    parts += [part for box, row in where.items() for part in _box(box, row)]
    height = 28 + max(len(column) for column in rows) * _ROW
    about = f"Lineage of {', '.join(version.name for version in lineage.versions)}"
    return svg(parts, 4 * _WIDTH + 3 * _GAP, height, about)


def _paths(lineage: Lineage) -> Iterator[list[Box]]:
    """From data to Deployments."""
    for data, jobs in lineage.grouped().items():
        for versions in jobs.values():
            for version in versions:
                path: list[Box] = [
                    (0, tuple(words.data(data))),
                    (1, tuple(words.job(told(version)))),
                    (2, tuple(words.version(version))),
                ]
                serving = lineage.serving.get(version.name, ())
                yield from ([*path, (3, (f"mdep/{name}", role))] for name, role in serving)
                if not serving:
                    yield path


def _parents(lineage: Lineage, where: dict[Box, int]) -> Iterator[str]:
    """Beside the column, from a parent to what was compared with it."""
    row = {version.name: where[(2, tuple(words.version(version)))] for version in lineage.versions}
    for version in lineage.versions:
        parent = told(version).parent
        if parent in row:
            x, y1, y2 = _x(2), _y(row[parent]) + _HEIGHT / 2, _y(row[version.name]) + _HEIGHT / 2
            yield (
                f'<path d="M{x} {y1}C{x - 36} {y1} {x - 36} {y2} {x} {y2}" fill="none" '
                f'stroke="{GREY}" stroke-dasharray="4 3"/>'
            )


def _line(a: Box, b: Box, where: dict[Box, int]) -> str:
    x1, y1 = _x(a[0]) + _WIDTH, _y(where[a]) + _HEIGHT / 2
    x2, y2 = _x(b[0]), _y(where[b]) + _HEIGHT / 2
    middle = (x1 + x2) / 2
    return (
        f'<path d="M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}" fill="none" '
        f'stroke="currentColor"/>'
    )


def _box(box: Box, row: int) -> Iterator[str]:
    column, lines = box
    x, y = _x(column), _y(row)
    colour, whole = _COLOURS[column], escape("\n".join(lines))
    yield (
        f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="6" fill="{colour}" '
        f'fill-opacity="0.15" stroke="{colour}"><title>{whole}</title></rect>'
    )
    for i, line in enumerate(lines[:2]):
        yield text(x + 8, y + 18 + 17 * i, _short(line), "start")


def _details(lineage: Lineage) -> Iterator[str]:
    """All that the boxes have no room for."""
    for version in reversed(lineage.versions):
        yield f"<h2>{escape(version.name)}</h2><ul>"
        lines: Sequence[str] = [*words.version(version)[1:], *words.job(told(version))]
        yield "".join(f"<li>{escape(line)}</li>" for line in lines)
        yield "</ul>"
        files = lineage.files.get(version.name, ())
        if isinstance(files, str):
            yield f"<p>{escape(files)}</p>"
        elif files:
            rows = (
                f"<tr><td>{escape(file.name)}<td>{file.size_bytes:,} bytes"
                f"<td><code>sha256:{file.sha256}</code>"
                for file in files
            )
            yield f"<table>{''.join(rows)}</table>"


def _x(column: int) -> int:
    return column * (_WIDTH + _GAP)


def _y(row: int) -> int:
    return 28 + row * _ROW


def _short(line: str) -> str:
    """Its end says more of a URI than its beginning; a digest is known by its beginning."""
    if line.startswith("sha256:"):
        return line[:19]
    return line if len(line) <= _LONG else f"…{line[1 - _LONG :]}"
