"""What can be wrong with an expression: in its text (CompileError) or with its data."""

from __future__ import annotations

from dataclasses import dataclass

from pawl.errors import PawlError


@dataclass(frozen=True, slots=True)
class Issue:
    """One complaint of the compiler, at a character offset of the source."""

    at: int
    message: str


class CompileError(PawlError):
    """The expression cannot be compiled; the message shows every issue as cel-go displays it."""

    reason = "Invalid"

    def __init__(self, source: str, issues: list[Issue]) -> None:
        super().__init__("\n".join(_display(source, issue) for issue in issues))
        self.issues = issues


class EvaluationError(PawlError):
    """Evaluation failed on this data (`no such key: x`, `division by zero`)."""

    reason = "Invalid"


def _display(source: str, issue: Issue) -> str:
    line = source.count("\n", 0, issue.at) + 1
    column = issue.at - (source.rfind("\n", 0, issue.at) + 1)
    text = (source.split("\n")[line - 1]).replace("\t", " ")
    head = f"ERROR: <input>:{line}:{column + 1}: {issue.message}"
    return f"{head}\n | {text}\n | {'.' * column}^"
