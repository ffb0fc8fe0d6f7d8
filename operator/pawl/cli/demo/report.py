"""What the demo tells at the end."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from pawl.cli.demo.apply import NAMESPACE
from pawl.cli.demo.traffic import Traffic
from pawl.control.kinds import DEPLOYMENTS, MODEL_VERSIONS
from pawl.control.kube import Kube


async def report(kube: Kube, console: Console, periods: list[tuple[str, Traffic]]) -> None:
    """Versions with what became of them, and the requests of every period."""
    versions, _ = await kube.list(MODEL_VERSIONS, NAMESPACE)
    deployments, _ = await kube.list(DEPLOYMENTS, NAMESPACE)
    status = deployments[0].get("status", {})
    outcome = {entry["version"]: entry["reason"] for entry in status.get("history", ())}
    console.print()
    table = Table(title="versions", title_justify="left")
    for column in ("version", "stage", "trained by", "roc_auc", "log_loss", "gates", "rollout"):
        table.add_column(column)
    for version in sorted(versions, key=lambda item: item["spec"]["version"]):
        spec, metrics = version["spec"], version["spec"].get("metrics", {})
        name = version["metadata"]["name"]
        table.add_row(
            name,
            version["status"]["stage"],
            spec.get("lineage", {}).get("trainingJob", {}).get("name", "(imported)"),
            *(f"{metrics[metric]:.4f}" for metric in ("roc_auc", "log_loss")),
            ", ".join(f"{gate['kind']} {gate['verdict']}" for gate in spec.get("gates", [])),
            outcome.get(name, ""),
        )
    console.print(table)
    table = Table(title="requests", title_justify="left")
    for column in ("while", "sent", "failed", "answered by", "right", "p50", "p99"):
        table.add_column(column)
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
    console.print(table)


def next_steps(console: Console) -> None:
    """Commands to go on with."""
    console.print("\n[bold]Next[/]")
    for line in (
        ".venv/bin/pawl demo --keep           # the same, and the cluster stays",
        "kubectl describe mdep breast-cancer  # what a rollout tells",
        "kubectl get mv breast-cancer-v2 -o yaml",
        "kubectl explain mdep.spec.rollout",
        "kubectl patch mdep breast-cancer --type merge -p "
        '\'{"spec":{"version":"breast-cancer-v1"}}\'   # roll back by a pin',
    ):
        console.print(f"  {line}", highlight=False, markup=False)
