"""What the server does, without any transport: metadata, readiness and inference.

An infer request is decoded at once (errors are raised), queued, and answered through its `Reply`
when its batch has been scored.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, zip_longest
from time import time
from typing import TYPE_CHECKING, Any, Protocol

import orjson

import pawl
from pawl.artifacts.records import Baseline, Signature, Tensor
from pawl.serving import counters as c
from pawl.serving.batching import Batcher, Limits
from pawl.serving.capture.exposition import exposition as capture_exposition
from pawl.serving.codec import Codec, Feed, Outputs, Rows, answer, join
from pawl.serving.counters import Counters
from pawl.serving.engine.base import Engine
from pawl.serving.errors import EngineError, NotReadyError, NotServedError
from pawl.serving.metrics import exposition
from pawl.serving.monitor.recorder import Recorder
from pawl.serving.protocol import InferRequest, answer_head, infer_response, parse_infer
from pawl.serving.scored import Asked
from pawl.serving.settings import Settings

if TYPE_CHECKING:  # what is not used is not loaded
    from pawl.serving.capture.capture import Capture
    from pawl.serving.feedback.taker import Taker
    from pawl.serving.feedback.tokens import Sealer

LOGGER = logging.getLogger(__name__)


class Reply(Protocol):
    """Where the answer to one infer request goes; one of `send` and `fail` is called, once."""

    @property
    def request(self) -> Asked:
        """What the recorder wants to know of the request."""

    @property
    def abandoned(self) -> bool:
        """Whether the client is gone."""

    def send(self, body: bytes) -> None:
        """The answer."""

    def fail(self, error: Exception) -> None:
        """There is none, because of a PawlError."""


@dataclass(frozen=True)
class Served:
    """A loaded and verified model. `sent`: the signature with the columns that clients send in the
    place of the features."""

    signature: Signature
    sent: Signature
    codec: Codec
    engine: Engine
    baseline: Baseline | None
    batchable: bool
    seconds_per_row: float
    load_seconds: float


class _InferJob:
    """A decoded request on its way through the batcher (see `batching.Job`)."""

    __slots__ = ("reply", "request", "rows")

    def __init__(self, request: InferRequest, rows: Rows, reply: Reply) -> None:
        self.request = request
        self.rows = rows
        self.reply = reply

    @property
    def abandoned(self) -> bool:
        return self.reply.abandoned

    def fail(self, error: Exception) -> None:
        self.reply.fail(error)


class Dataplane:
    """One version of one model; before `install` it is alive but not ready."""

    def __init__(
        self, settings: Settings, counters: Counters, recorder: Recorder | None = None
    ) -> None:
        self.model = settings.model
        self.version = settings.version
        self._head = answer_head(settings.model, settings.version)
        self.counters = counters
        self._settings = settings
        self._served: Served | None = None
        self._batcher: Batcher[_InferJob] | None = None
        self._recorder = recorder
        self._sealer: Sealer | None = None
        self._taker: Taker | None = None
        self._capture: Capture | None = None

    def begin(self) -> None:
        """Connections are taken from now on, though the model is not there yet."""
        self.counters.mine[c.STATE] = c.STATE_LOADING

    def install(
        self,
        served: Served,
        sealer: Sealer | None = None,
        taker: Taker | None = None,
        capture: Capture | None = None,
    ) -> None:
        """Begins to answer, with feedback tokens if there is a sealer. To be called on the event
        loop."""
        settings = self._settings
        limits = Limits(
            max_rows=settings.max_batch_rows if served.batchable else 1,
            max_delay=settings.max_batch_delay,
            max_waiting=settings.max_waiting,
            max_waiting_rows=4 * max(settings.max_rows, settings.max_batch_rows),
            max_wait=settings.max_wait,
        )
        self._batcher = Batcher(served.engine.run, self._deliver, limits, served.seconds_per_row)
        self._served = served
        self._sealer = sealer
        self._taker = taker
        self._capture = capture
        self.counters.mine[c.LOAD_SECONDS] = served.load_seconds
        if self.counters.mine[c.STATE] != c.STATE_DRAINING:
            self.counters.mine[c.STATE] = c.STATE_READY

    @property
    def ready(self) -> bool:
        """Whether this pod should be sent requests."""
        return self.counters.ready

    def drain(self) -> None:
        """From now on not ready, though requests are still answered."""
        self.counters.mine[c.STATE] = c.STATE_DRAINING

    def close(self) -> None:
        """Nothing may be asked any more."""
        if self._batcher is not None:
            self._batcher.close()
        if self._capture is not None:
            self._capture.outlet.close()

    def check(self, model: str, version: str | None) -> None:
        """NotServedError for any other model or version."""
        if model != self.model:
            raise NotServedError(f"model {model[:80]!r} is not served here; {self.model!r} is")
        if version is not None and version != self.version:
            raise NotServedError(
                f"version {version[:80]!r} of {self.model} is not served here; {self.version!r} is"
            )

    def server_metadata(self) -> bytes:
        """GET /v2"""
        return orjson.dumps({"name": "pawl", "version": pawl.__version__, "extensions": []})

    def model_metadata(self) -> bytes:
        """GET /v2/models/{model}; NotReadyError while the signature is not known."""
        signature = self._loaded().signature
        parameters: dict[str, Any] = {"layout": signature.layout}
        if signature.task is not None:
            parameters["task"] = signature.task
        if signature.classes:
            parameters["classes"] = list(signature.classes)
        if signature.threshold is not None:
            parameters["threshold"] = signature.threshold
        return orjson.dumps(
            {
                "name": self.model,
                "versions": [self.version],
                "platform": self._loaded().engine.name,
                "inputs": [_described(tensor) for tensor in signature.inputs],
                "outputs": [_described(tensor) for tensor in signature.outputs],
                "parameters": parameters,
            }
        )

    def metrics(self) -> bytes:
        """GET /metrics"""
        counted = self._recorder.exposition() if self._recorder is not None else ()
        info = {
            "model": self.model,
            "version": self.version,
            "engine": self._served.engine.name if self._served else "",
            "digest": self._settings.artifact_digest,
        }
        captured: Iterable[str] = ()
        if self._settings.capture is not None:
            waiting = self._capture.outlet.waiting if self._capture is not None else None
            captured = capture_exposition(self.counters, waiting)
        return exposition(self.counters, info, chain(counted, captured))

    def infer(self, body: bytes, reply: Reply) -> None:
        """Raises SignatureError, TooLargeError, OverloadedError or NotReadyError at once; else
        answers through `reply` later."""
        served = self._served
        if served is None or self._batcher is None:
            raise NotReadyError("the model is being loaded")
        self._batcher.admit()
        request = parse_infer(body)
        job = _InferJob(request, served.codec.decode(request), reply)
        self._batcher.submit(job)
        self.counters.mine[c.WAITING] = self._batcher.waiting

    def feedback(self, body: bytes) -> bytes:
        """What became of the tokens in it. Raises SignatureError, TooLargeError, NotServedError or
        NotReadyError."""
        self._loaded()
        if self._taker is None:
            raise NotServedError("feedback is not taken here: the pod has no key for it")
        return self._taker.take(body)

    def _deliver(self, jobs: list[_InferJob], feed: Feed, outputs: Outputs, seconds: float) -> None:
        served = self._loaded()
        count = sum(job.rows.size for job in jobs)
        mine = self.counters.mine
        mine[c.ENGINE_SECONDS] += seconds
        mine[c.ROWS] += count
        self.counters.observe(c.BATCH, count)
        if self._batcher is not None:
            mine[c.WAITING] = self._batcher.waiting
        try:
            columns, non_finite, said = served.codec.render(outputs, count)
        except (ValueError, KeyError) as error:
            LOGGER.error("the model's outputs do not fit", extra={"fields": {"error": str(error)}})
            for job in jobs:
                job.fail(EngineError("the model's outputs do not fit its signature"))
            return
        if non_finite:
            mine[c.NON_FINITE] += non_finite
        tokens: list[bytes | None] = []
        if self._sealer is not None:
            tokens = self._sealer.seal(jobs, said, time())
        start = 0
        for job, token in zip_longest(jobs, tokens):
            stop = start + job.rows.size
            outputs_of_job = answer(columns, start, stop, job.request.outputs)
            body = infer_response(self._head, job.request.id, outputs_of_job, token)
            job.reply.send(body)
            start = stop
        if self._recorder is not None:
            self._recorder.answered(jobs, feed, said, count, _sealed(jobs, tokens, count))
        if self._capture is not None:
            self._capture.answered(jobs, tokens, _sent(jobs, feed), said)

    def _loaded(self) -> Served:
        if self._served is None:
            raise NotReadyError("the model is being loaded")
        return self._served


def _sealed(jobs: list[_InferJob], tokens: list[bytes | None], count: int) -> int:
    """How many of `count` rows have a token."""
    if not tokens:
        return 0
    if None not in tokens:
        return count
    return sum(job.rows.size for job, token in zip(jobs, tokens, strict=True) if token is not None)


def _sent(jobs: list[_InferJob], feed: Feed) -> Feed:
    """What the clients sent, which may not be what the model was fed."""
    sent = [job.rows.sent for job in jobs if job.rows.sent is not None]
    return join(sent) if sent else feed


def _described(tensor: Tensor) -> dict[str, Any]:
    return {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.shape)}
