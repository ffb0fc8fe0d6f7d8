"""Lists: pages, selectors, tables, and metadata only."""

from __future__ import annotations

from typing import Any

import pytest
from both import MERGE, METADATA, METADATA_LIST, PROTOBUF, TABLE, Both
from objects import LEASES, WIDGET, config_map, job, lease, pod, service, widget, workload

LIST = ("metadata",)  # its resourceVersion is the cluster's


def populate(both: Both) -> None:
    for name, labels in (("a", {"tier": "x"}), ("b", {"tier": "y", "env": "p"}), ("c", {})):
        both.post(LEASES, lease(name, labels=labels))


@pytest.mark.parametrize(
    "query",
    [
        pytest.param({"labelSelector": "tier=x"}, id="equal"),
        pytest.param({"labelSelector": "tier==x"}, id="equal-twice"),
        pytest.param({"labelSelector": "tier!=x"}, id="not-equal"),
        pytest.param({"labelSelector": "tier in (x, y),env"}, id="in-and-exists"),
        pytest.param({"labelSelector": "tier notin (x)"}, id="not-in"),
        pytest.param({"labelSelector": "!tier"}, id="does-not-exist"),
        pytest.param({"labelSelector": "tier in ()"}, id="in-nothing"),
        pytest.param({"labelSelector": "tier in x"}, id="broken"),
        pytest.param({"labelSelector": "-a=b"}, id="bad-label"),
        pytest.param({"labelSelector": "tier="}, id="empty-value"),
        pytest.param({"fieldSelector": "metadata.name=b"}, id="field"),
        pytest.param({"fieldSelector": "metadata.name!=b"}, id="field-not"),
        pytest.param({"fieldSelector": "data.x=1"}, id="field-unknown"),
        pytest.param({"fieldSelector": "metadata.name"}, id="field-broken"),
        pytest.param({"resourceVersion": "x"}, id="bad-version"),
        pytest.param({"resourceVersion": "0"}, id="any-version"),
        pytest.param({"resourceVersionMatch": "Exact"}, id="match-without-version"),
        pytest.param({"resourceVersionMatch": "Odd", "resourceVersion": "1"}, id="bad-match"),
        pytest.param({"limit": "x"}, id="bad-limit"),
        pytest.param({"limit": "-1"}, id="negative-limit"),
        pytest.param({"continue": "x"}, id="bad-token"),
        pytest.param({"timeoutSeconds": "x"}, id="bad-timeout"),
    ],
)
def test_selectors_and_options(both: Both, query: dict[str, str]) -> None:
    populate(both)
    both.get(LEASES, drop=LIST, **query)


def test_pages(both: Both) -> None:
    populate(both)
    page = both.get(LEASES, limit=2, drop=LIST)
    assert page["metadata"]["remainingItemCount"].values == (1, 1)
    rest = {"limit": 2, "continue": page["metadata"]["continue"]}
    both.post(LEASES, lease("aa"))
    both.get(LEASES, **rest, drop=LIST)
    both.get(LEASES, **rest, resourceVersion="1", drop=LIST)
    both.get(LEASES, limit=1, labelSelector="tier", drop=LIST)


def test_field_selectors_of_a_custom_resource(both: Both) -> None:
    both.post(WIDGET, widget("a", size="small"))
    both.post(WIDGET, widget("b", size="large"))
    both.get(WIDGET, fieldSelector="spec.size=small", drop=LIST)
    both.get(WIDGET, fieldSelector="spec.size!=small,metadata.name=b", drop=LIST)
    both.get(WIDGET, fieldSelector="spec.replicas=1", drop=LIST)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param("configmaps", config_map(), id="config-map"),
        pytest.param("secrets", {"metadata": {"name": "a"}, "data": {}}, id="secret"),
        pytest.param("pods", pod(), id="pod"),
        pytest.param("services", service(clusterIP="None"), id="service"),
        pytest.param("apps/v1/deployments", workload(paused=True), id="deployment"),
        pytest.param("batch/v1/jobs", job(), id="job"),
        pytest.param(
            "policy/v1/poddisruptionbudgets",
            {"metadata": {"name": "a"}, "spec": {"minAvailable": 1, "selector": {}}},
            id="budget",
        ),
        pytest.param(WIDGET, widget(size="small", tags=["a", "b"]), id="custom"),
    ],
)
@pytest.mark.parametrize("accept", [TABLE, METADATA])
def test_an_object_as_table_and_metadata(both: Both, path: str, body: Any, accept: str) -> None:
    """Of a dry run's answer."""
    both.post(path, body, dryRun="All", accept=accept)


def test_tables(both: Both) -> None:
    populate(both)
    both.get(LEASES, accept=TABLE, drop=LIST)
    both.get(LEASES, accept=TABLE, drop=LIST, includeObject="None")
    both.get(LEASES, accept=TABLE, drop=LIST, includeObject="Object")
    both.get(LEASES, accept=TABLE, drop=LIST, includeObject="Odd")
    both.get(f"{LEASES}/none", accept=TABLE)
    both.post(WIDGET, widget(when="2026-01-01T00:00:00Z"))
    both.get(WIDGET, accept=TABLE, drop=LIST)
    both.get("pods", accept=TABLE, drop=LIST)


def test_metadata_only(both: Both) -> None:
    populate(both)
    both.get(f"{LEASES}/a", accept=METADATA)
    both.get(LEASES, accept=METADATA_LIST, drop=LIST)
    both.get(LEASES, accept=METADATA, drop=LIST)
    both.patch(f"{LEASES}/a", MERGE, {"spec": {"holderIdentity": "you"}}, accept=METADATA)


@pytest.mark.parametrize(
    "accept",
    [
        pytest.param("application/xml", id="unknown", marks=PROTOBUF),
        pytest.param("*/*", id="any"),
        pytest.param("application/xml, application/json;q=0.5", id="second-best"),
        pytest.param(
            "application/json;as=Odd;g=meta.k8s.io;v=v1", id="unknown-form", marks=PROTOBUF
        ),
        pytest.param(f"{TABLE},application/json", id="table-first"),
    ],
)
def test_what_is_accepted(both: Both, accept: str) -> None:
    both.post(LEASES, lease())
    both.get(f"{LEASES}/a", accept=accept)


def test_an_unknown_namespace_is_empty(both: Both) -> None:
    both.get("/api/v1/namespaces/none-such/secrets", drop=LIST)
    both.get("/api/v1/namespaces/none-such/secrets/a")
    both.post("/api/v1/namespaces/none-such/configmaps", config_map())
    both.get("/api/v1/namespaces/none-such")
