"""What the demo tells at the end."""

from __future__ import annotations

import shutil
import subprocess

from rich.console import Console
from rich.table import Table

from pawl.cli.demo.story import Story
from pawl.cli.demo.traffic import Traffic


def summary(story: Story, console: Console, periods: list[tuple[str, Traffic]]) -> None:
    """Versions with what became of them, windows of drift, and the requests of every period."""
    console.print()
    for table in (_versions(story), _windows(story), _requests(periods)):
        console.print(table)
    if shutil.which("kubectl"):
        console.print("\n[bold]kubectl get tj,mv,mdep[/]")
        subprocess.run(["kubectl", "get", "tj,mv,mdep"], check=True)  # noqa: S607


def _versions(story: Story) -> Table:
    table = _table("versions", "version", "from", "roc_auc", "gates", "ended")
    for fate in story.fates:
        gates = [gate for gate in story.gates.values() if gate.version == fate.name]
        table.add_row(
            _short(fate.name),
            fate.origin,
            f"{fate.metrics['roc_auc']:.4f}",
            ", ".join(f"{gate.name} {gate.verdict}" for gate in gates),
            fate.ended,
        )
    return table


def _windows(story: Story) -> Table:
    table = _table("drift", "window", "of", "rows", "verdict", "worst")
    for window in story.windows:
        named = [i for i in window.worst if i.verdict == "Fail"] or window.worst[:1]
        table.add_row(
            f"{window.start:.0f}-{window.end:.0f} s",
            _short(window.version),
            f"{window.samples:,}",
            window.verdict,
            ", ".join(f"{i.feature} {i.metric} {i.value:.2f}" for i in named),
        )
    return table


def _requests(periods: list[tuple[str, Traffic]]) -> Table:
    table = _table("requests", "while", "sent", "failed", "answered by", "right", "p50", "p99")
    for name, traffic in periods:
        by = ", ".join(f"v{v}: {n}" for v, n in sorted(traffic.by_version.items()))
        table.add_row(
            name,
            str(traffic.ok + len(traffic.failed)),
            str(len(traffic.failed)),
            by,
            f"{traffic.right / max(traffic.ok, 1):.1%}",
            f"{traffic.quantile(0.5):.1f} ms",
            f"{traffic.quantile(0.99):.1f} ms",
        )
    return table


def _short(version: str) -> str:
    return version.rpartition("-")[2]


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column)
    return table


def next_steps(console: Console) -> None:
    """Commands to go on with."""
    console.print("\n[bold]Next[/]")
    for line in (
        ".venv/bin/pawl demo --keep           # the same, and the cluster stays",
        "kubectl describe mdep breast-cancer  # what rollouts and drift tell",
        "kubectl get mv breast-cancer-v5 -o yaml",
        "kubectl explain mdep.spec.drift",
        "kubectl patch mdep breast-cancer --type merge -p "
        '\'{"spec":{"version":"breast-cancer-v2"}}\'   # roll back by a pin',
    ):
        console.print(f"  {line}", highlight=False, markup=False)
