"""One ValidatingAdmissionPolicy, compiled: its conditions, variables and validations."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pawl.local.api.admission import scope
from pawl.local.schema import causes, cel
from pawl.local.schema.causes import Cause
from pawl.local.schema.cel.celtypes import BOOL, NULL, STRING, Type
from pawl.local.schema.cel.program import Activation, Program

log = logging.getLogger(__name__)
Obj = dict[str, Any]
Scope = Mapping[str, Type]
_MAX_MESSAGE = 5 * 1024


@dataclass(frozen=True)
class Refusal:
    """A validation that does not hold. `reason` is that of the Status."""

    message: str
    reason: str = "Invalid"


@dataclass(frozen=True)
class Validation:
    source: Obj
    program: Program
    message: Program | None

    def judge(self, activation: Activation) -> Refusal | None:
        """EvaluationError when it cannot be told."""
        if self.program(activation) is True:
            return None
        return Refusal(self._text(activation), self.source.get("reason") or "Invalid")

    def _text(self, activation: Activation) -> str:
        if self.message is not None:
            try:
                text = str(self.message(activation)).strip()
            except cel.EvaluationError:
                text = ""
            if text and "\n" not in text and len(text.encode()) <= _MAX_MESSAGE:
                return text
        said = (self.source.get("message") or "").strip()
        return said or f"failed expression: {self.source['expression'].strip()}"


@dataclass(frozen=True)
class Policy:
    """`match` is spec.matchConstraints; texts are kept beside programs for messages."""

    name: str
    match: Obj
    closed: bool  # failurePolicy Fail
    conditions: tuple[tuple[str, Program], ...]
    variables: Mapping[str, Program]
    validations: tuple[Validation, ...]
    annotations: tuple[tuple[str, Program], ...]

    def judge(self, activation: Activation) -> list[Refusal]:
        """What is wrong with a write that the policy speaks of. `activation` has no variables."""
        # conditions see neither variables nor the namespace
        failed, speaks = self._speaks({**activation, "namespaceObject": None})
        if failed is not None:
            return [failed] if self.closed else []
        if not speaks:
            return []
        mine = {**activation, "variables": scope.Variables(self.variables, activation)}
        judged = [self._judge(validation, mine) for validation in self.validations]
        judged += [self._note(key, program, mine) for key, program in self.annotations]
        return [refusal for refusal in judged if refusal is not None]

    def _speaks(self, activation: Activation) -> tuple[Refusal | None, bool]:
        """A condition that is false decides, also beside one that fails."""
        failed: Refusal | None = None
        for text, program in self.conditions:
            try:
                if program(activation) is not True:
                    return None, False
            except cel.EvaluationError as error:
                failed = failed or Refusal(_failure(text, error))
        return failed, True

    def _judge(self, validation: Validation, activation: Activation) -> Refusal | None:
        try:
            return validation.judge(activation)
        except cel.EvaluationError as error:
            text = _failure(validation.source["expression"], error)
            return Refusal(text) if self.closed else None

    def _note(self, key: str, program: Program, activation: Activation) -> Refusal | None:
        """There is no audit log: what a real one would have is in the log of the cluster."""
        try:
            value = program(activation)
        except cel.EvaluationError as error:
            return Refusal(str(error)) if self.closed else None
        if value:
            log.info("audit annotation %s/%s: %s", self.name, key, value)
        return None


def _failure(text: str, error: cel.EvaluationError) -> str:
    return f"expression '{text}' resulted in error: {error}"


class Compiler:
    """Compiles the spec of a policy. `found` gathers what is wrong with its expressions."""

    def __init__(self) -> None:
        self.found: list[Cause] = []

    def policy(self, name: str, spec: Obj) -> Policy:
        """Parts that are wrong are left out."""
        conditions = [
            (str(one.get("expression")), self._compiled(at, one, scope.FULL, BOOL))
            for at, one in _items(spec, "matchConditions")
        ]
        variables: dict[str, Program] = {}
        types: dict[str, Type] = {}
        for at, one in _items(spec, "variables"):
            made = self._typed(f"{at}.expression", one, _with(scope.FULL, types), ())
            if made is not None:
                variables[one.get("name", "")], types[one.get("name", "")] = made
        full, plain = _with(scope.FULL, types), _with(scope.PLAIN, types)
        validations = []
        for at, one in _items(spec, "validations"):
            program = self._compiled(at, one, full, BOOL)
            message = self._compiled(at, one, plain, STRING, key="messageExpression")
            if program is not None:
                validations.append(Validation(one, program, message))
        annotations = [
            (
                str(one.get("key")),
                self._compiled(at, one, full, STRING, NULL, key="valueExpression"),
            )
            for at, one in _items(spec, "auditAnnotations")
        ]
        return Policy(
            name=name,
            match=spec.get("matchConstraints") or {},
            closed=spec.get("failurePolicy") != "Ignore",
            conditions=tuple((text, made) for text, made in conditions if made is not None),
            variables=variables,
            validations=tuple(validations),
            annotations=tuple((key, made) for key, made in annotations if made is not None),
        )

    def _compiled(
        self, at: str, one: Obj, names: Scope, *wanted: Type, key: str = "expression"
    ) -> Program | None:
        made = self._typed(f"{at}.{key}", one, names, wanted)
        return None if made is None else made[0]

    def _typed(
        self, at: str, one: Obj, names: Scope, wanted: tuple[Type, ...]
    ) -> tuple[Program, Type] | None:
        text = one.get(at.rpartition(".")[2]) or ""
        if not text.strip():
            return None
        try:
            tree = cel.parse(text)
            given = cel.check(text, tree, names)
        except cel.CompileError as error:
            self.found.append(causes.invalid(at, text, f"compilation failed: {error}"))
            return None
        if wanted and given not in wanted:
            must = str(wanted[0])
            if len(wanted) > 1:
                must = f"one of [{' '.join(kind.name for kind in wanted)}]"
            self.found.append(causes.invalid(at, text, f"must evaluate to {must} but got {given}"))
            return None
        return cel.build(tree, frozenset(names)), given


def _with(names: Scope, variables: Mapping[str, Type]) -> Scope:
    return {**names, "variables": Type("kubernetes.variables", fields=dict(variables))}


def _items(spec: Obj, key: str) -> list[tuple[str, Obj]]:
    """(field path, entry) of a list of the spec."""
    return [(f"spec.{key}[{at}]", one) for at, one in enumerate(spec.get(key) or ())]
