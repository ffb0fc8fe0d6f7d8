"""docs/metrics.md tells every metric that is exported, with its labels, and no others."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from exported import (
    ROOT,
    ROUTER,
    Exported,
    documented,
    operator,
    operator_page,
    server,
    server_page,
)

PAGE = (ROOT / "docs/metrics.md").read_text()


def router() -> dict[str, Exported]:
    return {name: Exported("counter", frozenset(labels)) for name, labels in ROUTER.items()}


@pytest.mark.parametrize(
    ("headings", "exported"),
    [
        pytest.param(("Operator", "Objects"), operator, id="operator"),
        pytest.param(("Servers",), server, id="server"),
        pytest.param(("Routers",), router, id="router"),
    ],
)
def test_what_is_documented_is_what_is_exported(
    headings: tuple[str, ...], exported: Callable[[], dict[str, Exported]]
):
    told: dict[str, Exported] = {}
    for heading in headings:
        told |= documented(PAGE, heading)
    found = exported()
    assert told.keys() == found.keys()
    assert told == found


@pytest.mark.parametrize("name", [*operator(), *server()])
def test_names_follow_the_conventions_of_prometheus(name: str):
    """https://prometheus.io/docs/practices/naming: base units, `_total` for counters only."""
    one = (operator() | server())[name]
    assert re.fullmatch(r"(pawl|process)(_[a-z]+)+", name)
    assert (one.type == "counter") == name.endswith("_total")
    assert not re.search(r"_(milliseconds|ms|percent|minutes|kilobytes)\b", name)


@pytest.mark.parametrize("name", [name for name in operator() if name.startswith("pawl_operator_")])
def test_what_is_counted_has_no_name_of_an_object_as_a_label(name: str):
    assert not operator()[name].labels & {"namespace", "name", "deployment", "model", "pod"}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool (package prometheus)")
@pytest.mark.parametrize(
    "page", [pytest.param(operator_page, id="operator"), pytest.param(server_page, id="server")]
)
def test_promtool_has_nothing_to_say_of_a_page(page: Callable[[], bytes]):
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=page(), capture_output=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")
