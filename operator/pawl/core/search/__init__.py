"""The search of a run: which trials there are, which is the best, and whether it goes on.

Invariants (tests/unit/core/search folds and searches for a violation): no trial runs twice, never
more than `parallelTrials` at once, never more than `maxTrials` in all, whoever dies when.
"""

from pawl.core.search._step import Found, gaps, remember, step, trial_jobs, version_of
from pawl.core.search._table import Table

__all__ = ["Found", "Table", "gaps", "remember", "step", "trial_jobs", "version_of"]
