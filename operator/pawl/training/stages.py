"""Runs one stage of a training pod: configuration in, termination message and exit code out.

Whatever happens, the stage ends with a `Termination` record (≤ 1 KiB, a sentence for the user) and
an exit code that the Job's podFailurePolicy understands. Tracebacks go to the log only.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from pawl import constants
from pawl.api.metrics import unfit
from pawl.api.trainingjob import TrainingJobSpec
from pawl.artifacts.canonical import canonical_json
from pawl.artifacts.redact import redact
from pawl.artifacts.retry import describe
from pawl.artifacts.runs import RunConfig, Seen, Termination, TrialTask
from pawl.errors import IntegrityError, PawlError, StoreError, UserError
from pawl.training import checkpoints, log
from pawl.training.workspace import Outcome, Workspace

Stage = Literal["fetch", "prepare", "train", "score", "publish", "digest"]
STAGES: tuple[Stage, ...] = ("fetch", "prepare", "train", "score", "publish", "digest")
EXIT_ERROR = 1
MAX_TERMINATION_BYTES = 1024


def stop_on_sigterm(stage: Stage, env: Mapping[str, str]) -> None:
    """Makes SIGTERM end the stage at once, with a message. As process 1 of a container Python would
    not even die of it, and threads that wait for a store would hold up an orderly exit."""

    def stop(*_: object) -> None:
        message = "stopped by the cluster: a deadline, an eviction, or the run was ended"
        log.LOGGER.error(message)
        _terminate(env, Termination(stage=stage, reason="Stopped", message=message))
        sys.stdout.flush()
        os._exit(128 + signal.SIGTERM)

    signal.signal(signal.SIGTERM, stop)


def run_stage(stage: Stage, env: Mapping[str, str]) -> int:
    """Runs a stage and gives its exit code."""
    log.configure(stage)
    try:
        config, spec, work = _inputs(env)
        is_last = stage in ("score", "publish")
        if is_last:
            checkpoints.end(spec, env)
        if is_last and env.get(constants.ENV_INDEX, "0") != "0":
            outcome = Outcome(f"{stage} is worker 0's part")
        else:
            outcome = _stage_function(stage)(config, spec, work)
            if is_last:
                checkpoints.clear(config, spec, env)
            elif stage == "prepare" and outcome.exit_code == 0:
                checkpoints.restore(config, spec, env)
    except Exception as error:
        return _failed(stage, error, env)
    log.info("stage completed", result=outcome.result, reason=outcome.reason)
    _terminate(
        env,
        Termination(
            stage=stage,
            reason=outcome.reason,
            message=outcome.message,
            result=outcome.result,
            digest=outcome.digest,
            validator=outcome.validator,
            warnings=outcome.warnings,
        ),
    )
    return outcome.exit_code


def keep_checkpoints(env: Mapping[str, str]) -> int:
    """The sidecar beside `train`. It never ends with an exit code that means something: when it
    fails it is started again, and `train` goes on."""
    # ruff: noqa: PLC0415
    from pawl.training.keeper import keep

    log.configure(constants.CHECKPOINTS)
    config, spec, _ = _inputs(env)
    if spec.template.stored is not None:
        keep(config, spec.template.stored, env)
    return 0


def _stage_function(stage: Stage) -> Callable[[RunConfig, TrainingJobSpec, Workspace], Outcome]:
    """Imports only what the stage needs: scikit-learn alone costs a second."""
    if stage == "fetch":
        from pawl.training.fetch import fetch

        return fetch
    if stage == "prepare":
        from pawl.training.prepare import prepare

        return prepare
    if stage == "digest":
        from pawl.training.look import look

        return look
    if stage == "train":
        from pawl.training.train import train

        return train
    if stage == "score":
        from pawl.training.score import score

        return score
    from pawl.training.publish import publish

    return publish


def _inputs(env: Mapping[str, str]) -> tuple[RunConfig, TrainingJobSpec, Workspace]:
    for name in (constants.ENV_RUN_CONFIG, constants.ENV_WORK_DIR):
        if not env.get(name):
            raise UserError(f"the environment variable {name} is not set")
    try:
        config = RunConfig.model_validate_json(Path(env[constants.ENV_RUN_CONFIG]).read_bytes())
    except (OSError, ValidationError) as error:
        raise UserError(f"the run's configuration is not readable: {describe(error)}") from error
    if store := env.get(constants.ENV_STORE):
        config = config.model_copy(update={"store": store})
    if told := env.get(constants.ENV_TRIAL):
        config = config.model_copy(update={"trial": TrialTask.model_validate_json(told)})
    if told := env.get(constants.ENV_SEEN):
        config = config.model_copy(update={"seen": Seen.model_validate_json(told)})
    return config, parse_spec(config), Workspace(Path(env[constants.ENV_WORK_DIR]))


def parse_spec(config: RunConfig) -> TrainingJobSpec:
    """The recipe, with the parameters of the trial if it is one. UserError where it is not a
    recipe; the API server has said most of this before."""
    try:
        spec = TrainingJobSpec.model_validate(config.spec)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UserError(f"spec.{where}: {first['msg']}") from error
    if (spec.trainer.sklearn is None) == (spec.trainer.container is None):
        raise UserError("spec.trainer: exactly one of sklearn and container")
    named = (*spec.evaluation.metrics, *filter(None, (g.metric for g in spec.evaluation.gates)))
    if sentence := unfit(named, spec.data.task):
        raise UserError(f"spec.evaluation: {sentence}")
    return spec.with_parameters(config.trial.parameters) if config.trial else spec


def _failed(stage: Stage, error: Exception, env: Mapping[str, str]) -> int:
    """Logs the error and tells it in a sentence."""
    reason, code = "InternalError", EXIT_ERROR
    message = describe(error)
    if isinstance(error, PawlError):
        reason, message = error.reason, str(error)
        if isinstance(error, UserError | IntegrityError):
            code = constants.EXIT_USER_ERROR
        elif isinstance(error, StoreError):
            code = constants.EXIT_STORE_UNREACHABLE
    elif isinstance(error, MemoryError):
        reason = "OutOfMemory"
        message = "out of memory: raise spec.template.resources.limits.memory or use less data"
    log.LOGGER.error(message, exc_info=error, extra={"fields": {"reason": reason}})
    _terminate(env, Termination(stage=stage, reason=reason, message=redact(message)))
    return code


def _terminate(env: Mapping[str, str], record: Termination) -> None:
    path = env.get(constants.ENV_TERMINATION_LOG)
    if path:
        Path(path).write_bytes(fitting(record))


def fitting(record: Termination) -> bytes:
    """The record within `MAX_TERMINATION_BYTES`: warnings go first, then the message's end."""
    while len(data := canonical_json(record)) > MAX_TERMINATION_BYTES:
        if record.warnings:
            record = record.model_copy(update={"warnings": record.warnings[:-1]})
        else:
            over = len(data) - MAX_TERMINATION_BYTES
            kept = max(0, len(record.message) - max(over // 4, 1) - 1)
            record = record.model_copy(update={"message": record.message[:kept] + "…"})
    return data
