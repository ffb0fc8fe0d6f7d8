"""The operator's side of the artifact store: results, number claims, decisions, verification.

Everything that may wait for a disk or a network runs in threads; the event loop never does.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import orjson
from pydantic import ValidationError

from pawl.api.modelversion import Artifact
from pawl.artifacts import signing
from pawl.artifacts.bundle import bundle_exists, fetch_bundle
from pawl.artifacts.redact import redact
from pawl.artifacts.retry import Retry
from pawl.artifacts.runs import Result, StoreRef, read_result
from pawl.artifacts.store import open_store
from pawl.artifacts.uris import NOT_ALLOWED, Guard
from pawl.control.kept_hours import KeptHours
from pawl.control.metrics import STORE_ERRORS, STORE_SECONDS
from pawl.control.trials import Trials
from pawl.core import recall
from pawl.core.installation import Installation
from pawl.core.modelversion import Verification
from pawl.errors import ConflictError, IntegrityError, NotAllowedError, StoreError, UserError
from pawl.tracing import span

T = TypeVar("T")
_MAX_RECORD = 4 << 20
_THREADS = 8
_MOST_LINES = 50


class Records:
    """One store, of one installation."""

    def __init__(self, installation: Installation) -> None:
        self._id = installation.id
        self._uris = installation.uris
        # The queue tries again later; here a request is only tried twice.
        self._retry = Retry(attempts=2)
        self._store = open_store(installation.store, retry=self._retry)
        keys = installation.verify_keys
        self._keys = signing.public_keys(keys) if keys else ()
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="store")
        self.trials = Trials(self._store, self._do)
        self.kept_hours = KeptHours(self._store, self._do, installation.id)

    async def result(self, uid: str, run: int) -> Result | None:
        """result.json of a run, if it is there. StoreError when the store does not answer."""

        def read() -> Result | None:
            try:
                data = self._store.get(f"runs/{uid}-{run}/result.json", max_bytes=_MAX_RECORD)
            except FileNotFoundError:
                return None
            return read_result(data)

        try:
            return await self._do("result", read)
        except ValidationError as error:
            raise StoreError(f"result.json of run {run} cannot be read: {error}") from error

    async def claims(
        self, namespace: str, model: str, number: int | None
    ) -> tuple[int, str | None]:
        """The highest number ever claimed for a model, and who claimed `number`."""
        folder = self._numbers(namespace, model)

        def read() -> tuple[int, str | None]:
            names = [path.rsplit("/", 1)[-1].removesuffix(".json") for path in self._list(folder)]
            highest = max((int(name) for name in names if name.isdigit()), default=0)
            if number is None or str(number) not in names:
                return highest, None
            data = self._store.get(f"{folder}/{number}.json", max_bytes=_MAX_RECORD)
            return highest, str(orjson.loads(data)["key"])

        return await self._do("claims", read)

    async def claim(self, namespace: str, model: str, number: int, key: str) -> None:
        """Claim a number for a run; ConflictError when another run has it."""
        path = f"{self._numbers(namespace, model)}/{number}.json"

        def write() -> None:
            try:
                self._store.put(path, orjson.dumps({"key": key}))
            except ConflictError:
                holder = orjson.loads(self._store.get(path, max_bytes=_MAX_RECORD))["key"]
                if holder != key:
                    raise

        await self._do("claim", write)

    async def decide(
        self, namespace: str, model: str, name: str, content: Any, folder: str = "log"
    ) -> None:
        """Append a decision; one that is there already stays as it is."""
        path = f"{self._decisions(namespace, model, folder)}/{name.replace(':', '')}.json"

        def write() -> None:
            try:
                self._store.put(path, orjson.dumps(content, option=orjson.OPT_SORT_KEYS))
            except ConflictError:
                return

        await self._do("decide", write)

    async def log(self, namespace: str, model: str, deployment: str) -> list[Any]:
        """The end of the log of a Deployment, newest first, and however far back it is, the line
        that tells which version became its stable one last."""
        folder = self._decisions(namespace, model)

        def read() -> list[Any]:
            found: list[Any] = []
            told = False
            for path in reversed(self._list(folder)):
                enough = len(found) >= _MOST_LINES
                if enough and told:
                    break
                if f"-{deployment}-" not in path or (enough and not recall.tells_stable(path)):
                    continue
                content = orjson.loads(self._store.get(path, max_bytes=_MAX_RECORD))
                if content.get("deployment") == deployment:
                    found.append(content)
                    told = told or "served" in content
            return found

        return await self._do("log", read)

    async def versions(
        self, namespace: str, model: str, wanted: Callable[[str, str, str], bool]
    ) -> tuple[Any, ...]:
        """Recorded ModelVersions whose bytes are there still. `wanted` is asked with the name, the
        digest and the digest of the recipe, as `recall.version_file` has them."""

        def read() -> tuple[Any, ...]:
            paths = self._list(self._decisions(namespace, model, "versions"))
            retired = {_file(p) for p in self._list(self._decisions(namespace, model, "retired"))}
            named = {path: _file(path).split(".")[:3] for path in paths}
            named = {path: parts for path, parts in named.items() if _file(path) not in retired}
            chosen = [path for path, parts in named.items() if len(parts) == 3 and wanted(*parts)]
            log = self._list(self._decisions(namespace, model)) if chosen else []
            found = {}
            for path in chosen:
                content = orjson.loads(self._store.get(path, max_bytes=_MAX_RECORD))
                if self._is_there(content["spec"]["artifact"]["uri"], namespace):
                    name = named[path][0]
                    found[name] = recall.restored(namespace, content, recall.approval(name, log))
            return tuple(found.values())

        return await self._do("versions", read)

    def _is_there(self, uri: str, namespace: str) -> bool:
        if self._uris.problem(uri, namespace, artifact=True):
            return False
        with suppress(NotAllowedError):
            return bundle_exists(uri, retry=self._retry, guard=Guard(self._uris.of(namespace)))
        return False

    @property
    def keys(self) -> frozenset[str]:
        """The ids of the keys that are trusted; none: signatures are not asked for."""
        return frozenset(key.id for key in self._keys)

    async def files(
        self, bundle: StoreRef, namespace: str, names: Collection[str]
    ) -> dict[str, bytes]:
        """Files of a bundle by name, verified; none of one that has been removed."""
        guard = Guard(self._uris.of(namespace))

        def read() -> dict[str, bytes]:
            with tempfile.TemporaryDirectory(prefix="pawl-files-") as scratch:
                folder = Path(scratch)
                with suppress(FileNotFoundError):
                    fetch_bundle(
                        bundle.uri,
                        bundle.digest,
                        folder,
                        names=names,
                        retry=self._retry,
                        guard=guard,
                    )
                found = (folder / name for name in names)
                return {path.name: path.read_bytes() for path in found if path.exists()}

        return await self._do("files", read)

    async def verify(self, artifact: Artifact, namespace: str) -> Verification:
        """Look who has signed an artifact, where that is asked for, then read it whole and compare
        every digest. Never raises for a bad artifact; one that the namespace may not name is not
        read."""
        problem = self._uris.problem(artifact.uri, namespace, artifact=True)
        if problem:
            return Verification(reason=NOT_ALLOWED, message=problem)
        guard = Guard(self._uris.of(namespace))

        def read() -> Verification:
            signed_by = None
            if self._keys:
                signed_by = signing.verify(
                    artifact.uri, artifact.digest, self._keys, retry=self._retry, guard=guard
                )
            with tempfile.TemporaryDirectory(prefix="pawl-verify-") as folder:
                fetch_bundle(
                    artifact.uri, artifact.digest, Path(folder), retry=self._retry, guard=guard
                )
            return Verification(digest=artifact.digest, signed_by=signed_by)

        try:
            return await self._do("verify", read)
        except IntegrityError as error:
            final = error.reason != "SignatureMissing"  # somebody may sign it yet
            return Verification(reason=error.reason, message=str(error), final=final)
        except FileNotFoundError:
            text = f"{redact(artifact.uri)} does not exist"
            return Verification(reason="ArtifactMissing", message=text, final=True)
        except UserError as error:
            final = error.reason != NOT_ALLOWED
            return Verification(reason=error.reason, message=str(error), final=final)
        except StoreError as error:
            return Verification(reason=error.reason, message=str(error))

    def close(self) -> None:
        """Do not wait for reads under way."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._store.close()

    def _numbers(self, namespace: str, model: str) -> str:
        return f"decisions/{self._id}/{namespace}/{model}/numbers"

    def _decisions(self, namespace: str, model: str, folder: str = "log") -> str:
        return f"decisions/{self._id}/{namespace}/{model}/{folder}"

    def _list(self, folder: str) -> list[str]:
        try:
            return self._store.list(folder)
        except FileNotFoundError:
            return []

    async def _do(self, operation: str, work: Callable[[], T]) -> T:
        try:
            with STORE_SECONDS.labels(operation).time(), span(f"store {operation}"):
                return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        except StoreError:
            STORE_ERRORS.labels(operation).inc()
            raise


def _file(path: str) -> str:
    """The name of a record without its folder and its ending."""
    return path.rsplit("/", 1)[-1].removesuffix(".json")
