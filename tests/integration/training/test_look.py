"""The stage `digest` tells what `prepare` would find, and leaves nothing."""

from __future__ import annotations

from typing import Any

from pawl.constants import EXIT_USER_ERROR


def test_it_tells_the_digest_of_the_data(recipe: dict[str, Any], pod: Any) -> None:
    trained = pod(recipe).all()
    looking = pod(recipe, uid="look")
    looking.stage("digest")
    assert looking.termination.stage == "digest"
    assert looking.termination.digest == trained.lineage.data.digest
    assert [path.name for path in looking.work.iterdir()] == []


def test_data_that_are_not_there_are_told(recipe: dict[str, Any], pod: Any) -> None:
    gone = {**recipe, "data": {**recipe["data"], "uri": recipe["data"]["uri"] + ".gone.csv"}}
    looking = pod(gone)
    looking.stage("digest", expect=EXIT_USER_ERROR)
    assert looking.termination.reason == "DataNotFound"
