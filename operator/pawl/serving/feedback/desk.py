"""Both sides of feedback, made for the version that a pod serves."""

from __future__ import annotations

from pawl.artifacts.records import Signature
from pawl.serving.feedback.ledger import Ledger
from pawl.serving.feedback.seen import Seen
from pawl.serving.feedback.taker import Taker, Told
from pawl.serving.feedback.tokens import Opener, Sealer
from pawl.serving.monitor.memory import LABELS, VALUES, Memory
from pawl.serving.monitor.predictions import Kind
from pawl.serving.monitor.recorder import Recorder
from pawl.serving.settings import Settings


def feedback_of(
    settings: Settings,
    memory: Memory,
    recorder: Recorder,
    signature: Signature,
    kind: Kind | None,
    told: Told | None = None,
) -> tuple[Sealer | None, Taker]:
    """No sealer when the signature does not tell what is predicted. There must be a key."""
    keys, classes = settings.feedback_keys, signature.classes
    sealer = None
    if kind is not None:
        said = VALUES if kind == "value" else LABELS
        sealer = Sealer(keys, settings.model, settings.version, said, classes)
    taker = Taker(
        Opener(keys, settings.model),
        Ledger(memory, settings.version),
        Seen(memory),
        classes=classes,
        max_age=settings.feedback_max_age,
        second=recorder.second,
        told=told,
    )
    return sealer, taker
