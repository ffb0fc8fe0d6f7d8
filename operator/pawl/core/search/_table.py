"""The trials of a search that are over, and what follows from them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from pawl.api.search import BestTrial, Search, TrialCounts, points
from pawl.artifacts.canonical import canonical_json, digest
from pawl.artifacts.records import SearchLineage
from pawl.artifacts.trials import Trial

#: Of a parameter in status.
_MOST_TEXT = 64


@dataclass(frozen=True)
class Table:
    """`trials` by number; of those that are equal in all objectives the first is the better one."""

    search: Search
    trials: Mapping[int, Trial]

    @cached_property
    def best(self) -> Trial | None:
        """The best in the first objective, of equals in the second, and so on: it is on the Pareto
        front."""

        def rank(trial: Trial) -> tuple[float, ...]:
            signs = ((-1 if o.direction == "maximize" else 1) for o in self.search.objectives)
            values = (trial.values[o.metric] for o in self.search.objectives)
            return (*(s * v for s, v in zip(signs, values, strict=True)), trial.number)

        done = (trial for trial in self.trials.values() if trial.outcome == "Succeeded")
        return min(done, key=rank, default=None)

    @property
    def most(self) -> int:
        """How many trials there may be."""
        if self.search.algorithm != "grid":
            return self.search.max_trials
        return min(self.search.max_trials, points(self.search))

    def ended(self) -> str:
        """Why no trial follows; empty while the search goes on."""
        search, best = self.search, self.best
        failed = sum(trial.outcome == "Failed" for trial in self.trials.values())
        if failed > search.max_failed_trials:
            return "MaxFailedTrials"
        if best is not None and search.stop.value is not None:
            value = best.values[search.objectives[0].metric]
            up = search.objectives[0].direction == "maximize"
            if value >= search.stop.value if up else value <= search.stop.value:
                return "GoalReached"
        if best is not None and search.stop.no_improvement is not None:
            later = [t for t in self.trials.values() if t.number > best.number]
            if sum(t.outcome != "Failed" for t in later) >= search.stop.no_improvement:
                return "NoImprovement"
        if len(self.trials) < self.most:
            return ""
        return "MaxTrials" if self.most == search.max_trials else "GridDone"

    def wanted(self, running: int) -> int:
        """How many trials may be started while so many are under way."""
        if self.ended():
            return 0
        left = self.most - len(self.trials) - running
        return max(0, min(self.search.parallel_trials - running, left))

    def counts(self, running: int) -> TrialCounts:
        """For status."""
        by = Counter(trial.outcome.lower() for trial in self.trials.values())
        return TrialCounts(running=running, **by)

    def best_status(self) -> BestTrial | None:
        """For status."""
        best = self.best
        if best is None:
            return None
        texts = {name: json.dumps(value) for name, value in best.parameters.items()}
        return BestTrial(
            trial=best.number,
            values=best.values,
            parameters={name: text[:_MOST_TEXT] for name, text in texts.items()},
        )

    def data_digest(self) -> str | None:
        """Of the data that the first trial saw."""
        seen = (trial for _, trial in sorted(self.trials.items()) if trial.data_digest)
        return next((trial.data_digest for trial in seen), None)

    def lineage(self, best: Trial) -> SearchLineage:
        """For the model that is trained with the best parameters."""
        tried = [
            {"parameters": trial.parameters, "outcome": trial.outcome, "values": trial.values}
            for _, trial in sorted(self.trials.items())
        ]
        return SearchLineage(
            algorithm=self.search.algorithm,
            objectives={o.metric: o.direction for o in self.search.objectives},
            trials=len(self.trials),
            trial=best.number,
            values=best.values,
            digest=digest(canonical_json(tried)),
        )

    def lines(self) -> bytes:
        """All trials, one a line, by number."""
        ordered = [trial for _, trial in sorted(self.trials.items())]
        return b"".join(canonical_json(trial) + b"\n" for trial in ordered)
