"""What is supposed of the traffic, and what follows for stages and gates."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pawl.api.rollout_status import RolloutStatus, Stage


@dataclass(frozen=True)
class Supposed:
    """`rps` are requests per second to all versions, `error_rate` and `wrong` the stable version's
    shares of failed requests and of wrong predictions, `feedback` the share of predictions whose
    truth comes in, `disagreement` how often two good versions answer differently."""

    rps: float
    error_rate: float = 0.01
    wrong: float = 0.1
    feedback: float = 1.0
    disagreement: float = 0.02


@dataclass(frozen=True)
class Step:
    """The shadow, or one step of the canary. `requests` and `pairs` are what the candidate gets in
    a second, `weight` its share of all requests and copies, `samples` the seconds that `minSamples`
    take."""

    name: str
    stage: Stage
    weight: float
    requests: float
    pairs: float
    duration: int
    samples: float

    @property
    def least(self) -> float:
        """Seconds that it lasts at least."""
        return max(self.duration, self.samples)


@dataclass(frozen=True)
class Need:
    """One gate. `good` and `bad` are the observations that it needs at the weight of each step of
    its stage, if that step were alone, and `rates` how many there are in a second. `passes` and
    `stops` are seconds from the beginning of the stage until a good version has passed and one that
    is worse by the limit is stopped."""

    stage: Stage
    metric: str
    words: str
    required: bool
    supposed: str
    good: tuple[float, ...]
    bad: tuple[float, ...]
    rates: tuple[float, ...]
    passes: float
    stops: float


@dataclass(frozen=True)
class Forecast:
    """`total` is how long a good version takes, holdback aside, in seconds; infinity when it cannot
    be promoted by the gates."""

    steps: tuple[Step, ...]
    needs: tuple[Need, ...]
    total: float
    warnings: tuple[str, ...]


def observed(supposed: Supposed, state: RolloutStatus | None) -> Supposed:
    """With the stable version's shares as a rollout under way has measured them."""
    values = {
        gate.metric: gate.stable.value
        for gate in (state.gates if state is not None else ())
        if gate.stable is not None and gate.stable.value is not None and gate.stable.samples
    }
    error_rate, right = values.get("error_rate"), values.get("accuracy")
    return replace(
        supposed,
        error_rate=supposed.error_rate if error_rate is None else error_rate,
        wrong=supposed.wrong if right is None else 1 - right,
    )
