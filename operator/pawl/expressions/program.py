"""Several definitions, each of which may use the columns and the definitions before it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pawl.expressions.evaluate import evaluate
from pawl.expressions.kinds import FORMS, Kind
from pawl.expressions.tree import (
    Call,
    Column,
    Constant,
    ExpressionError,
    Fitted,
    Node,
    columns_of,
    fitted_of,
    parse,
)

_DTYPES: dict[Kind, Any] = {"number": np.float64, "boolean": np.float64, "text": object}


@dataclass(frozen=True, slots=True)
class Definition:
    """A name, its tree, and the kind of its values."""

    name: str
    node: Node
    kind: Kind


@dataclass(frozen=True, slots=True)
class Program:
    """Typed definitions, in order. `inputs` are the columns that they read, `fitted` the statistics
    that are known."""

    definitions: tuple[Definition, ...]
    inputs: Mapping[str, Kind]
    fitted: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def compile(
        cls,
        texts: Iterable[tuple[str, str]],
        kinds: Mapping[str, Kind],
        fitted: Mapping[str, float],
    ) -> Program:
        """`texts`: name and expression; `kinds` of the columns there are. The columns of statistics
        that are `fitted` already need not be there. ExpressionError names the definition that does
        not fit."""
        known = dict(kinds)
        definitions: list[Definition] = []
        read: dict[str, Kind] = {}
        for name, text in texts:
            try:
                node = parse(text)
                kind = _kind(node, known, fitted)
            except ExpressionError as error:
                raise ExpressionError(f"{name}: {error}") from None
            if name in known:
                raise ExpressionError(f"{name}: there is a column of this name already")
            made = {definition.name for definition in definitions}
            read |= {column: known[column] for column in sorted(columns_of(node) - made)}
            definitions.append(Definition(name, node, kind))
            known[name] = kind
        return cls(tuple(definitions), read, fitted)

    @property
    def kinds(self) -> dict[str, Kind]:
        """Of what is defined."""
        return {definition.name: definition.kind for definition in self.definitions}

    def only(self, wanted: Iterable[str]) -> Program:
        """The definitions that `wanted` names, and those that they need; of a fitted program, so
        that what only statistics need is left out."""
        needed = set(wanted)
        kept: list[Definition] = []
        for definition in reversed(self.definitions):
            if definition.name in needed:
                kept.append(definition)
                needed |= columns_of(definition.node)
        inputs = {name: kind for name, kind in self.inputs.items() if name in needed}
        used = {one.key for definition in kept for one in fitted_of(definition.node)}
        fitted = {key: value for key, value in self.fitted.items() if key in used}
        return Program(tuple(reversed(kept)), inputs, fitted)

    def fit(self, columns: Mapping[str, NDArray[Any]], count: int, rows: NDArray[Any]) -> Program:
        """With the statistics that the definitions use, over some of the rows (a mask or indices).
        ExpressionError when none of them has a value."""
        if not self.fits:
            return self
        fitted: dict[str, float] = {}
        known = dict(columns)
        for definition in self.definitions:
            for wanted in fitted_of(definition.node):
                if wanted.key not in fitted:
                    fitted[wanted.key] = _statistic(wanted, known[wanted.column][rows])
            known[definition.name] = _spread(definition, known, fitted, count)
        return replace(self, fitted=fitted)

    @property
    def fits(self) -> frozenset[str]:
        """The columns, and definitions, of which statistics are wanted."""
        return frozenset(
            wanted.column for one in self.definitions for wanted in fitted_of(one.node)
        )

    def require_fitted(self) -> Program:
        """Itself. ExpressionError when a statistic is not known."""
        for one in self.definitions:
            for wanted in fitted_of(one.node):
                if wanted.key not in self.fitted:
                    raise ExpressionError(f"{one.name}: fitted.{wanted.key} is not given")
        return self

    def run(self, columns: Mapping[str, NDArray[Any]], count: int) -> dict[str, NDArray[Any]]:
        """What is defined, of `count` rows, as `evaluate` has values."""
        known = dict(columns)
        for definition in self.definitions:
            known[definition.name] = _spread(definition, known, self.fitted, count)
        return {one.name: known[one.name] for one in self.definitions}


def _spread(
    definition: Definition,
    columns: Mapping[str, NDArray[Any]],
    fitted: Mapping[str, float],
    count: int,
) -> NDArray[Any]:
    """One value a row, side by side in memory: numpy computes some functions otherwise in gaps."""
    with np.errstate(all="ignore"):
        value = evaluate(definition.node, columns, fitted)
    kind = _DTYPES.get(definition.kind, "datetime64[us]")
    if value.shape == (count,):
        return np.ascontiguousarray(value, dtype=kind)
    return np.full(count, value, dtype=kind)


def _statistic(wanted: Fitted, values: NDArray[np.float64]) -> float:
    there = values[~np.isnan(values)]
    if not len(there):
        raise ExpressionError(f"fitted.{wanted.key}: no training row has a value")
    functions: dict[str, Any] = {
        "mean": np.mean, "std": np.std, "min": np.min, "max": np.max, "median": np.median,
    }  # fmt: skip
    found = float(functions[wanted.statistic](there))
    if not np.isfinite(found):
        raise ExpressionError(f"fitted.{wanted.key}: the numbers are too large")
    return found


def _kind(node: Node, known: Mapping[str, Kind], fitted: Mapping[str, float]) -> Kind:
    """The kind of the node's values. ExpressionError when a part does not take what it is given."""
    match node:
        case Column(name):
            return _kind_of_column(name, known)
        case Constant():
            return node.kind
        case Fitted(_, column):
            if node.key not in fitted:
                kind = _kind_of_column(column, known)
                if kind not in ("number", "boolean"):
                    raise ExpressionError(f"fitted.{node.key}: {column} is a {kind}")
            return "number"
        case Call(name, arguments):
            kinds = tuple(_kind(argument, known, fitted) for argument in arguments)
            form = FORMS[name]
            gives = form.rule(kinds)
            if gives is None:
                raise ExpressionError(f"{name} takes {form.wants}, not {', '.join(kinds)}")
            return gives


def _kind_of_column(name: str, known: Mapping[str, Kind]) -> Kind:
    if name not in known:
        raise ExpressionError(
            f'there is no column "{name}", nor a definition of it before this one'
        )
    return known[name]
