"""derived.json of a bundle: how the features that a model sees follow from what a client sends.

A pure function of recipe and training rows: the expressions as the recipe has them, and the
statistics that were fitted on the training rows. Trainer and server evaluate it with the same code
(`pawl.expressions`).
"""

from __future__ import annotations

from pawl.artifacts.records import Record
from pawl.expressions import Kind
from pawl.expressions.program import Program


class Input(Record):
    """A column that a client sends."""

    name: str
    kind: Kind


class Definition(Record):
    """A feature, or a step on the way to one."""

    name: str
    expression: str


class Derivation(Record):
    """derived.json. `definitions` in the order of evaluation; `fitted` by `mean(column)`."""

    inputs: tuple[Input, ...]
    definitions: tuple[Definition, ...]
    fitted: dict[str, float]

    def program(self) -> Program:
        """ExpressionError when it is not whole."""
        texts = [(one.name, one.expression) for one in self.definitions]
        kinds = {one.name: one.kind for one in self.inputs}
        return Program.compile(texts, kinds, self.fitted).require_fitted()

    def named(self, *kinds: Kind) -> tuple[str, ...]:
        """The inputs of these kinds, in order."""
        return tuple(one.name for one in self.inputs if one.kind in kinds)
