"""The digest of a recipe: what a TrainingJob trains, and nothing else.

Fields that equal their defaults are left out, so that an upgrade which adds a field or spells a
default out starts no run.
"""

from __future__ import annotations

import hashlib
import json

from pawl.api.search import IN_PLACE
from pawl.api.trainingjob import TrainingJobSpec

#: A change of these starts a run; all other fields change in place.
RECIPE_FIELDS = frozenset(
    {"model", "data", "trainer", "workers", "search", "seed", "evaluation", "template"}
)


def recipe_digest(spec: TrainingJobSpec) -> str:
    """`sha256:<hex>` over the canonical JSON of the recipe fields."""
    recipe = spec.model_dump(
        mode="json",
        by_alias=True,
        exclude_defaults=True,
        include=set(RECIPE_FIELDS),
        exclude={"search": set(IN_PLACE)},
    )
    versions = {name: n for name, n in spec.data.prepare.versions.items() if n != 1}
    if versions:
        recipe["functions"] = versions
    text = json.dumps(recipe, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
