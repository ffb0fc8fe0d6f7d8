"""The digest of a recipe: what a TrainingJob trains, and nothing else.

Fields that equal their defaults are left out, so that an upgrade which adds a field or spells a
default out starts no run.
"""

from __future__ import annotations

import hashlib
import json

from pawl.api.search import IN_PLACE
from pawl.api.trainingjob import RECIPE_FIELDS, TrainingJobSpec


def recipe_digest(spec: TrainingJobSpec) -> str:
    """`sha256:<hex>` over the canonical JSON of the recipe fields."""
    recipe = spec.model_dump(
        mode="json",
        by_alias=True,
        exclude_defaults=True,
        include=set(RECIPE_FIELDS),
        exclude={"search": set(IN_PLACE), "data": {"pin"}},
    )
    versions = {name: n for name, n in spec.data.prepare.versions.items() if n != 1}
    if versions:
        recipe["functions"] = versions
    text = json.dumps(recipe, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
