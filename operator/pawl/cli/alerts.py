"""`pawl alerts`: rules for Prometheus, to be read, kept in Git and applied."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any

import typer
import yaml

from pawl.core.manifests.alerts import Limits, objects, rule_file
from pawl.errors import UserError

_DURATION = re.compile(r"[1-9][0-9]*[smhdw]")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(alerts)


def alerts(
    namespace: Annotated[
        str | None, typer.Option("--namespace", "-n", help="Only of this one; default: all.")
    ] = None,
    window: Annotated[str, typer.Option(help="Over which drift is computed.")] = "1h",
    psi: Annotated[float, typer.Option(min=0.0, help="PSI above which a feature alerts.")] = 0.2,
    min_rows: Annotated[
        int, typer.Option(min=1, help="Rows that the window must have, and 50 for each bin.")
    ] = 500,
    runbook: Annotated[
        str, typer.Option(help="Where the runbook is, for the links in alerts.")
    ] = "docs/runbook.md",
    plain: Annotated[
        bool, typer.Option("--plain", help="A rule file instead of Kubernetes objects.")
    ] = False,
) -> None:
    """Print PodMonitors and a PrometheusRule: PSI by feature, models, the operator (without -n)."""
    if not _DURATION.fullmatch(window):
        raise UserError(f"--window {window}: write it like 30m, 1h or 1d")
    if namespace is not None and not _LABEL.fullmatch(namespace):
        raise UserError(f"--namespace {namespace} is no name of a namespace")
    limits = Limits(window=window, psi=psi, rows=min_rows, namespace=namespace, runbook=runbook)
    documents = [rule_file(limits)] if plain else objects(limits)
    typer.echo(readable(documents), nl=False)


def readable(documents: Iterable[Any]) -> str:
    """As YAML, in which expressions of several lines stay so."""
    options: dict[str, Any] = {"sort_keys": False, "width": 100, "allow_unicode": True}
    text: str = yaml.dump_all(documents, Dumper=_Readable, **options)
    return text


class _Readable(yaml.SafeDumper):
    """Lines stay lines."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Readable.add_representer(str, _text)
