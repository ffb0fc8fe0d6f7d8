"""A rollout under the eyes of its users: a Deployment whose first version serves, under load."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import models
from clusters import Cluster
from harness import Space, eventually
from load import Load
from models import body

MODEL = "mine"
STABLE, CANDIDATE = f"{MODEL}-v1", f"{MODEL}-v2"
#: Proves little, and quickly.
QUICK = {"confidence": 0.9, "minSamples": 20, "deadline": "1h"}
ERRORS = {"metric": "error_rate", "notWorseBy": 0.1}
ANSWERS = {"metric": "disagreement", "max": 0.2}


def shadow(duration: str = "1s", **more: Any) -> dict[str, Any]:
    """A stage of copies whose answers are compared."""
    return {"duration": duration, "gates": [ANSWERS], **more}


def canary(*steps: tuple[int, str], **more: Any) -> dict[str, Any]:
    """Steps of (weight, duration), judged by their errors."""
    found = [{"weight": weight, "duration": duration} for weight, duration in steps]
    return {"steps": found, "gates": [ERRORS], **more}


class Trial:
    """Between enter and exit users send requests; `load` has counted all of them."""

    def __init__(self, space: Space, rollout: dict[str, Any], **spec: Any) -> None:
        self.space = space
        self.load: Load
        self._spec = {
            "model": MODEL,
            "replicas": 1,
            "routing": {"replicas": 1},
            "rollout": {"decision": QUICK, **rollout},
            **spec,
        }
        self._inputs: dict[str, Any] = {}

    def serve(self, **load: Any) -> Trial:
        """Brings the first version up. `load` is for `harness.Load`."""
        models.imported(self.space, MODEL, 1, models.good())
        self.space.create("Deployment", MODEL, self._spec)
        self.space.serving(MODEL, STABLE)
        inputs = {"bodies": [body(models.SMALL)]} | load
        self.load = Load(self.space.url(MODEL), MODEL, inputs.pop("bodies"), **inputs)
        return self

    def __enter__(self) -> Trial:
        self.load.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.load.__exit__()

    def candidate(self, content: bytes, number: int = 2) -> str:
        """A new version, which the Deployment takes up by itself."""
        return models.imported(self.space, MODEL, number, content)

    def edit(self, **rollout: Any) -> None:
        """Changes parts of the spec, as Git would."""
        self.space.patch("Deployment", MODEL, {"rollout": rollout})

    # -- what is told

    @property
    def status(self) -> dict[str, Any]:
        """The Deployment's."""
        return self.space.status("Deployment", MODEL)

    def until(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The status as soon as it holds."""
        return self.space.until("Deployment", MODEL, holds)

    def reaches(self, phase: str, step: int = 0, candidate: str = CANDIDATE) -> dict[str, Any]:
        """The rollout's state, once every router has what this stage or step wants."""

        def there(status: dict[str, Any]) -> bool:
            state = status.get("rollout") or {}
            place = (state.get("candidate"), state.get("phase"), state.get("step", 0))
            return place == (candidate, phase, step) and "stepStartedAt" in state

        return self.until(there)["rollout"]  # type: ignore[no-any-return]

    def ends(self, reason: str, candidate: str = CANDIDATE) -> dict[str, Any]:
        """The status, once a rollout has ended like that and nothing moves any more."""

        def over(status: dict[str, Any]) -> bool:
            history = [(e["version"], e["reason"]) for e in status.get("history", ())]
            quiet = status.get("phase") == "Serving" and not status.get("rollout")
            return quiet and (candidate, reason) in history

        return self.until(over)

    def weights(self) -> dict[str, int]:
        """Version -> its share in the route that is published."""
        config = self.space.get("ConfigMap", f"{MODEL}-router")
        assert config is not None
        route = json.loads(config["metadata"]["annotations"]["pawl.dev/route"])
        return {str(b["version"]): b["weight"] for b in route["backends"] if b["weight"]}

    # -- what users see

    def answered(self, count: int) -> None:
        """Waits for so many more requests, all of them sent from now on."""
        mark = self.load.mark()
        eventually(lambda: len(self.load.since(mark)) >= count, f"{count} more requests")

    def only_answers(self, version: str, requests: int = 100) -> None:
        """Whoever asks from now on gets an answer, and by that version."""
        mark = self.load.mark()
        self.answered(requests)
        assert {(r.version, r.error) for r in self.load.since(mark)} == {(version, "")}

    # -- what is done

    def pawl(self, *words: str, fails: int = 0) -> str:
        """Runs the real command line."""
        return pawl(self.space.cluster, *words, f"mdep/{MODEL}", "-n", self.space.name, fails=fails)


def pawl(cluster: Cluster, *words: str, fails: int = 0) -> str:
    """`pawl …` on a cluster; gives what it printed. It ends with the exit code `fails`."""
    done = subprocess.run(
        [sys.executable, "-m", "pawl", *words],
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "KUBECONFIG": str(cluster.kubeconfig),
            "PAWL_STORE": cluster.store.as_uri(),
        },
    )
    assert done.returncode == fails, f"pawl {' '.join(words)}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr
