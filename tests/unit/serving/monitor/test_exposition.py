"""Cells as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from pawl.serving.counters import Counters
from pawl.serving.metrics import exposition
from pawl.serving.monitor import exposition as exposing
from pawl.serving.monitor.cells import layout_of

Made = Callable[..., Any]


def series(text: bytes, name: str) -> dict[tuple[str, ...], float]:
    """Values by the other labels, in the order feature, cell."""
    return {
        tuple(sample.labels[label] for label in ("feature", "cell") if label in sample.labels): (
            sample.value
        )
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
        if sample.name == name
    }


def test_cells_are_told_since_the_pod_began_with_the_baseline_beside_them(
    watched_of: Made,
) -> None:
    pod = watched_of(2)
    pod.score([0.5], [float("nan")], scores=[0.9, 0.1], process=0)
    pod.wait(10_000)
    pod.score([7.0], scores=[0.9], process=1)
    pod.wait(1)
    text = exposition(Counters(), {"model": "churn"}, pod.recorders[0].exposition())
    assert series(text, "pawl_feature_rows_total") == {
        ("a", "(-inf, 1]"): 1, ("a", "(1, 2]"): 0, ("a", "(2, inf)"): 1, ("a", "missing"): 1,
        ("a", "outOfRange"): 2,
    }  # fmt: skip
    assert series(text, "pawl_feature_reference") == {
        ("a", "(-inf, 1]"): 1, ("a", "(1, 2]"): 1, ("a", "(2, inf)"): 1, ("a", "missing"): 0,
        ("a", "outOfRange"): 0,
    }  # fmt: skip
    assert series(text, "pawl_prediction_rows_total") == {
        ("(-inf, 0.2]",): 1, ("(0.2, inf)",): 2, ("missing",): 0, ("outOfRange",): 3,
    }  # fmt: skip
    assert series(text, "pawl_prediction_reference")[("(0.2, inf)",)] == 1


def test_what_the_asked_process_has_just_answered_is_told(watched: Any) -> None:
    watched.score([0.5], scores=[0.9])
    text = exposition(Counters(), {}, watched.recorders[0].exposition())
    assert series(text, "pawl_feature_rows_total")[("a", "(-inf, 1]")] == 1


def test_names_are_escaped(baseline_of: Made, signature_of: Made) -> None:
    name, category = 'a"\\\nb', 'x"\\\n'
    baseline = baseline_of({}, {name: [category]}, prediction=[0.5])
    signature = signature_of("no", "yes").model_copy(update={"numeric": (), "categorical": (name,)})
    layout = layout_of(signature, baseline, "numeric")
    text = "\n".join(exposing.lines(layout, np.arange(layout.width))) + "\n"
    assert series(text.encode(), "pawl_feature_rows_total")[(name, category)] == 0


def test_the_number_of_series_is_bounded(
    baseline_of: Made, signature_of: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exposing, "MAX_CELLS", 12)
    names = ("a", "b", "c")
    baseline = baseline_of({name: [1.0, 2.0, 3.0] for name in names}, {}, prediction=[0.5])
    signature = signature_of("no", "yes").model_copy(update={"numeric": names})
    layout = layout_of(signature, baseline, "numeric")
    text = "\n".join(exposing.lines(layout, np.arange(layout.width))) + "\n"
    found = series(text.encode(), "pawl_feature_rows_total")
    assert {feature for feature, _ in found} == {"a", "b"}
