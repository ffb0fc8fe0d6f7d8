"""A version that is made again: what came out is compared with its bundle, file by file.

Nothing is written to the store but the result. What a run cannot find out for itself is taken over
from the lineage of the version: the search that chose the parameters, and the digest of a recipe
that had that search. All else is made anew, the recipe in the lineage too.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from pawl.artifacts import bundle
from pawl.artifacts.records import Lineage, Manifest
from pawl.artifacts.retry import PATIENT
from pawl.artifacts.runs import Compared, Reproduction, RunConfig, StoreRef
from pawl.errors import UserError
from pawl.training import log


def taken_over(config: RunConfig) -> RunConfig:
    """The configuration with what the version's lineage says; the same when none is made again."""
    if config.reproduces is None:
        return config
    with tempfile.TemporaryDirectory(prefix="pawl-lineage-") as scratch:
        _fetch(config.reproduces, Path(scratch))
        told = Lineage.model_validate_json((Path(scratch) / bundle.LINEAGE).read_bytes())
    return config.model_copy(update={"search": told.search, "recipe_digest": told.recipe_digest})


def compared(config: RunConfig, version: StoreRef, data_digest: str, folder: Path) -> Reproduction:
    """The result of a run that has left its bundle in `folder`."""
    with tempfile.TemporaryDirectory(prefix="pawl-lineage-") as scratch:
        expected = _digests(_fetch(version, Path(scratch)))
    found = _digests(bundle.manifest_of(folder))
    files = tuple(
        Compared(name=name, expected=expected.get(name), found=found.get(name))
        for name in sorted(expected | found)
    )
    for file in files:
        log.info("compared", file=file.name, same=file.same)
    return Reproduction(
        uid=config.uid,
        run=config.run,
        outcome="Reproduced" if all(file.same for file in files) else "Differs",
        version=version,
        data_digest=data_digest,
        files=files,
    )


def _fetch(version: StoreRef, into: Path) -> Manifest:
    try:
        return bundle.fetch_bundle(
            version.uri, version.digest, into, names=(bundle.LINEAGE,), retry=PATIENT
        )
    except FileNotFoundError as error:
        raise UserError(f"the bundle of {version.name} is not in the store") from error


def _digests(manifest: Manifest) -> dict[str, str]:
    return {file.name: file.sha256 for file in manifest.files}
