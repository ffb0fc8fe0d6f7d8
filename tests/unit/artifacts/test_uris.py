"""Which URIs a namespace may name."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pawl.artifacts.uris import Guard, Rules, place_of, rule_of
from pawl.core.manifests.serving import feedback_secret
from pawl.errors import NotAllowedError

OPEN = Rules("s3://pawl/models")
DISK = Rules("file:///pawl/store", "pawl-store")
RULED = Rules(
    "s3://pawl/models",
    allowed={
        "*": ("s3://lake/{namespace}/", "pvc://"),
        "infra": ("http://10.0.0.7:9000/data", "http://127.0.0.1:9000/", "s3://pawl/models/bundles/ml"),
        "locked": (),
        "hub": ("secret://hub-token",),
        "all": ("secret://", "secret://pawl-store"),
    },
)  # fmt: skip
ARCHIVE = "s3://pawl/models/bundles/ml/churn/abc"


@pytest.mark.parametrize(
    ("rules", "uri"),
    [
        pytest.param(OPEN, "s3://lake/x/*.parquet", id="any bucket"),
        pytest.param(OPEN, "https://data.example.com/x.csv?sig=a/b", id="any web server"),
        pytest.param(OPEN, "pvc://data/x.parquet", id="a claim of one's own"),
        pytest.param(OPEN, "pvc://data", id="a whole claim"),
        pytest.param(OPEN, "s3://2024/x", id="a bucket that is a number"),
        pytest.param(OPEN, "http://10.0.0.7:9000/x", id="an address"),
        pytest.param(OPEN, "s3://pawl/other/x", id="beside the store"),
        pytest.param(OPEN, "s3://pawl/models/captured/ml", id="below the store"),
        pytest.param(DISK, "file:///pawl/store/imports/m.onnx", id="a file in the store"),
        pytest.param(DISK, "pvc://pawl-store/imports/x", id="the store's claim"),
        pytest.param(RULED, "s3://lake/ml/x.csv", id="by a rule"),
        pytest.param(RULED, "s3://lake/ml", id="the rule's folder itself"),
        pytest.param(RULED, "pvc://data/x", id="by its scheme"),
    ],
)
def test_what_may_be_named(rules: Rules, uri: str):
    assert rules.problem(uri, "ml") == ""


@pytest.mark.parametrize(
    ("rules", "uri", "why"),
    [
        pytest.param(OPEN, "file:///etc/passwd", "outside the artifact store", id="a file"),
        pytest.param(OPEN, "file:///proc/self/environ", "outside", id="the environment"),
        pytest.param(DISK, "file:///pawl/store2/x", "outside", id="a name that begins alike"),
        pytest.param(DISK, "file:///pawl/store/../etc/x", "its path", id="up"),
        pytest.param(DISK, "file:///pawl/store/%2e%2e/x", "hides a part", id="up, encoded"),
        pytest.param(DISK, "file:///pawl/store/a%2fb", "hides a part", id="a slash, encoded"),
        pytest.param(OPEN, "s3://b/%252e%252e/x", "hides a part", id="encoded twice"),
        pytest.param(OPEN, "s3://b//x", "empty folder", id="an empty folder"),
        pytest.param(OPEN, "s3://b/./x", "its path", id="a dot"),
        pytest.param(OPEN, "s3://b\\c/x", "plain host", id="a backslash"),
        pytest.param(OPEN, "s3://b/bundle?/x", "hides a part", id="a pattern behind ?"),
        pytest.param(OPEN, "s3://*/x", "plain host", id="a pattern of buckets"),
        pytest.param(OPEN, "https://good@evil/x", "plain host", id="a user"),
        pytest.param(OPEN, "http://[::1/x", "is no URI", id="half an address"),
        pytest.param(OPEN, "pvc://../x", "plain host", id="no claim"),
        pytest.param(OPEN, "pvc://Data/x", "names no Pers", id="claims are lower case"),
        pytest.param(OPEN, "http://169.254.169.254/latest/meta-data", "own machine", id="metadata"),
        pytest.param(OPEN, "http://[fe80::1]/x", "own machine", id="link-local"),
        pytest.param(OPEN, "https://127.0.0.1:6443/api", "own machine", id="loopback"),
        pytest.param(OPEN, "http://2130706433/x", "a number", id="loopback as a number"),
        pytest.param(OPEN, "http://127.1/x", "a number", id="half of it"),
        pytest.param(OPEN, "http://0x7f.0x1/x", "a number", id="in hexadecimal"),
        pytest.param(OPEN, "http://LOCALHOST/x", "own machine", id="localhost"),
        pytest.param(OPEN, "http://[::ffff:127.0.0.1]/x", "own machine", id="IPv4 in IPv6"),
        pytest.param(OPEN, ARCHIVE, "keeps for Pawl", id="data are no artifact"),
        pytest.param(OPEN, "s3://pawl/models/runs/u-1", "keeps for Pawl", id="results"),
        pytest.param(OPEN, "s3://pawl/models/decisions/x", "keeps for Pawl", id="decisions"),
        pytest.param(OPEN, "s3://pawl/models", "whole artifact store", id="the store"),
        pytest.param(OPEN, "s3://pawl", "whole artifact store", id="what the store is in"),
        pytest.param(OPEN, "s3://pawl/mod*/bundles/x", "whole artifact store", id="a pattern"),
        pytest.param(OPEN, "s3://pawl/models/b[u]ndles/x", "whole artifact", id="another pattern"),
        pytest.param(DISK, "pvc://pawl-store/runs/u-1", "keeps for Pawl", id="by the claim"),
        pytest.param(DISK, "pvc://pawl-store", "whole artifact store", id="the whole claim"),
        pytest.param(RULED, "s3://lake/mlx/x.csv", "s3://lake/ml/, pvc://", id="a part of a name"),
        pytest.param(RULED, "s3://lake/other/x.csv", "not allowed in namespace ml", id="a rule"),
        pytest.param(RULED, "https://lake/ml/x.csv", "not allowed", id="another scheme"),
        pytest.param(RULED, "https://x/?u=s3://lake/ml/", "not allowed", id="a rule in the query"),
    ],
)
def test_what_may_not_be_named(rules: Rules, uri: str, why: str):
    assert why in rules.problem(uri, "ml")


def test_an_artifact_may_be_in_the_stores_folder_of_its_namespace_only():
    for rules in (OPEN, RULED):
        assert rules.problem(ARCHIVE, "ml", artifact=True) == ""
        assert "another namespace" in rules.problem(ARCHIVE, "other", artifact=True)
        assert rules.problem("s3://pawl/models/runs/u-1", "ml", artifact=True)


@pytest.mark.parametrize(
    "uri", [ARCHIVE, "http://127.0.0.1:9000/x", "http://10.0.0.7:9000/data/x.csv"]
)
def test_the_administrator_may_allow_the_very_place(uri: str):
    assert RULED.problem(uri, "infra") == ""


def test_a_rule_around_the_store_does_not_open_it():
    rules = Rules("s3://pawl/models", allowed={"*": ("s3://", "s3://pawl/", "s3://pawl/models/")})
    assert "another namespace" in rules.problem(ARCHIVE, "other", artifact=True)


def test_without_a_rule_of_its_own_a_namespace_has_those_of_all():
    assert RULED.of("locked") == ()
    assert "allowed are none" in RULED.problem("s3://lake/locked/x", "locked")
    assert Rules("s3://pawl", allowed={"a": ("pvc://",)}).of("b") == ()
    assert OPEN.of("b") is None


def test_what_is_told_has_no_credentials():
    said = OPEN.problem("https://data.example.com/../x?token=hunter2", "ml")
    assert said
    assert "hunter2" not in said


@pytest.mark.parametrize("text", ["lake/x", "ftp://x/", "s3//x", "s3://a/../b", "s3:// x"])
def test_a_rule_must_be_the_beginning_of_a_uri(text: str):
    with pytest.raises(ValueError, match=r"begin|path|host"):
        rule_of(text)


_PARTS = st.lists(
    st.sampled_from(["a", "ml", "..", ".", "", "%2e%2e", "*", "a b", "é"]), max_size=6
)


@given(_PARTS, st.sampled_from(["s3", "file", "pvc", "https"]))
def test_what_a_rule_covers_lies_below_it_whoever_reads_it(parts: list[str], scheme: str):
    uri = f"{scheme}://lake/ml/" + "/".join(parts)
    rules = Rules("s3://pawl", allowed={"*": (f"{scheme}://lake/ml/",)})
    if not rules.problem(uri, "ml"):
        place = place_of(uri)
        assert place.folders[0] == "ml"
        assert not {"", ".", ".."} & set(place.folders)


@given(st.text(max_size=80))
def test_no_text_is_too_strange(text: str):
    assert isinstance(OPEN.problem(text, "ml"), str)


@pytest.mark.parametrize(
    ("rules", "uri", "allowed"),
    [
        pytest.param(None, "https://data.example.com/x", True, id="no rules"),
        pytest.param(None, "http://169.254.169.254/x", False, id="metadata"),
        pytest.param(["https://a/x/"], "https://a/x/y", True, id="by a rule"),
        pytest.param(["https://a/x/"], "https://b/x/y", False, id="another host"),
        pytest.param(["http://"], "http://127.0.0.1/x", False, id="loopback by its scheme"),
        pytest.param(["http://127.0.0.1/"], "http://127.0.0.1/x", True, id="loopback by its name"),
        pytest.param([], "https://a/x", False, id="nothing"),
        pytest.param(None, "https://a/../x", False, id="up"),
    ],
)
def test_what_a_pod_may_fetch(
    monkeypatch: pytest.MonkeyPatch, rules: list[str] | None, uri: str, allowed: bool
):
    if rules is not None:
        monkeypatch.setenv("PAWL_NAMESPACE_URIS", json.dumps(rules))
    guard = Guard.of_process()
    if allowed:
        guard.check(uri)
    else:
        with pytest.raises(NotAllowedError):
            guard.check(uri)


def test_a_name_for_ones_own_machine_is_refused_unless_a_rule_says_it():
    Guard(None).check_address("data.example.com", "10.0.0.7")
    with pytest.raises(NotAllowedError, match=r"evil.example.com is at 169.254.169.254"):
        Guard(None).check_address("evil.example.com", "169.254.169.254")
    Guard(["http://minio/"]).check_address("minio", "127.0.0.1")


@pytest.mark.parametrize(
    ("rules", "namespace", "name", "why"),
    [
        pytest.param(OPEN, "ml", "hub-token", "no rule names it", id="without rules"),
        pytest.param(RULED, "ml", "hub-token", "no rule names it", id="rules for other things"),
        pytest.param(RULED, "hub", "hub-token", "", id="by its name"),
        pytest.param(RULED, "hub", "hub-token2", "no rule names it", id="a name that begins alike"),
        pytest.param(RULED, "all", "x", "", id="all of a namespace"),
        pytest.param(RULED, "all", "pawl-store", "Pawl's own", id="the store's, despite a rule"),
        pytest.param(RULED, "all", "pawl-signing", "Pawl's own", id="the key for signatures"),
        pytest.param(RULED, "all", "pawl-notify", "Pawl's own", id="the key for webhooks"),
        pytest.param(
            RULED, "all", feedback_secret("d" * 63), "Pawl's own", id="the key for feedback"
        ),
    ],
)
def test_which_secrets_may_be_mounted(rules: Rules, namespace: str, name: str, why: str):
    problem = rules.problem(f"secret://{name}", namespace)
    assert why in problem
    assert bool(problem) is bool(why)
