"""Whether the operator has the rights that it uses, and no others.

`python rights.py DIR`, after a whole run with `--requests DIR`: fails when a right was not used.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from pawl.control.rights import RULES


class Right(NamedTuple):
    """One verb on one resource; `name` where a rule is about names."""

    verb: str
    group: str
    resource: str
    name: str = ""


#: Never asked for as a request of its own.
ASKED_ELSEWHERE = {
    # by the admission plugin OwnerReferencesPermissionEnforcement, where it is on
    Right("update", "pawl.dev", "trainingjobs/finalizers"),
    Right("update", "pawl.dev", "modeldeployments/finalizers"),
    # by the admission policy of manifests/base
    Right("import", "pawl.dev", "modelversions"),
    Right("approve", "pawl.dev", "modelversions"),
    # when it was created a moment ago and not seen yet, which no test can bring about at will
    Right("get", "pawl.dev", "modelversions"),
    Right("get", "pawl.dev", "trainingjobs"),
    # where a Deployment runs the operator, which the embedded cluster does as a process
    Right("get", "apps", "deployments", "pawl-operator"),
    # of retrains that are many and older than a day
    Right("delete", "pawl.dev", "trainingjobs"),
}


def granted() -> set[Right]:
    """What the rules allow."""
    return {
        Right(verb, rule.group, resource, name)
        for rule in RULES
        for resource in rule.resources
        for verb in rule.verbs
        for name in rule.names or ("",)
    }


def asked(path: Path, *, allowed: bool) -> set[Right]:
    """The requests that a cluster has written down, and that were allowed, or not."""
    return {
        Right(line["verb"], line["group"], line["resource"], line["name"])
        for line in map(json.loads, path.read_text().splitlines())
        if line["allowed"] is allowed
    }


def refused(path: Path) -> set[Right]:
    """Requests that no rule allows. The name of a Secret is the user's choice, so one that the
    administrator has not named is rightly refused."""
    found = asked(path, allowed=False)
    return {right for right in found if (right.verb, right.resource) != ("get", "secrets")}


def unused(paths: Iterable[Path]) -> set[Right]:
    """Rights that nobody used."""
    used = (asked(path, allowed=True) for path in paths)
    return granted().difference(ASKED_ELSEWHERE, *used)


def main(folder: Path) -> int:
    """Returns the exit code."""
    files = sorted(folder.glob("*.jsonl"))
    if not files:
        print(f"no requests in {folder}")
        return 1
    left = unused(files)
    for right in sorted(left):
        print(f"nobody used {right}")
    return int(bool(left))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
