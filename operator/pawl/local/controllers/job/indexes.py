"""Completion indexes in the compressed form of status.completedIndexes, e.g. "1,3-5,7"."""

from collections.abc import Iterable, Set


def parse(text: str | None, completions: int) -> frozenset[int]:
    """The indexes below `completions`; parts that are not numbers are ignored."""
    found: set[int] = set()
    for part in filter(None, (text or "").split(",")):
        first, _, last = part.partition("-")
        if first.isdigit() and (not last or last.isdigit()):
            end = min(int(last or first), completions - 1)
            found.update(range(int(first), end + 1))
    return frozenset(found)


def render(indexes: Iterable[int]) -> str:
    """Runs of three and more are written first-last, as the API server's printers expect."""
    runs: list[list[int]] = []
    for index in sorted(set(indexes)):
        if runs and runs[-1][1] == index - 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    return ",".join(_run(first, last) for first, last in runs)


def _run(first: int, last: int) -> str:
    if first == last:
        return str(first)
    return f"{first}{',' if last == first + 1 else '-'}{last}"


def pending(completions: int, taken: Set[int], count: int) -> list[int]:
    """The first `count` indexes that are not taken."""
    free: list[int] = []
    for index in range(completions):
        if len(free) >= count:
            break
        if index not in taken:
            free.append(index)
    return free
