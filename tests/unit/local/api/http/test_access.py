"""The operator has the rights that it has on a real cluster."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from aiohttp.test_utils import make_mocked_request

from pawl.local.api.errors import ApiError
from pawl.local.api.http import paths
from pawl.local.api.http.access import OperatorAccess, bearer, impersonated, questions
from pawl.local.api.registry import Registry
from pawl.local.api.users import ADMIN, OPERATOR, User, account

REGISTRY = Registry()
REGISTRY.create("namespaces", None, {"metadata": {"name": "ml"}}, manager="test")
REGISTRY.create(
    "services", "ml", {"metadata": {"name": "there"}, "spec": {"ports": [{"port": 80}]}},
    manager="test",
)  # fmt: skip
CORE, APPS = "/api/v1/namespaces/ml", "/apis/apps/v1/namespaces/ml"
LEASES = "/apis/coordination.k8s.io/v1/namespaces"
APPLY = {"Content-Type": "application/apply-patch+yaml"}


class Asking:
    """Requests by the operator, and what was written down of them."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.access = OperatorAccess("secret", log)

    def __call__(self, method: str, path: str, headers: dict[str, str] | None = None) -> None:
        request = make_mocked_request(method, path, headers=headers or {})
        at = paths.target(request.rel_url.raw_path, REGISTRY.catalog)
        assert at is not None
        self.access.check(request, at, paths.verb(method, at), REGISTRY.store)

    def verbs(self) -> list[tuple[str, str, bool]]:
        lines = map(json.loads, self.log.read_text().splitlines())
        return [(line["verb"], line["resource"], line["allowed"]) for line in lines]


@pytest.fixture
def ask(tmp_path: Path) -> Asking:
    return Asking(tmp_path / "requests.jsonl")


@pytest.mark.parametrize(
    ("method", "path", "verb"),
    [
        pytest.param("GET", f"{CORE}/pods", "list", id="list"),
        pytest.param("GET", "/api/v1/pods?watch=true", "watch", id="watch"),
        pytest.param("PATCH", f"{CORE}/pods/p", "patch", id="patch"),
        pytest.param("DELETE", f"{APPS}/deployments/d", "delete", id="delete"),
        pytest.param("GET", f"{CORE}/secrets/pawl-notify", "get", id="a secret by its name"),
        pytest.param(
            "PATCH", f"{LEASES}/kube-system/leases/pawl-operator", "patch", id="its lease"
        ),
    ],
)
def test_what_a_rule_allows_goes_through(ask: Asking, method: str, path: str, verb: str):
    ask(method, path)
    ((asked, _, allowed),) = ask.verbs()
    assert (asked, allowed) == (verb, True)


@pytest.mark.parametrize(
    ("method", "path", "words"),
    [
        pytest.param("GET", f"{CORE}/secrets/other",
            'secrets "other" is forbidden: User "system:serviceaccount:kube-system:pawl-operator" '
            'cannot get resource "secrets" in API group "" in the namespace "ml"', id="a secret"),
        pytest.param("GET", "/api/v1/secrets", "cannot list .* at the cluster scope", id="secrets"),
        pytest.param("GET", f"{CORE}/secrets?watch=1", "cannot watch", id="secrets as they change"),
        pytest.param("PATCH", f"{APPS}/deployments/d/status", '"deployments/status"', id="status"),
        pytest.param("POST", f"{CORE}/pods/p/eviction", "pods/eviction", id="eviction"),
        pytest.param("DELETE", f"{CORE}/pods", "cannot deletecollection", id="all pods"),
        pytest.param("PATCH", f"{LEASES}/kube-system/leases/other", "patch", id="another lease"),
        pytest.param("GET", f"{LEASES}/ml/leases/pawl-operator", "get", id="a lease elsewhere"),
        pytest.param("POST", f"{CORE}/serviceaccounts/a/token", "token", id="a token"),
    ],
)  # fmt: skip
def test_what_no_rule_allows_is_forbidden(ask: Asking, method: str, path: str, words: str):
    with pytest.raises(ApiError, match=words) as caught:
        ask(method, path)
    assert caught.value.code == 403
    assert [allowed for _, _, allowed in ask.verbs()] == [False]


def test_who_applies_what_is_not_there_creates_it(ask: Asking):
    ask("PATCH", f"{CORE}/services/there", APPLY)
    assert ask.verbs() == [("patch", "services", True)]
    ask("PATCH", f"{CORE}/services/new", APPLY)
    assert ask.verbs()[1:] == [("create", "services", True)]
    with pytest.raises(ApiError, match="cannot create"):
        ask("PATCH", f"{CORE}/pods/new", APPLY)


@pytest.mark.parametrize(
    ("path", "verbs"),
    [
        pytest.param(f"{CORE}/services/there", ["update"], id="there"),
        pytest.param(f"{CORE}/services/new", ["update", "create"], id="new"),
        pytest.param(f"{CORE}/pods/new", ["update"], id="of a kind that cannot be created so"),
    ],
)
def test_who_puts_what_is_not_there_creates_it(path: str, verbs: list[str]):
    request = make_mocked_request("PUT", path)
    at = paths.target(request.rel_url.raw_path, REGISTRY.catalog)
    assert at is not None
    asked = questions(request, at, paths.verb("PUT", at), REGISTRY.store)
    assert [question.verb for question in asked] == verbs


def test_a_kind_of_request_is_written_down_once(ask: Asking):
    for name in ("a", "b"):
        ask("PATCH", f"{CORE}/pods/{name}")
    assert len(ask.verbs()) == 1


def test_a_token_is_of_one_user(ask: Asking):
    request = make_mocked_request("GET", "/", headers={"Authorization": "Bearer secret"})
    assert ask.access.is_from(bearer(request))
    assert not ask.access.is_from(b"")
    assert bearer(make_mocked_request("GET", "/", headers={"Authorization": "Basic x"})) == b""


def asking(**headers: str) -> User:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return impersonated(ADMIN, make_mocked_request("GET", "/api", headers=named))


@pytest.mark.parametrize(
    ("headers", "user"),
    [
        pytest.param({}, ADMIN, id="himself"),
        pytest.param({"Impersonate_User": "ada", "Impersonate_Group": "g"},
                     User("ada", ("g", "system:authenticated")), id="a user"),
        pytest.param({"Impersonate_User": "system:serviceaccount:ml:ci"}, account("ml", "ci"),
                     id="a service account"),
        pytest.param({"Impersonate_User": "ada", "Impersonate_Uid": "1",
                      "Impersonate_Extra_Team": "a"},
                     User("ada", ("system:authenticated",), "1", {"team": ["a"]}), id="extra"),
    ],
)  # fmt: skip
def test_the_administrator_asks_for_others(headers: dict[str, str], user: User):
    assert asking(**headers) == user


def test_only_the_administrator_does():
    request = make_mocked_request("GET", "/api", headers={"Impersonate-User": "ada"})
    with pytest.raises(ApiError, match="cannot impersonate"):
        impersonated(OPERATOR, request)


def test_groups_without_a_user_are_nobody():
    with pytest.raises(ApiError, match="without impersonating a user"):
        asking(Impersonate_Group="g")
