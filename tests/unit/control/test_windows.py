"""The running windows: counted over all pods, kept, and gone on with after a loss."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast

import numpy as np
import orjson
import pytest

from pawl.control.baselines import Baselines
from pawl.control.features import Described, Steps, parse_layout, parse_steps
from pawl.control.windows import Windows
from pawl.core.watch import DriftObserved, kept
from pawl.stats.drift.layout import Feature, Layout
from pawl.stats.drift.window import counted, load

START = 1_800_000_000
LAYOUT = Layout.of([Feature("age", "numeric", [5.0, 5.0, 0.0, 0.0], [5.0, 5.0], [1.0, 9.0])])
DIGEST = "sha256:" + "0" * 64


@dataclass
class Pods:
    """Each tells what `seen` holds of the seconds asked for: name -> second -> cells."""

    seen: dict[str, dict[int, list[int]]]
    behind: dict[str, int] = field(default_factory=dict)
    asked: list[tuple[int, int, int]] = field(default_factory=list)
    begun: dict[str, int] = field(default_factory=dict)
    lies: list[Steps] = field(default_factory=list)
    layout_name: str = "abc"

    async def layout(self, version: int, pods: list[Any]) -> Described | None:
        return Described(self.layout_name, LAYOUT) if self.seen else None

    async def steps(
        self, version: int, pods: list[Any], begin: int, end: int, step: int, *, fine: bool
    ) -> list[Steps]:
        self.asked.append((begin, end, step))
        pages = [self._page(name, begin, end, step, fine=fine) for name in self.seen]
        return [*pages, *self.lies]

    def _page(self, name: str, begin: int, end: int, step: int, *, fine: bool) -> Steps:
        end -= self.behind.get(name, 0)
        begin = max(begin, self.begun.get(name, 0))
        cells = np.zeros((max(0, end - begin) // step, 4), dtype=np.uint32)
        for second, counts in self.seen[name].items():
            if begin <= second < end:
                cells[(second - begin) // step] += np.array(counts, dtype=np.uint32)
        whole = cells.sum(axis=0)
        bins = (whole[:2].astype(np.uint32), whole[:2].astype(np.float64))
        return Steps(self.layout_name, begin, step, cells, bins if fine else None)


def deployment(version: int = 1, start: str = "2027-01-15T08:00:00Z", **drift: Any) -> Any:
    stable = {
        "name": f"m-v{version}", "version": version, "uri": "file:///x", "digest": DIGEST
    }  # fmt: skip
    status = {"stable": stable}
    if start:
        status["drift"] = {"version": f"m-v{version}", "windowStart": start, "windowEnd": start}
    return {
        "kind": "Deployment",
        "metadata": {"name": "m", "namespace": "ml", "uid": "u1"},
        "spec": {"drift": drift},
        "status": status,
    }


POD = {"metadata": {"labels": {"pawl.dev/version": "1"}}}


def look(windows: Windows, after: int, item: Any = None, saved: Any = None) -> DriftObserved | None:
    now = datetime.fromtimestamp(START + after, UTC)
    return asyncio.run(windows.observed(item or deployment(), [POD], saved, now))


def windows(**seen: dict[int, list[int]]) -> tuple[Windows, Pods]:
    pods = Pods(seen)
    return Windows(cast(Any, pods), Baselines(cast(Any, None))), pods


def test_pods_are_added_up_minute_by_minute() -> None:
    found, pods = windows(
        a={START: [1, 0, 0, 0], START + 70: [0, 2, 0, 0]}, b={START: [3, 0, 0, 0]}
    )
    seen = look(found, 125)
    assert seen is not None
    assert (seen.to - START, seen.window.blocks) == (120, 2)
    assert seen.window.counts.tolist() == [4, 2, 0, 0]
    assert seen.window.squares.tolist() == [16, 4, 0, 0]
    again = look(found, 170)
    assert again is not None
    assert again.to == seen.to
    assert len(pods.asked) == 1


def test_nothing_is_counted_twice() -> None:
    found, pods = windows(a={START + 30: [1, 0, 0, 0], START + 130: [1, 0, 0, 0]})
    for after in (65, 125, 190, 250):
        seen = look(found, after)
    assert seen is not None
    assert seen.window.counts.tolist() == [2, 0, 0, 0]
    assert [begin - START for begin, _, _ in pods.asked] == [0, 60, 120, 180]


def test_a_pod_a_little_behind_is_waited_for() -> None:
    found, pods = windows(a={START + 61: [1, 0, 0, 0]}, b={START + 61: [1, 0, 0, 0]})
    pods.behind["b"] = 60
    seen = look(found, 125)
    assert seen is not None
    assert seen.to - START == 60
    pods.behind["b"] = 0
    seen = look(found, 130)
    assert seen is not None
    assert seen.window.counts.tolist() == [2, 0, 0, 0]


def test_a_pod_far_behind_is_left_out() -> None:
    found, pods = windows(a={START + 61: [1, 0, 0, 0]}, b={START: [7, 0, 0, 0]})
    pods.behind["b"] = 120
    seen = look(found, 185)
    assert seen is not None
    assert seen.window.counts.tolist() == [1, 0, 0, 0]


def test_an_operator_that_starts_anew_goes_on_from_what_was_kept() -> None:
    found, _ = windows(a={START + 30: [1, 0, 0, 0]})
    seen = look(found, 65)
    assert seen is not None
    held = kept.Kept(seen.version, seen.start, seen.to, seen.window.dump(LAYOUT))
    saved = kept.build(deployment(), held)
    fresh, pods = windows(a={START + 90: [0, 1, 0, 0]})
    after = look(fresh, 125, saved=saved)
    assert after is not None
    assert after.window.counts.tolist() == [1, 1, 0, 0]
    assert pods.asked[0][0] == START + 60
    lost, _ = windows(a={START + 90: [0, 1, 0, 0]})
    wiped = look(lost, 125, deployment(start=""), saved)
    assert wiped is not None
    assert wiped.window.counts.tolist() == [1, 1, 0, 0]


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda m: m["binaryData"].update(window="AAAA"), id="other bytes"),
        pytest.param(lambda m: m["metadata"]["annotations"].clear(), id="no annotation"),
        pytest.param(lambda m: m.pop("binaryData"), id="no data"),
    ],
)
def test_what_was_kept_and_cannot_be_read_is_left_out(damage: Any) -> None:
    found, _ = windows(a={START + 30: [1, 0, 0, 0]})
    seen = look(found, 65)
    assert seen is not None
    saved = kept.build(deployment(), kept.Kept("m-v1", START, START + 60, b""))
    damage(saved)
    fresh, _ = windows(a={START + 30: [1, 0, 0, 0]})
    again = look(fresh, 65, saved=saved)
    assert again is not None
    assert again.window.counts.tolist() == [1, 0, 0, 0]


def test_a_new_window_begins_empty() -> None:
    found, _ = windows(a={START + 30: [1, 0, 0, 0], START + 90: [0, 1, 0, 0]})
    look(found, 65)
    seen = look(found, 125, deployment(start="2027-01-15T08:01:00Z"))
    assert seen is not None
    assert seen.window.counts.tolist() == [0, 1, 0, 0]


def test_fine_bins_are_asked_for_where_a_metric_needs_them() -> None:
    found, _ = windows(a={START + 30: [1, 0, 0, 0]})
    seen = look(found, 65, deployment(features={"metric": "ks"}))
    assert seen is not None
    assert seen.window.fine is not None
    assert seen.window.fine.tolist() == [1, 0]


def test_nobody_is_waited_for_for_ever() -> None:
    found, pods = windows(a={})
    pods.behind["a"] = 10_000
    assert look(found, 125).to == START  # type: ignore[union-attr]
    assert look(found, 725).to == START + 720  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "item",
    [
        pytest.param(deployment() | {"spec": {}}, id="nothing is watched"),
        pytest.param(deployment() | {"status": {}}, id="nothing is served"),
        pytest.param(deployment() | {"spec": {"drift": {"window": "x"}}}, id="not a spec"),
    ],
)
def test_nothing_is_asked_in_vain(item: Any) -> None:
    found, pods = windows(a={})
    assert look(found, 65, item) is None
    assert pods.asked == []


def test_a_pod_that_began_after_what_another_knows_does_no_harm() -> None:
    """In a window of a few minutes, while the other one is behind."""
    item = deployment(window="5m")
    found, pods = windows(a={START + 5: [1, 0, 0, 0]}, b={START + 55: [0, 1, 0, 0]})
    pods.behind["a"], pods.begun["b"] = 60, START + 50
    seen = look(found, 103, item)
    assert seen is not None
    assert (seen.to - START, seen.window.counts.tolist()) == (40, [1, 0, 0, 0])
    pods.behind["a"] = 0
    seen = look(found, 113, item)
    assert seen is not None
    assert (seen.to - START, seen.window.counts.tolist()) == (110, [1, 1, 0, 0])


@pytest.mark.parametrize(
    "lie",
    [
        pytest.param({"start": START + 2**40}, id="of the future"),
        pytest.param({"start": START - 60}, id="of the past"),
        pytest.param({"cells": np.ones((1, 5), dtype=np.uint32)}, id="more cells"),
        pytest.param({"step": 10}, id="other steps"),
        pytest.param({"fine": None}, id="no fine bins"),
        pytest.param({"fine": (np.ones(3, "u4"), np.ones(3))}, id="more fine bins"),
        pytest.param({"cells": np.ones((0, 0), "u4"), "start": START + 2**40}, id="nothing, later"),
    ],
)
def test_a_pod_that_tells_what_nobody_asked_is_not_heard(lie: dict[str, Any]) -> None:
    found, pods = windows(a={START + 30: [1, 0, 0, 0]})
    honest = pods._page("a", START, START + 60, 60, fine=True)
    pods.lies.append(replace(honest, **lie))
    seen = look(found, 65, deployment(features={"metric": "ks"}))
    assert seen is not None
    assert (seen.to - START, seen.window.counts.tolist()) == (60, [1, 0, 0, 0])


def test_servers_that_count_something_else_by_now_are_asked_what() -> None:
    found, pods = windows(a={START + 30: [1, 0, 0, 0], START + 90: [0, 1, 0, 0]})
    look(found, 65)
    pods.layout_name = "another"
    look(found, 125)
    seen = look(found, 128)
    assert seen is not None
    assert seen.window.counts.tolist() == [1, 1, 0, 0]  # all that servers remember


def test_no_more_is_asked_at_once_than_a_page_can_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pawl.control.windows._MOST_COUNTS", 40)
    found, pods = windows(a={START + 599: [1, 0, 0, 0]})
    look(found, 610)
    seen = look(found, 613)
    assert [(begin - START, end - START) for begin, end, _ in pods.asked] == [(0, 600)]
    assert seen is not None
    found, pods = windows(a={START + 899: [1, 0, 0, 0]})
    for after in (910, 913):
        seen = look(found, after)
    assert [(begin - START, end - START) for begin, end, _ in pods.asked] == [(0, 600), (600, 900)]
    assert seen is not None
    assert seen.window.rows == 1


def test_a_metric_that_needs_less_keeps_what_was_counted() -> None:
    found, pods = windows(a={START + 30: [1, 0, 0, 0]})
    look(found, 65, deployment(features={"metric": "ks"}))
    pods.seen["a"] = {START + 90: [0, 1, 0, 0]}
    seen = look(found, 125)
    assert seen is not None
    assert (seen.window.fine, seen.window.counts.tolist()) == (None, [1, 1, 0, 0])


def test_what_is_gone_is_forgotten() -> None:
    found, _ = windows(a={START + 30: [1, 0, 0, 0]})
    look(found, 65)
    found.forget(frozenset())
    assert found._held == {}


class Kept:
    """A store with these hours in it."""

    def __init__(self, **there: bytes) -> None:
        self.there = {START // 3600 + int(name.lstrip("h")): data for name, data in there.items()}

    async def hours(self, *_: str) -> list[int]:
        return sorted(self.there)

    async def kept(self, *args: Any) -> dict[int, bytes]:
        return {n: self.there[n] for n in args[3] if n in self.there}


def test_hours_are_counted_along_with_windows_of_any_length() -> None:
    """A look never counts beyond the end of an hour, so none is in two."""
    pods = Pods({"a": {START + second: [1, 0, 0, 0] for second in range(0, 7200, 60)}})
    found = Windows(cast(Any, pods), Baselines(cast(Any, Kept())))
    offered: dict[int, bytes] = {}
    for after in range(303, 7800, 420):
        start = "2027-01-15T08:00:00Z" if after < 5700 else "2027-01-15T09:29:00Z"
        seen = look(found, after, deployment(start=start, baseline="sameHourLastWeek"))
        assert seen is not None
        offered |= seen.hours
    hours = {hour - START // 3600: load(LAYOUT, data) for hour, data in offered.items()}
    assert {hour: (seen.rows, seen.blocks) for hour, seen in hours.items()} == {
        0: (60, 60),
        1: (60, 60),
    }
    assert all(begin // 3600 == (end - 1) // 3600 for begin, end, _ in pods.asked)


def test_the_training_data_need_no_hours() -> None:
    found, _ = windows(a={START: [1, 0, 0, 0]})
    seen = look(found, 3605)
    assert seen is not None
    assert (seen.hours, seen.reference, seen.no_baseline) == ({}, None, None)
    assert found._held["u1"].hours.running is None


def test_the_same_hour_of_last_week_is_what_a_window_is_compared_with() -> None:
    usual = counted(LAYOUT, np.array([[7, 3, 0, 0]], dtype=np.uint32))
    pods = Pods({"a": {START + 30: [1, 0, 0, 0]}})
    store = Kept(**{"h-168": usual.dump(LAYOUT)})
    found = Windows(cast(Any, pods), Baselines(cast(Any, store)))
    seen = look(found, 65, deployment(baseline="sameHourLastWeek"))
    assert seen is not None
    assert seen.reference is not None
    assert seen.reference.counts.tolist() == [7, 3, 0, 0]


@dataclass
class Scraped:
    """A Prometheus that has one row of every minute, unless it is down."""

    down: bool = False
    asked: list[tuple[int, int]] = field(default_factory=list)

    async def steps(
        self, item: Any, version: int, told: Described, begin: int, end: int, step: int
    ) -> list[Steps]:
        self.asked.append((begin - START, end - START))
        cells = np.array([[1, 0, 0, 0]] * ((end - begin) // step), dtype=np.uint32)
        return [] if self.down else [Steps(told.name, begin, step, cells)]


def scraped(**more: Any) -> tuple[Windows, Pods, Scraped]:
    pods, source = Pods({"a": {}}), Scraped(**more)
    made = Windows(cast(Any, pods), Baselines(cast(Any, None)), cast(Any, source))
    return made, pods, source


PROMETHEUS = deployment(source="Prometheus")


def test_prometheus_is_asked_instead_of_pods() -> None:
    found, pods, source = scraped()
    seen = look(found, 155, PROMETHEUS)
    assert seen is not None
    assert (seen.to - START, seen.window.counts.tolist()) == (120, [2, 0, 0, 0])
    assert (source.asked, pods.asked) == ([(0, 120)], [])


def test_prometheus_is_given_time_for_a_scrape() -> None:
    found, _, source = scraped()
    look(found, 89, PROMETHEUS)
    assert source.asked == []
    look(found, 90, PROMETHEUS)
    assert source.asked == [(0, 60)]


def test_what_prometheus_remembers_is_caught_up_with_piece_by_piece() -> None:
    found, _, source = scraped()
    for after in (3700, 3710, 3720):
        seen = look(found, after, PROMETHEUS)
    assert seen is not None
    assert source.asked == [(0, 1200), (1200, 2400), (2400, 3600)]
    assert seen.window.rows == 60


def test_a_prometheus_that_is_down_is_waited_for() -> None:
    found, _, source = scraped(down=True)
    assert look(found, 7200, PROMETHEUS).to == START  # type: ignore[union-attr]
    source.down = False
    assert look(found, 7210, PROMETHEUS).to == START + 1200  # type: ignore[union-attr]


def test_without_a_prometheus_nothing_is_counted() -> None:
    found, pods = windows(a={START + 30: [1, 0, 0, 0]})
    seen = look(found, 155, PROMETHEUS)
    assert seen is not None
    assert (seen.to, seen.window.rows, pods.asked) == (START, 0, [])


def page(**changes: Any) -> bytes:
    cells = base64.b64encode(np.array([[1, 2, 0, 0]], dtype="<u4").tobytes()).decode()
    values = {
        "format": 1, "model": "m", "version": 1, "from": START, "to": START + 60, "step": 60,
        "layout": "abc", "rows": [3], "cells": cells,
    }  # fmt: skip
    return orjson.dumps(values | changes)


def test_a_page_is_read() -> None:
    found = parse_steps(page(), "m", 1)
    assert (found.layout, found.start, found.stop) == ("abc", START, START + 60)
    assert found.cells.tolist() == [[1, 2, 0, 0]]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"version": 2}, id="another version"),
        pytest.param({"to": START + 61}, id="half a step"),
        pytest.param({"to": START - 60}, id="backwards"),
        pytest.param({"to": START + 60_000_000}, id="too long"),
        pytest.param({"step": 7}, id="another step"),
        pytest.param({"cells": "AAA"}, id="not base64"),
        pytest.param({"cells": "AAAA"}, id="half a number"),
        pytest.param({"cells": None}, id="nothing"),
        pytest.param({"fine": "AAAAAA==", "sums": "AAAAAAAA+H8="}, id="a sum that is no number"),
        pytest.param({"fine": "AAAAAA==", "sums": ""}, id="a sum is missing"),
        pytest.param({"groups": {"a": []}}, id="a group of nothing"),
        pytest.param({"groups": {"a": [1, 2]}}, id="more positive than there are"),
    ],
)
def test_a_page_that_is_not_right_is_not_used(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_steps(page(**changes), "m", 1)


def test_sums_are_bounded_so_that_their_squares_are_numbers() -> None:
    sums = base64.b64encode(np.array([1e200, -1e200]).tobytes()).decode()
    fine = base64.b64encode(np.array([1, 1], dtype="<u4").tobytes()).decode()
    found = parse_steps(page(fine=fine, sums=sums), "m", 1)
    assert found.fine is not None
    assert found.fine[1].tolist() == [1e130, -1e130]
    told = parse_layout(layout(fineReference=[5, 5], fineSums=[1e200, -1e200]), "m", 1)
    assert told.layout.fine_sums.tolist() == [1e130, -1e130]


def layout(**changes: Any) -> bytes:
    feature = {"name": "age", "kind": "numeric", "reference": [5, 5, 0, 0]}
    values = {"format": 1, "model": "m", "version": 1, "layout": "abc"}
    return orjson.dumps(values | {"features": [feature | changes]})


def test_a_layout_is_read() -> None:
    found = parse_layout(layout(fineReference=[5, 5], fineSums=[1.0, 9.0]), "m", 1)
    assert (found.name, found.layout.digest) == ("abc", LAYOUT.digest)
    assert found.places == {}


def test_the_places_of_labels_are_read() -> None:
    second = {"name": "plan", "kind": "category", "reference": [5, 0, 0], "labels": ["x", "other"]}
    labels = ["(-inf, 1]", "(1, inf)", "missing", "outOfRange", "one more"]
    page_ = orjson.loads(layout(labels=labels))
    page_["features"].append(second)
    found = parse_layout(orjson.dumps(page_), "m", 1)
    assert found.places == {
        ("age", "(-inf, 1]"): 0, ("age", "(1, inf)"): 1, ("age", "missing"): 2,
        ("age", "outOfRange"): 3, ("plan", "x"): 4, ("plan", "other"): 5,
    }  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"kind": "x"}, id="kind"),
        pytest.param({"name": ""}, id="no name"),
        pytest.param({"reference": [-1, 5, 0, 0]}, id="less than nothing"),
        pytest.param({"reference": [0, 0]}, id="no bin"),
        pytest.param({"reference": None}, id="nothing"),
        pytest.param({"fineReference": [5], "fineSums": []}, id="a sum is missing"),
        pytest.param({"reference": [1] * 20_000}, id="more cells than a server has"),
        pytest.param(
            {"fineReference": [1] * 70_000, "fineSums": [1] * 70_000}, id="too many fine bins"
        ),
    ],
)
def test_a_layout_that_is_not_right_is_not_used(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_layout(layout(**changes), "m", 1)
