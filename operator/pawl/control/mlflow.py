"""The parts of MLflow's REST API 2.0 that the operator uses.

https://mlflow.org/docs/latest/api_reference/rest-api.html, the same since MLflow 2.3 (aliases).
By hand and not by MLflow's client: that is synchronous and brings more packages than the operator
has, for a dozen requests.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import orjson

from pawl.control.outside import Answer, Outside, RefusedError
from pawl.errors import UserError

Object = Mapping[str, Any]
_MOST_ANSWER = 8 << 20
_PAGE = 100


class MlflowError(RefusedError):
    """What MLflow says; `code` is its error_code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"MLflow answers {code}: {message[:200]}")
        self.code = code


@dataclass(frozen=True)
class Run:
    """A run at the server. `deleted` are those in its bin."""

    id: str
    artifacts: str
    deleted: bool
    tags: Mapping[str, str]


class Mlflow:
    """One server; every call is one try (`Outside.request`)."""

    def __init__(self, outside: Outside, uri: str, authorization: str | None = None) -> None:
        self._outside = outside
        self._uri = uri.rstrip("/")
        self._headers = {"Authorization": authorization} if authorization else {}

    async def experiment(self, name: str) -> str:
        """The id of an experiment, which is made if it is not there."""
        try:
            found = await self._get("experiments/get-by-name", experiment_name=name)
        except MlflowError as error:
            if error.code != "RESOURCE_DOES_NOT_EXIST":
                raise
            made = await self._post("experiments/create", name=name)
            return str(made["experiment_id"])
        return str(found["experiment"]["experiment_id"])

    async def runs(self, experiment: str, tag: str, value: str) -> list[Run]:
        """Those with a tag, deleted ones too."""
        body: dict[str, Any] = {
            "experiment_ids": [experiment],
            "filter": f"tags.`{tag}` = '{value}'",
            "run_view_type": "ALL",
            "max_results": _PAGE,
        }
        found: list[Run] = []
        while True:
            page = await self._post("runs/search", **body)
            found += [_run(item) for item in page.get("runs", ())]
            if not page.get("next_page_token"):
                return found
            body["page_token"] = page["next_page_token"]

    async def create(self, experiment: str, name: str, start: int, tags: Object) -> Run:
        """A run that goes on; `start` is in milliseconds."""
        made = await self._post(
            "runs/create",
            experiment_id=experiment,
            run_name=name,
            start_time=start,
            tags=_pairs(tags),
        )
        return _run(made["run"])

    async def log(
        self, run: str, at: int, parameters: Object, metrics: Object, tags: Object
    ) -> None:
        """At most 100 of each kind. Writing the same twice is no error: `at` (milliseconds) is part
        of a metric's key."""
        await self._post(
            "runs/log-batch",
            run_id=run,
            params=_pairs(parameters),
            metrics=[
                {"key": k, "value": v, "timestamp": at, "step": 0} for k, v in metrics.items()
            ],
            tags=_pairs(tags),
        )

    async def end(self, run: str, state: str, at: int) -> None:
        """Sets its state, and when it ended (milliseconds)."""
        await self._post("runs/update", run_id=run, status=state, end_time=at)

    async def artifact(self, run: Run, name: str, data: bytes) -> bool:
        """Stores a file of a run; False where the server does not take files for its clients."""
        parts = urlsplit(run.artifacts)
        if parts.scheme != "mlflow-artifacts":
            return False
        path = f"{parts.path.strip('/')}/{name}"
        url = f"{self._uri}/api/2.0/mlflow-artifacts/artifacts/{quote(path)}"
        _checked(await self._ask("PUT", url, data))
        return True

    async def register(self, model: str) -> None:
        """Makes the registered model, if it is not there."""
        try:
            await self._post("registered-models/create", name=model)
        except MlflowError as error:
            if error.code != "RESOURCE_ALREADY_EXISTS":
                raise

    async def versions(self, model: str, tag: str, value: str) -> list[str]:
        """Numbers of the model's versions with a tag."""
        text = f"name = '{model}' and tags.`{tag}` = '{value}'"
        found = await self._get("model-versions/search", filter=text, max_results=str(_PAGE))
        return [str(item["version"]) for item in found.get("model_versions", ())]

    async def add(self, model: str, source: str, run: str, tags: Object) -> str:
        """A new version of a registered model; gives its number."""
        made = await self._post(
            "model-versions/create", name=model, source=source, run_id=run, tags=_pairs(tags)
        )
        return str(made["model_version"]["version"])

    async def alias(self, model: str, alias: str) -> str | None:
        """The version that has it; None also when there is no such model."""
        try:
            found = await self._get("registered-models/alias", name=model, alias=alias)
        except MlflowError as error:
            if error.code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise
        return str(found["model_version"]["version"])

    async def set_alias(self, model: str, alias: str, version: str | None) -> None:
        """Moves it; None takes it away."""
        if version is None:
            body = orjson.dumps({"name": model, "alias": alias})
            _checked(await self._ask("DELETE", self._api("registered-models/alias"), body))
        else:
            await self._post("registered-models/alias", name=model, alias=alias, version=version)

    async def _get(self, what: str, **query: str) -> dict[str, Any]:
        return _checked(await self._ask("GET", f"{self._api(what)}?{urlencode(query)}"))

    async def _post(self, what: str, **body: Any) -> dict[str, Any]:
        return _checked(await self._ask("POST", self._api(what), orjson.dumps(body)))

    def _api(self, what: str) -> str:
        return f"{self._uri}/api/2.0/mlflow/{what}"

    async def _ask(self, method: str, url: str, data: bytes | None = None) -> Answer:
        headers = {**self._headers, "Content-Type": "application/json"}
        return await self._outside.request(
            method, url, data=data, headers=headers, most=_MOST_ANSWER
        )


def authorization(secret: Object) -> str:
    """The header of a Secret (v1) with a `token`, or `username` and `password`."""
    name, data = secret["metadata"]["name"], secret.get("data") or {}
    try:
        texts = {key: base64.b64decode(data[key]).decode().strip() for key in data}
        if "token" in texts:
            return f"Bearer {texts['token']}"
        both = f"{texts['username']}:{texts['password']}"
    except (KeyError, ValueError) as error:
        raise UserError(
            f'Secret "{name}" must have a token, or a username and a password, in text'
        ) from error
    return "Basic " + base64.b64encode(both.encode()).decode()


def _checked(answer: Answer) -> dict[str, Any]:
    """The JSON of an answer. MlflowError where MLflow refuses in its own words, UnavailableError or
    RefusedError otherwise."""
    try:
        told = orjson.loads(answer.body or b"{}")
    except orjson.JSONDecodeError:
        told = None
    if answer.status < 500 and isinstance(told, dict) and "error_code" in told:
        raise MlflowError(str(told["error_code"]), str(told.get("message", "")))
    answer.check()
    if not isinstance(told, dict):
        raise RefusedError("it answers what MLflow does not: is it an MLflow server?")
    return told


def _run(item: Object) -> Run:
    info = item["info"]
    return Run(
        id=info["run_id"],
        artifacts=info.get("artifact_uri", ""),
        deleted=info.get("lifecycle_stage") == "deleted",
        tags={tag["key"]: tag["value"] for tag in item.get("data", {}).get("tags", ())},
    )


def _pairs(values: Object) -> Sequence[dict[str, Any]]:
    return [{"key": key, "value": value} for key, value in values.items()]
