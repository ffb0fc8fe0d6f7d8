"""`demo-report.html`: well-formed, in one piece, and true to the story."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pawl.cli.demo import chart
from pawl.cli.demo.report import render
from pawl.cli.demo.story import Fate, Gate, Index, Moment, Share, Story, Told, Window

SVG = "{http://www.w3.org/2000/svg}"
BAD = "\"><script>alert(1)</script>&'"


def story(name: str = "m-v1", feature: str = "mean radius", verdict: str = "Fail") -> Story:
    index = Index(feature, "psi", 1.5, 0.2, verdict)
    told = Story(0.0, took=100.0)
    told.marks.append((40.0, feature))
    told.moments += [
        Moment(10.0, (Share(name, "stable", 100),)),
        Moment(20.0, (Share(name, "stable", 100), Share("m-v2", "shadow", 0))),
        Moment(30.0, (Share(name, "stable", 80), Share("m-v2", "candidate", 20))),
        Moment(60.0, (Share("m-v2", "stable", 100),)),
    ]
    told.windows.append(Window(40.0, 50.0, name, 1200, "Fail", "", (index,)))
    told.gates[name, "canary", "x"] = Gate(name, "canary", "x", "max 1", "Fail", name)
    told.fates += [
        Fate(name, 5.0, name, {"roc_auc": 0.9}, "Archived", name),
        Fate("m-v2", 15.0, "imported", {}, "Champion", "is served"),
    ]
    told.events.append(Told(1.0, name, "Drifted", name, True))
    return told


def parsed(told: Story) -> ET.Element:
    return ET.fromstring(render(told))


def bars(told: Story) -> list[ET.Element]:
    return [e for e in ET.fromstring(chart.timeline(told)) if e.tag == f"{SVG}rect"]


def crosses(told: Story) -> list[ET.Element]:
    paths = ET.fromstring(chart.drift(told)).findall(f"{SVG}path")
    return [
        path for path in paths if path.find(f"{SVG}title") is not None and "l10" in path.attrib["d"]
    ]


@given(st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff")))
def test_any_name_is_written_as_text(name: str) -> None:
    page = parsed(story(name, feature=name))
    assert name in [cell.text or "" for cell in page.iter("td")]


def test_a_name_is_never_markup() -> None:
    page = parsed(story(BAD, feature=BAD))
    assert not list(page.iter("script"))
    assert "<script" not in render(story(BAD, feature=BAD))


def test_nothing_is_fetched_from_elsewhere() -> None:
    page = render(story())
    assert not re.search(r"\b(src|href|url\(|@import)", page)
    assert set(re.findall(r"https?://[^\s\"<]*", page)) == {"http://www.w3.org/2000/svg"}


def test_a_story_in_which_nothing_happened_can_be_told() -> None:
    assert parsed(Story(0.0)).find("body") is not None


def test_a_bar_is_as_high_as_its_share_and_lasts_as_long() -> None:
    """Of v1: alone while v2 is its shadow, then with a canary. Of v2: shadow, canary, alone."""
    heights, widths = ([float(bar.attrib[a]) for bar in bars(story())] for a in ("height", "width"))
    assert [h / heights[0] for h in heights] == pytest.approx([1.0, 0.8, 1.0, 0.2, 1.0])
    assert [w / widths[0] for w in widths] == pytest.approx([1.0, 1.5, 0.5, 1.5, 2.0], rel=0.01)


def test_a_shadow_is_outlined() -> None:
    outlined = [bar.attrib["fill"] == "none" for bar in bars(story())]
    assert outlined == [False, False, True, False, False]


@pytest.mark.parametrize(
    ("verdict", "count"),
    [pytest.param("Fail", 1, id="failed"), pytest.param("Inconclusive", 0, id="not proven")],
)
def test_a_cross_is_a_feature_that_failed(verdict: str, count: int) -> None:
    assert len(crosses(story(verdict=verdict))) == count


def test_features_that_drifted_come_worst_first_each_with_a_colour() -> None:
    told = story()
    worse = Index("worst area", "psi", 2.0, 0.2, "Fail")
    calm = Index("texture", "psi", 0.01, 0.2, "Pass")
    told.windows.append(Window(50.0, 60.0, "m-v1", 1200, "Fail", "", (worse, calm)))
    found = chart.features(told)
    assert list(found) == ["worst area", "mean radius"]
    assert len(set(found.values())) == 2
