"""Whether the operator has the rights that it uses, and no others.

`python rights.py DIR`, after a whole run with `--requests DIR`: fails when a right was not used.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from pawl.control.rights import RULES, rule_for


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


def read(path: Path) -> set[Right]:
    """The requests that a cluster has written down."""
    lines = path.read_text().splitlines() if path.exists() else []
    return {
        Right(line["verb"], line["group"], line["resource"], line["name"])
        for line in map(json.loads, lines)
    }


def refused(asked: Iterable[Right]) -> set[Right]:
    """Requests that no rule allows. The name of a Secret is the user's choice, so one that the
    administrator has not named is rightly refused."""
    return {
        right
        for right in asked
        if rule_for(*right) is None and (right.verb, right.resource) != ("get", "secrets")
    }


def unused(asked: Iterable[Right]) -> set[Right]:
    """Rights that nobody used."""
    return granted() - set(asked) - ASKED_ELSEWHERE


def main(folder: Path) -> int:
    files = sorted(folder.glob("*.jsonl"))
    if not files:
        print(f"no requests in {folder}")
        return 1
    asked = {right for file in files for right in read(file)}
    for right in sorted(refused(asked)):
        print(f"no rule allows {right}")
    for right in sorted(unused(asked)):
        print(f"nobody used {right}")
    return int(bool(refused(asked) or unused(asked)))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
