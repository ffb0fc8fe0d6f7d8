"""A version that is made again: what came out is compared with its bundle, file by file.

Nothing is written to the store but the result. What a run cannot find out for itself is taken over
from the lineage of the version: the search that chose the parameters, the digest of a recipe that
had that search, and how a retrain cut its rows. All else is made anew, the recipe in the lineage
too. Of the card is compared what does not depend on the champion then (`card.lasting`).
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from pawl.artifacts import bundle
from pawl.artifacts.canonical import digest, hex_of
from pawl.artifacts.records import Lineage, Manifest
from pawl.artifacts.retry import PATIENT
from pawl.artifacts.runs import Compared, Reproduction, RunConfig, StoreRef
from pawl.errors import UserError
from pawl.training import card, log


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
        expected = _digests(_fetch(version, Path(scratch)), Path(scratch))
    found = _digests(bundle.manifest_of(folder), folder)
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
            version.uri, version.digest, into, names=(bundle.LINEAGE, bundle.CARD), retry=PATIENT
        )
    except FileNotFoundError as error:
        raise UserError(f"the bundle of {version.name} is not in the store") from error


def _digests(manifest: Manifest, folder: Path) -> dict[str, str]:
    """sha256 by name; of the card in `folder` that of what lasts."""
    found = {file.name: file.sha256 for file in manifest.files}
    if bundle.CARD in found:
        lasts = card.lasting((folder / bundle.CARD).read_text())
        found[bundle.CARD] = hex_of(digest(lasts.encode()))
    return found
