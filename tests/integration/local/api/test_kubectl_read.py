"""kubectl get, describe, explain, api-resources, wait, watch: the ways to read."""

import json
import re
from collections.abc import Iterator
from typing import Any, TextIO

import pytest

POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "one", "labels": {"app": "demo", "tier": "front"}},
    "spec": {"containers": [{"name": "main", "image": "busybox:1"}]},
}
TRAINING_JOB: dict[str, Any] = {
    "apiVersion": "pawl.dev/v1alpha1",
    "kind": "TrainingJob",
    "metadata": {"name": "churn"},
    "spec": {
        "model": "churn",
        "data": {"uri": "file:///data/churn.parquet", "task": "binary", "target": "churned"},
        "trainer": {"sklearn": {"estimator": "sklearn.linear_model.LogisticRegression"}},
    },
}


def columns(table: str) -> list[str]:
    return re.split(r"\s{2,}", table.splitlines()[0].strip())


def cells(table: str, row: int = 1) -> list[str]:
    return re.split(r"\s{2,}", table.splitlines()[row].strip())


def test_get_pods_has_the_columns_of_kubernetes(kubectl):
    kubectl("create", "-f-", stdin=POD)
    narrow = kubectl("get", "pods")
    assert columns(narrow) == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert cells(narrow)[:4] == ["one", "0/1", "Pending", "0"]
    wide = kubectl("get", "pods", "-o", "wide")
    assert columns(wide)[5:] == ["IP", "NODE", "NOMINATED NODE", "READINESS GATES"]


def test_get_custom_resources_with_their_printer_columns(kubectl):
    kubectl("create", "-f-", stdin=TRAINING_JOB)
    table = kubectl("get", "tj")
    assert columns(table)[0] == "NAME"
    assert "MODEL" in columns(table)
    assert cells(table)[0] == "churn"
    assert re.fullmatch(r"\d+s", cells(table)[-1])


def test_get_as_yaml_json_name_and_jsonpath(kubectl):
    kubectl("create", "-f-", stdin=POD)
    assert "kind: Pod\n" in kubectl("get", "pod", "one", "-o", "yaml")
    assert kubectl("get", "pods", "-o", "name") == "pod/one\n"
    path = "{.items[*].spec.containers[*].image}"
    assert kubectl("get", "pods", "-o", f"jsonpath={path}") == "busybox:1"


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        pytest.param("app=demo", True, id="equal"),
        pytest.param("app!=demo", False, id="not-equal"),
        pytest.param("app in (demo, other)", True, id="in"),
        pytest.param("app notin (demo)", False, id="notin"),
        pytest.param("tier", True, id="exists"),
        pytest.param("!tier", False, id="absent"),
        pytest.param("app=demo,tier in (back)", False, id="both"),
    ],
)
def test_label_selectors(kubectl, selector, found):
    kubectl("create", "-f-", stdin=POD)
    listed = kubectl("get", "pods", "-l", selector, "-o", "name")
    assert listed == ("pod/one\n" if found else "")


def test_field_selectors(kubectl):
    kubectl("create", "-f-", stdin=POD)
    pending = kubectl("get", "pods", "--field-selector", "status.phase=Pending", "-o", "name")
    assert pending == "pod/one\n"
    other = kubectl("get", "pods", "--field-selector=metadata.name!=one", "-o", "name")
    assert other == ""
    error = kubectl("get", "pods", "--field-selector", "spec.foo=x", fails=True)
    assert "field label not supported: spec.foo" in error


def test_describe_shows_the_object_and_its_events(kubectl, api, namespace):
    kubectl("create", "-f-", stdin=POD)

    def tell() -> None:
        pod = api.registry.get("pods", namespace, "one")
        for _ in range(3):
            api.registry.event(
                pod, type="Warning", reason="Tired", message="needs sleep", component="tester"
            )

    api.run(tell)
    told = kubectl("describe", "pod", "one")
    assert "QoS Class:" in told
    assert re.search(r"Warning\s+Tired\s+\d+s \(x3 over \d+s\)\s+tester\s+needs sleep", told)
    table = kubectl("get", "events")
    assert columns(table) == ["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]
    assert cells(table)[1:] == ["Warning", "Tired", "pod/one", "needs sleep"]


def test_explain_knows_built_in_and_custom_kinds(kubectl):
    assert "Compute Resources required" in kubectl("explain", "pod.spec.containers.resources")
    told = kubectl("explain", "tj.spec.model")
    assert "GROUP:      pawl.dev" in told
    assert "<string>" in told


def test_api_resources_and_versions(kubectl):
    listed = kubectl("api-resources", "--categories=pawl", "-o", "name").split()
    assert listed == [
        "modeldeployments.pawl.dev", "modelversions.pawl.dev", "trainingjobs.pawl.dev",
    ]  # fmt: skip
    versions = kubectl("api-versions").split()
    assert {"v1", "apps/v1", "batch/v1", "autoscaling/v2", "pawl.dev/v1alpha1"} <= set(versions)


def test_wait_for_a_condition_and_for_deletion(kubectl):
    kubectl("wait", "--for=condition=Established", "crd", "--all")
    kubectl("create", "-f-", stdin=POD)
    waiting = kubectl.start("wait", "--for=delete", "pod/one", "--timeout=30s")
    kubectl("delete", "pod", "one")
    assert waiting.wait(30) == 0
    waiting.communicate()


def events_of(output: TextIO) -> Iterator[str]:
    """The types of the watch events that kubectl prints as JSON."""
    decoder, text = json.JSONDecoder(), ""
    for line in output:
        text += line
        try:
            event, end = decoder.raw_decode(text)
        except ValueError:
            continue
        yield event["type"]
        text = text[end:].lstrip()


def test_watch_prints_every_change(kubectl):
    kubectl("create", "-f-", stdin=POD)
    with kubectl.start("get", "pods", "-w", "-o", "json", "--output-watch-events") as watching:
        events = events_of(watching.stdout)
        assert next(events) == "ADDED"  # it watches
        kubectl("label", "pod", "one", "a=b")
        assert next(events) == "MODIFIED"
        kubectl("delete", "pod", "one")
        assert next(events) == "DELETED"
        watching.terminate()


def test_large_lists_come_in_pieces(kubectl, api, namespace):
    def fill() -> None:
        for number in range(25):
            body = {"metadata": {"name": f"c-{number:02d}"}}
            api.registry.create("configmaps", namespace, body, manager="test")

    api.run(fill)
    listed = kubectl("get", "cm", "--chunk-size=7", "-o", "name").split()
    assert listed == [f"configmap/c-{number:02d}" for number in range(25)]


def test_raw_paths_and_version(kubectl):
    assert kubectl("get", "--raw", "/readyz") == "ok"
    assert json.loads(kubectl("get", "--raw", "/version"))["minor"] == "36"


def test_all_namespaces_and_category_all(kubectl, namespace):
    kubectl("create", "-f-", stdin=POD)
    assert namespace in kubectl("get", "pods", "-A")
    assert "pod/one" in kubectl("get", "all")
