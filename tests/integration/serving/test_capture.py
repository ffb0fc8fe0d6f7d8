"""A server and the writer beside it, as in a pod."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

Start = Callable[..., Any]
KEY = base64.b64encode(b"k" * 32).decode()


class Pod:
    """Both containers, with a folder that they share."""

    def __init__(self, start: Start, port: int, folder: Path, **changes: str) -> None:
        self.lake = folder / "lake"
        shared = {"PAWL_CAPTURE_DIR": str(folder / "spool")}
        self.server = start(
            **{
                **shared,
                "PAWL_MONITOR_PORT": str(port),
                "PAWL_FEEDBACK_KEY": KEY,
                "PAWL_CAPTURE": '{"percent": 100, "hash": ["b"]}',
                "PAWL_POD": "churn-v7-abc",
                **changes,
            }
        )
        env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(Path(__file__).parents[3] / "operator"),
            "PAWL_CAPTURE_URI": self.lake.as_uri(),
            **shared,
        }
        command = [sys.executable, "-m", "pawl.capture", "write"]
        self._log = folder / "writer.log"
        with self._log.open("wb") as out:
            self.writer = subprocess.Popen(command, env=env, stdout=out, stderr=out)
        self.server.until(lambda: '"ready"' in self._log.read_text())

    def files(self, kind: str) -> list[Path]:
        return sorted((self.lake / kind).rglob("*.parquet"))

    def table(self, kind: str) -> pa.Table:
        return pa.concat_tables([pq.ParquetFile(path).read() for path in self.files(kind)])

    def stop(self) -> None:
        """As a kubelet does: both are told at once."""
        self.writer.send_signal(signal.SIGTERM)
        self.server.process.send_signal(signal.SIGTERM)
        assert self.server.process.wait(20) == 0
        assert self.writer.wait(20) == 0, self._log.read_text()


@pytest.fixture
def pod_of(
    start: Start, free_port: Callable[[], int], tmp_path: Path
) -> Iterator[Callable[..., Pod]]:
    pods = []

    def begin(**changes: str) -> Pod:
        pods.append(Pod(start, free_port(), tmp_path, **changes))
        return pods[-1]

    yield begin
    for pod in pods:
        pod.writer.kill()
        pod.writer.wait(10)


@pytest.mark.parametrize("processes", ["1", "2"])
def test_predictions_and_their_truth_are_in_the_store_when_the_pod_has_ended(
    processes: str, pod_of: Callable[..., Pod]
) -> None:
    pod = pod_of(PAWL_PROCESSES=processes)
    answers = [pod.server.infer(row, 1.0).json() for row in range(20)]
    tokens = [answer["parameters"]["feedback"] for answer in answers]
    entries = [{"token": token, "truth": True} for token in tokens[:5]]
    pod.server.ask("POST", "/v2/models/churn/feedback", {"feedback": entries})
    pod.stop()
    made = pod.table("predictions").sort_by("a")
    assert made.column("a").to_pylist() == list(range(20))
    assert made.column("pawl_id").to_pylist() == [token[:16] for token in tokens]
    assert made.column("pawl_label").to_pylist() == [
        answer["outputs"][0]["data"][0] for answer in answers
    ]
    assert len(set(made.column("b").to_pylist())) == 1
    assert len(made.column("b")[0].as_py()) == 32
    told = pod.table("feedback")
    assert sorted(told.column("pawl_id").to_pylist()) == sorted(token[:16] for token in tokens[:5])
    names = [path.name for path in pod.files("predictions")]
    assert all(name.startswith("churn-v7-abc-") for name in names)


def test_files_end_in_time_and_the_server_says_how_many_rows_there_were(
    pod_of: Callable[..., Pod],
) -> None:
    pod = pod_of(PAWL_CAPTURE_ROLL_SECONDS="0.1")
    pod.server.infer(1.0, 2.0)
    pod.server.until(lambda: pod.files("predictions"))
    assert pod.table("predictions").num_rows == 1
    assert pod.server.metric('pawl_capture_rows_total{kind="predictions"}') == 1
    assert pod.server.metric('pawl_capture_dropped_total{reason="queue"}') == 0


def test_a_server_answers_when_nobody_takes_what_it_captures(pod_of: Callable[..., Pod]) -> None:
    pod = pod_of()
    pod.writer.kill()
    for row in range(50):
        assert pod.server.infer(row, 0.0).status == 200
    pod.server.until(lambda: pod.server.metric("pawl_capture_spool_bytes") > 1000)
    assert pod.server.stop() == 0


def test_rows_of_a_server_that_was_killed_are_kept(pod_of: Callable[..., Pod]) -> None:
    pod = pod_of()
    pod.server.infer(1.0, 2.0)
    rows = 'pawl_capture_rows_total{kind="predictions"}'
    pod.server.until(lambda: pod.server.metric(rows) == 1)
    pod.server.process.kill()
    pod.server.process.wait(10)
    pod.server.until(lambda: pod.files("predictions"))
    assert pod.table("predictions").num_rows == 1


def test_a_server_that_cannot_capture_serves_and_says_so(pod_of: Callable[..., Pod]) -> None:
    pod = pod_of(PAWL_CAPTURE='{"percent": 100, "drop": ["emial"]}')
    assert pod.server.infer(1.0, 2.0).status == 200
    assert pod.server.metric("pawl_capture_active") == 0
    assert "emial is no input of the model" in pod.server.log


def test_pyarrow_is_not_in_the_serving_process(pod_of: Callable[..., Pod]) -> None:
    pod = pod_of()
    pod.server.infer(1.0, 2.0)
    maps = Path(f"/proc/{pod.server.process.pid}/maps").read_text()
    assert "onnxruntime" in maps
    assert "pyarrow" not in maps
