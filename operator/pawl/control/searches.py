"""What a planner may look at of a search: its trials, and what its sampler proposes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from pydantic import ValidationError

from pawl.api.search import Search
from pawl.api.trainingjob import TrainingJob
from pawl.artifacts.reports import Reports
from pawl.artifacts.runs import TrialTask
from pawl.artifacts.trials import Trial
from pawl.control.queue import Key
from pawl.control.reports import TrainLogs
from pawl.control.studies import Studies
from pawl.control.trials import Trials
from pawl.core.run_status import job_condition, newest
from pawl.core.run_work import FINISHED, SearchObserved, trial_of
from pawl.core.search import Table, gaps, trial_jobs
from pawl.search.protocol import Begin, Known

Object = Mapping[str, Any]


class Searches:
    """Of all TrainingJobs; `wake` looks at one again."""

    def __init__(self, trials: Trials, logs: TrainLogs, wake: Callable[[Key], None]) -> None:
        self._trials = trials
        self._logs = logs
        self._studies = Studies()
        self._over: dict[str, dict[int, Known]] = {}
        self._wake = wake

    def forget(self, uids: Collection[str]) -> None:
        """What was read for TrainingJobs that are not among `uids`."""
        self._trials.forget(uids)
        self._studies.rest()
        for key in [key for key in self._over if key.rsplit("-", 1)[0] not in uids]:
            del self._over[key]

    async def close(self) -> None:
        """Ends all processes."""
        await self._studies.close()

    async def observed(
        self, item: Object, jobs: tuple[Object, ...], pods: tuple[Object, ...], run: int
    ) -> SearchObserved | None:
        """Of the search of the current run; None without one, and when the run is over. StoreError
        when the store does not answer."""
        try:
            job = TrainingJob.model_validate(item)
        except ValidationError:
            return None
        search, current = job.spec.search, job.status.run
        if search is None or (current is not None and current.phase in FINISHED):
            return None
        uid = item["metadata"]["uid"]
        began = (current.resumes if current is not None else None) or run
        records = await self._trials.records(uid, began)
        there = trial_jobs(jobs, run)
        lost = gaps(records, there)
        over = {n for n, (job_, _) in there.items() if job_condition(job_, "Complete")}
        scored = await self._trials.scored(uid, began, sorted((over | lost) - set(records)))
        running = {n: task for n, (_, task) in there.items() if n not in records}
        reports: Mapping[int, Reports] = {}
        if search.pruner != "none":
            newest_of = {n: newest(p for p in pods if trial_of(p) == n) for n in running}
            reports = await self._logs.intermediate(uid, newest_of, over)
        key = f"{uid}-{began}"
        table = Table(search, records)
        if table.ended() and not running:
            self._studies.end(key)
            return SearchObserved(began, records, scored, reports=reports)
        reply = self._studies.look(
            key,
            Begin(search=_fixed(search), seed=job.spec.seed),
            self._past(key, search, records) | _present(running, reports),
            table.wanted(len(running)),  # those that are over are told first
            lambda: self._wake(_key(item)),
        )
        return SearchObserved(
            began,
            records,
            scored,
            asked=reply.proposals,
            prune=frozenset(reply.prune),
            reports=reports,
            error=reply.error,
        )

    def _past(self, key: str, search: Search, records: Mapping[int, Trial]) -> dict[int, Known]:
        """The trials that are over, as a study is told of them: made once, as there are many."""
        known = self._over.setdefault(key, {})
        for number in records.keys() - known.keys():
            trial = records[number]
            known[number] = Known(
                number=number,
                parameters=trial.parameters,
                beside=trial.beside,
                outcome=trial.outcome,
                values=tuple(trial.values[o.metric] for o in search.objectives if trial.values),
                reports=trial.reports,
            )
        return dict(sorted(known.items()))


def _fixed(search: Search) -> Search:
    """Without what changes in place: that is not the sampler's."""
    return Search(
        algorithm=search.algorithm,
        pruner=search.pruner,
        objectives=search.objectives,
        parameters=search.parameters,
    )


def _present(running: Mapping[int, TrialTask], reports: Mapping[int, Reports]) -> dict[int, Known]:
    """The trials that are under way; of one whose Job was deleted nothing is known."""
    return {
        number: Known(
            number=number,
            parameters=task.parameters,
            beside=task.beside,
            reports=reports.get(number, ()),
        )
        for number, task in sorted(running.items())
    }


def _key(item: Object) -> Key:
    meta = item["metadata"]
    return Key(item["kind"], meta["namespace"], meta["name"])
