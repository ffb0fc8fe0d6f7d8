"""What the CRD takes and refuses of drift, judged as an API server judges it."""

from __future__ import annotations

from typing import Any

import pytest

from pawl.api.crds import all_crds
from pawl.local.schema.structural import Structural


@pytest.fixture(scope="module")
def schema() -> Structural:
    crd = next(crd for crd in all_crds() if crd["spec"]["names"]["kind"] == "Deployment")
    return Structural(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"])


def complaints(schema: Structural, **drift: Any) -> str:
    item = {
        "apiVersion": "pawl.dev/v1alpha1",
        "kind": "Deployment",
        "metadata": {"name": "churn", "namespace": "ml"},
        "spec": {"model": "churn", "drift": drift},
    }
    schema.default(item)
    return "; ".join(str(cause) for cause in schema.validate(item))


KS = {"metric": "ks"}


@pytest.mark.parametrize(
    "drift",
    [
        pytest.param({}, id="psi"),
        pytest.param({"features": {"metric": "js"}, "prediction": {"metric": "chi2"}}, id="others"),
        pytest.param({"features": {"overrides": [{"name": "a", "threshold": 0.3}]}}, id="limits"),
        pytest.param({"features": None, "prediction": None}, id="nothing"),
    ],
)
def test_what_needs_few_bins_may_come_from_prometheus(schema: Structural, drift: Any):
    assert complaints(schema, source="Prometheus", **drift) == ""


@pytest.mark.parametrize(
    "drift",
    [
        pytest.param({"features": KS}, id="features"),
        pytest.param({"prediction": {"metric": "wasserstein"}}, id="prediction"),
        pytest.param({"features": {"overrides": [{"name": "a", **KS}]}}, id="one feature"),
    ],
)
def test_what_needs_fine_bins_must_come_from_pods(schema: Structural, drift: Any):
    assert complaints(schema, source="Pods", **drift) == ""
    assert "source must be Pods" in complaints(schema, source="Prometheus", **drift)


@pytest.mark.parametrize(
    ("window", "right"),
    [
        pytest.param("10s", True, id="ten seconds"),
        pytest.param("1m5s", True, id="more"),
        pytest.param("0h90s", True, id="zeros before"),
        pytest.param("9s", False, id="nine seconds"),
        pytest.param("0h0m5s", False, id="zeros and five"),
        pytest.param("0m", False, id="nothing"),
    ],
)
def test_a_window_has_ten_seconds_or_more(schema: Structural, window: str, right: bool):
    found = complaints(schema, window=window)
    assert ("window must be 10s or longer" in found) != right
