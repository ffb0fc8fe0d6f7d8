"""Two operators: one works, and when it dies, hangs or goes, the other takes over; nothing is done
twice, and nothing is left undone."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import models
import psutil
import pytest
from chosen import chosen
from clusters import Cluster
from drifting import bodies, loop, rows
from harness import Space, eventually
from trial import canary

pytestmark = pytest.mark.alone
#: Seconds of the lease where a test waits for it to run out more than once.
SHORT = 3


@pytest.fixture(scope="module")
def cluster(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("quick")
    with chosen(request.config, folder, 2, PAWL_LEASE_SECONDS=str(SHORT)) as made:
        yield made


@pytest.fixture
def usual(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Space]:
    """A namespace of a cluster whose lease is as long as it is everywhere."""
    with chosen(request.config, tmp_path, 2) as made:
        space = Space(made)
        space.open()
        try:
            yield space
        finally:
            space.close()


def both(cluster: Cluster) -> None:
    """Waits until one works and the other stands by: it is said once all has been seen."""
    eventually(lambda: bool(cluster.holder()), "a holder of the lease")
    eventually(lambda: len(cluster.operators()) == 2, "two operators")


def ends(space: Space, by: Callable[[psutil.Process], None]) -> float:
    """Does something to the leader and gives the seconds until the other has done work."""
    old = space.cluster.holder()
    name = f"late-{old.rpartition('_')[2]}"
    by(space.cluster.leader())
    begun = time.monotonic()
    models.imported(space, name, 1, b"no model")
    space.until("ModelVersion", f"{name}-v1", lambda s: "conditions" in s)
    assert space.cluster.holder() not in (old, "")
    return time.monotonic() - begun


def test_the_other_takes_over_in_3_s_after_a_termination_and_in_20_s_after_a_kill(usual: Space):
    both(usual.cluster)
    models.imported(usual, "first", 1, b"no model")
    usual.until("ModelVersion", "first-v1", lambda s: "conditions" in s)
    stands_by(usual.cluster)
    terminated = ends(usual, psutil.Process.terminate)
    both(usual.cluster)
    stands_by(usual.cluster)
    killed = ends(usual, psutil.Process.kill)
    print(f"takeover after SIGTERM {terminated:.1f} s, after SIGKILL {killed:.1f} s")
    assert terminated <= 3
    assert killed <= 20


def stands_by(cluster: Cluster) -> None:
    """Waits until the other one has connections to the API server: one a kind that it watches."""
    leader = cluster.leader().pid
    eventually(
        lambda: any(connections(p.pid) > 10 for p in cluster.operators() if p.pid != leader),
        "a standby",
    )


def connections(pid: int) -> int:
    """How many TCP connections a process has in its own network namespace; 0 if it has ended."""
    folder = Path(f"/proc/{pid}")
    try:
        sockets = {os.readlink(fd) for fd in (folder / "fd").iterdir()}
        lines = "".join((folder / "net" / name).read_text() for name in ("tcp", "tcp6"))
    except OSError:
        return 0
    fields = [line.split() for line in lines.splitlines()]
    return sum(f[3] == "01" and f"socket:[{f[9]}]" in sockets for f in fields)  # 01: established


def test_a_leader_that_hung_does_nothing_any_more_when_it_goes_on(space: Space):
    both(space.cluster)
    stands_by(space.cluster)
    hung = space.cluster.leader()
    ends(space, psutil.Process.suspend)
    models.imported(space, "meanwhile", 1, b"no model")
    space.until("ModelVersion", "meanwhile-v1", lambda s: "conditions" in s)
    now = space.cluster.holder()
    hung.resume()
    hung.wait(10)  # it notices and ends
    assert space.cluster.holder() == now
    told = Counter((e["involvedObject"]["name"], e["reason"]) for e in space.list("Event"))
    assert told
    assert set(told.values()) == {1}


class Killer:
    """Kills the leader once at each of some moments, in their order."""

    def __init__(self, cluster: Cluster, *moments: Callable[[], bool]) -> None:
        self.kills = 0
        self._cluster = cluster
        self._moments = moments
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="killer")

    def __enter__(self) -> Killer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        for moment in self._moments:
            while not moment():
                if self._stop.wait(0.05):
                    return
            both(self._cluster)
            self._cluster.leader().send_signal(signal.SIGKILL)
            self.kills += 1


def test_a_leader_killed_at_every_turn_of_the_loop_does_nothing_twice(space: Space):
    """A training, the retrain that drift starts, and the rollout of what it made."""

    def pod_of(selector: str) -> bool:
        return bool(space.list("Pod", selector))

    def phase() -> object:
        return (space.status("Deployment", "cancer").get("rollout") or {}).get("phase")

    both(space.cluster)
    moments = (
        lambda: pod_of("pawl.dev/training-job=recipe"),
        lambda: space.get("ModelVersion", "cancer-v1") is not None,
        lambda: bool(space.list("TrainingJob", "pawl.dev/deployment=cancer")),
        lambda: len(space.list("Job")) == 2,
        lambda: space.get("ModelVersion", "cancer-v2") is not None,
        lambda: phase() == "Canary",
    )
    long = {"canary": canary((20, "1s"), (50, "1h")), "decision": {"minSamples": 20}}
    with Killer(space.cluster, *moments) as killer, loop(space, rollout=long) as seen:
        seen.until("Drifted", "False", "AsBefore")
        space.put("cancer.parquet", rows(13))
        seen.load.bodies = bodies(rows(13))
        eventually(
            lambda: killer.kills == len(moments),
            lambda: f"kills: {killer.kills}, {seen.status()}",
            120,
        )
        space.patch("Deployment", "cancer", {"rollout": {"canary": canary((20, "1s"), (50, "1s"))}})
        space.serving("cancer", "cancer-v2")
        assert len(seen.retrains) == 1
        status = seen.status()
    assert [(h["version"], h["reason"]) for h in status["history"]] == [
        ("cancer-v2", "Promoted"),
        ("cancer-v1", "Promoted"),
    ]
    versions = [item["metadata"]["name"] for item in space.list("ModelVersion")]
    assert sorted(versions) == ["cancer-v1", "cancer-v2"]
    runs = [job["metadata"]["labels"]["pawl.dev/training-job"] for job in space.list("Job")]
    assert len(set(runs)) == len(runs) == 2
    assert len(space.list("Workload", "pawl.dev/role=server")) == 1
    told = Counter(
        (e["involvedObject"]["name"], e["reason"], e["message"])
        for e in space.list("Event")
        if e.get("reportingComponent") == "pawl-operator"
    )
    assert set(told.values()) == {1}, told
