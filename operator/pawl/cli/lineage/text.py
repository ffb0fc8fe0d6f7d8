"""A lineage as trees: data, the jobs that read them, their versions, who serves those."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text
from rich.tree import Tree

from pawl.cli.lineage import words
from pawl.cli.lineage.graph import Lineage, told
from pawl.core.versions import Version


def render(lineage: Lineage) -> RenderableType:
    """One tree for each data; digests are whole, so that they can be compared and searched for."""
    trees: list[RenderableType] = []
    for data, jobs in lineage.grouped().items():
        tree = Tree(_label(words.data(data)))
        for versions in jobs.values():
            branch = tree.add(_label(words.job(told(versions[0]))))
            for version in versions:
                _version(branch, version, lineage)
        trees.append(tree)
    trees += [Text(f"mv/{name} is no more") for name in lineage.gone]
    return Group(*trees)


def _version(branch: Tree, version: Version, lineage: Lineage) -> None:
    node = branch.add(_label(words.version(version)))
    files = lineage.files.get(version.name, ())
    if isinstance(files, str):
        node.add(Text(files, style="yellow"))
    else:
        for file in files:
            node.add(_label([file.name, f"sha256:{file.sha256}", f"{file.size_bytes:,} bytes"]))
    for name, role in lineage.serving.get(version.name, ()):
        node.add(Text(f"mdep/{name} ({role})", style="green"))


def _label(lines: Sequence[str]) -> Text:
    """The name, and what is said of it."""
    first, *others = lines
    return Text.assemble((first, "bold"), *(f"  {line}" for line in others))
