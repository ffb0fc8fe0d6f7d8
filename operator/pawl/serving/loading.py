"""From the artifact store to a model that answers: fetch, verify, load, warm up. Blocking.

Nothing is opened before its digest is verified, and the digest's signature where keys are given.
Fetched files are removed once the model is in memory.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import monotonic, perf_counter

import numpy as np
from pydantic import ValidationError

from pawl.artifacts import signing
from pawl.artifacts.bundle import (
    BASELINE,
    DERIVED,
    LINEAGE,
    MODEL_ONNX,
    MODEL_SKOPS,
    SIGNATURE,
    TESTS,
    fetch_bundle,
)
from pawl.artifacts.derivation import Derivation
from pawl.artifacts.records import Baseline, Lineage, Signature
from pawl.errors import IntegrityError, SignatureError, StoreError
from pawl.serving import model_tests
from pawl.serving.codec import Codec, Feed, Outputs, codec_for
from pawl.serving.codec.derived import sent
from pawl.serving.dataplane import Served
from pawl.serving.engine.base import Engine
from pawl.serving.engine.onnx import OnnxEngine
from pawl.serving.settings import Settings

LOGGER = logging.getLogger(__name__)
_WARM_UP_RUNS = 3
#: Assumed until measured.
_SECONDS_PER_ROW = 0.001
#: Of a file that is read whole: about 3,000 features.
_MAX_BASELINE_BYTES = 16 << 20
_WANTED = (SIGNATURE, LINEAGE, BASELINE, DERIVED, TESTS, MODEL_ONNX)


def load(settings: Settings, wait: Callable[[float], bool]) -> Served:
    """The model that `settings` name. IntegrityError, UserError and FileNotFoundError are final;
    StoreError only after `settings.load_timeout`. `wait(seconds)` pauses and says whether to stop
    trying."""
    start = monotonic()
    pause = 0.5
    while True:
        try:
            return load_once(settings)
        except StoreError as error:
            if monotonic() - start + pause > settings.load_timeout:
                raise
            LOGGER.warning("the store did not answer", extra={"fields": {"error": str(error)}})
            if wait(pause):
                raise
            pause = min(2 * pause, 15.0)


def load_once(settings: Settings) -> Served:
    """One try; see `load`."""
    start = perf_counter()
    settings.work_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bundle-", dir=settings.work_dir) as name:
        folder = Path(name)
        signature, engine = _engine(settings, folder)
        baseline = _baseline(folder / BASELINE)
        derivation = _derivation(folder / DERIVED)
        cases = model_tests.read(folder / TESTS)
    codec = codec_for(signature, settings.max_rows, derivation)
    if isinstance(engine, OnnxEngine):
        engine.fit(codec.example(1), codec.wanted, tabular=signature.layout == "tabular")
    seconds_per_row = _warm_up(engine, codec)
    if cases is not None:
        model_tests.require(cases, signature, codec, engine)
    batchable = codec.batchable and (
        signature.layout == "tabular" or rows_are_independent(engine.run, codec)
    )
    return Served(
        signature=signature,
        sent=sent(signature, derivation) if derivation else signature,
        codec=codec,
        engine=engine,
        baseline=baseline,
        batchable=batchable,
        seconds_per_row=seconds_per_row,
        load_seconds=perf_counter() - start,
    )


def _engine(settings: Settings, folder: Path) -> tuple[Signature, Engine]:
    """Fetches what is needed of the bundle, ONNX where it has both formats."""
    uri, digest = settings.artifact_uri, settings.artifact_digest
    if settings.verify_keys:
        signing.verify(uri, digest, settings.verify_keys)
    manifest = fetch_bundle(uri, digest, folder, names=_WANTED)
    if (folder / MODEL_ONNX).exists():
        engine = OnnxEngine(folder / MODEL_ONNX)
        if (folder / SIGNATURE).exists():
            return _signature(folder), engine
        return engine.signature(), engine
    if all(file.name != MODEL_SKOPS for file in manifest.files):
        raise IntegrityError(f"the bundle holds neither {MODEL_ONNX} nor {MODEL_SKOPS}")
    fetch_bundle(uri, digest, folder, names=(MODEL_SKOPS,))
    signature = _signature(folder)
    lineage = folder / LINEAGE
    try:
        from pawl.serving.engine.skops import SkopsEngine  # noqa: PLC0415 - another image's
    except ModuleNotFoundError as error:
        raise IntegrityError(
            f"this model needs scikit-learn; serve it with the server-sklearn image "
            f"({error.name} is not installed here)",
            reason="NeedsSklearnImage",
        ) from error
    return signature, SkopsEngine(
        folder / MODEL_SKOPS,
        signature,
        Lineage.model_validate_json(lineage.read_bytes()) if lineage.exists() else None,
        settings.allowed_types,
    )


def _signature(folder: Path) -> Signature:
    try:
        return Signature.model_validate_json((folder / SIGNATURE).read_bytes())
    except (FileNotFoundError, ValidationError) as error:
        raise IntegrityError(
            f"the bundle has no readable {SIGNATURE}", reason="BadSignature"
        ) from error


def _baseline(path: Path) -> Baseline | None:
    """What is counted against, where the bundle has it (imported versions have none)."""
    if not path.exists():
        return None
    if path.stat().st_size > _MAX_BASELINE_BYTES:
        LOGGER.warning("the baseline is too large; nothing is counted in its bins")
        return None
    try:
        return Baseline.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise IntegrityError(
            f"the bundle has no readable {BASELINE}", reason="BadBaseline"
        ) from error


def _derivation(path: Path) -> Derivation | None:
    """How features follow from what clients send, where the bundle says so."""
    if not path.exists():
        return None
    try:
        return Derivation.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise IntegrityError(f"the bundle has no readable {DERIVED}", reason="BadBundle") from error


def _warm_up(engine: Engine, codec: Codec) -> float:
    """The first answers, which are slow, before anybody asks; gives the seconds of one row."""
    best = _SECONDS_PER_ROW
    for _ in range(_WARM_UP_RUNS):
        start = perf_counter()
        try:
            outputs = engine.run(codec.example(1))
        except SignatureError as error:
            # Nothing says that a model must accept made-up rows.
            LOGGER.info("no warm-up", extra={"fields": {"reason": str(error)}})
            return best
        best = min(best, perf_counter() - start)
        try:
            codec.render(outputs, 1)
        except (ValueError, KeyError) as error:
            raise IntegrityError(
                f"the model's outputs do not fit its signature: {error}", reason="BadSignature"
            ) from error
    return best


def rows_are_independent(run: Callable[[Feed], Outputs], codec: Codec) -> bool:
    """Whether two made-up rows give the same together as alone. An imported graph may have a batch
    axis and yet mix its rows; then requests are never scored together."""
    pair = codec.example(2)
    for array in pair.values():
        if array.dtype.kind in "fiu":
            array[...] = np.arange(1, array.size + 1).reshape(array.shape) % 7
    try:
        together = run(pair)
        alone = [
            run({name: array[row : row + 1] for name, array in pair.items()}) for row in (0, 1)
        ]
    except Exception:
        LOGGER.warning("the model cannot score two rows together; requests are scored one by one")
        return False
    for name, array in together.items():
        if array.ndim == 0 or len(array) != 2:
            return False
        for row, single in enumerate(alone):
            if not _same(array[row : row + 1], single[name]):
                LOGGER.warning("rows influence each other; requests are scored one by one")
                return False
    return True


def _same(left: np.ndarray, right: np.ndarray) -> bool:
    if left.shape != right.shape:
        return False
    if left.dtype.kind == "f":
        return bool(np.allclose(left, right, rtol=1e-4, atol=1e-6, equal_nan=True))
    return bool((left == right).all())
