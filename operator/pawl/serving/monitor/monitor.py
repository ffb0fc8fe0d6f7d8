"""The monitor of one process: its recorder, and the port on which any process answers for all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pawl.artifacts.records import Baseline, Signature
from pawl.serving.counters import Counters
from pawl.serving.http.server import HttpServer
from pawl.serving.monitor.cells import layout_of
from pawl.serving.monitor.features import Features
from pawl.serving.monitor.http import LIMITS, MonitorRouter
from pawl.serving.monitor.memory import Memory
from pawl.serving.monitor.pages import FeaturePages
from pawl.serving.monitor.predictions import Scores
from pawl.serving.monitor.recorder import Recorder
from pawl.serving.monitor.snapshot import About, Snapshots
from pawl.serving.monitor.steps import Steps
from pawl.serving.settings import Settings
from pawl.serving.supervisor import MonitorPart

if TYPE_CHECKING:
    from pawl.serving.feedback.taker import Taker, Told
    from pawl.serving.feedback.tokens import Sealer


class Monitor:
    """Counts while `recorder` is told; answers between `start` and `close`."""

    def __init__(self, settings: Settings, counters: Counters, part: MonitorPart) -> None:
        memory = Memory(part.blocks, part.index, part.memory)
        about = About(
            settings.model, settings.version, settings.artifact_digest, round(part.started, 3)
        )
        self._settings = settings
        self._memory = memory
        self.recorder = Recorder(
            memory,
            counters,
            warm_up=settings.monitor_warm_up,
            pair_by_body=settings.pair_by == "body",
        )
        self._snapshots = Snapshots(about, memory, counters)
        self._pages = FeaturePages(about, self._snapshots.closed)
        # Counters of its own: who looks at the server is none of its load.
        self._http = HttpServer(
            MonitorRouter(self._snapshots, self._pages).handle, Counters(), LIMITS
        )
        self._listener = part.listener
        self.steps: Steps | None = None

    def install(
        self, signature: Signature, baseline: Baseline | None, told: Told | None = None
    ) -> tuple[Sealer | None, Taker | None]:
        """There is a model from now on. What makes the tokens of its answers, if it says anything
        that can be right or wrong, and what takes feedback and passes it on to `told`; neither
        without a key."""
        scores = Scores(signature, baseline.prediction if baseline is not None else None)
        layout = layout_of(signature, baseline, scores.score_kind)
        self.steps = Steps(self._memory, layout.width, layout.fine)
        self.recorder.install(scores, Features(layout, self.steps))
        self._snapshots.install(scores)
        self._pages.install(layout, self.steps)
        if not self._settings.feedback_keys:
            return None, None
        # Only here: it costs 10 MB.
        from pawl.serving.feedback.desk import feedback_of  # noqa: PLC0415

        return feedback_of(
            self._settings, self._memory, self.recorder, signature, scores.kind, told
        )

    async def start(self) -> None:
        """Answers from now on. Whichever process is free takes a connection."""
        self.recorder.start()
        await self._http.start(self._listener)

    async def close(self) -> None:
        """What was recorded is whole; asking ends."""
        self.recorder.stop()
        await self._http.close(0)
