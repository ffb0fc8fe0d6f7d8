"""Why a command is given: asked for on a terminal, required elsewhere, and written with it."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from pawl.control.kube import Kube
from pawl.core import audit
from pawl.errors import UserError

Reason = Annotated[
    str | None,
    typer.Option("--reason", "-m", help="Why; it is kept in the decision record."),
]
_MOST = 500


def ask(word: str, reason: str | None) -> str:
    """The reason for a command. UserError when there is none and nobody to be asked."""
    if reason is None and sys.stdin.isatty():
        reason = str(typer.prompt(f"Why do you {word}?"))
    text = " ".join((reason or "").split())
    if not text:
        raise UserError(f'say why: pawl {word} … --reason "…"')
    if len(text) > _MOST:
        raise UserError(f"a reason has at most {_MOST} characters")
    return text


async def notes(kube: Kube, word: str, value: str, reason: str) -> dict[str, str | None]:
    """What is written beside a command: the reason, and who says so, where the cluster knows."""
    user = await kube.user()
    return {audit.REASON: audit.because(word, value, reason), audit.REQUESTED_BY: user}
