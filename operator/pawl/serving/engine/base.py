"""What an engine is."""

from __future__ import annotations

from typing import Protocol

from pawl.serving.codec.base import Feed, Outputs


class Engine(Protocol):
    """A loaded model. `run` may be called from any thread, from one at a time."""

    @property
    def name(self) -> str:
        """ "onnx" or "skops"."""

    def run(self, feed: Feed) -> Outputs:
        """The wanted outputs. SignatureError when the model refuses these rows, EngineError
        otherwise."""
