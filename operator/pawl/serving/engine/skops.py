"""scikit-learn through skops: for versions that ONNX cannot represent exactly.

Never a pickle, see `artifacts.skops_load`. Estimators do not promise to survive a change of
scikit-learn, so another version than the training one is refused.
"""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sklearn

from pawl.artifacts.records import Lineage, Signature
from pawl.artifacts.skops_load import load_skops
from pawl.errors import IntegrityError, SignatureError
from pawl.serving.codec.base import Feed, Outputs
from pawl.serving.errors import EngineError

LOGGER = logging.getLogger(__name__)
# Said at every request otherwise; see SkopsEngine._same_without_names.
warnings.filterwarnings("ignore", message="X does not have valid feature names")


class SkopsEngine:
    """A fitted scikit-learn pipeline that is given a DataFrame."""

    name = "skops"

    def __init__(
        self,
        path: Path,
        signature: Signature,
        lineage: Lineage | None,
        allowed: tuple[str, ...] = (),
    ) -> None:
        """`allowed` is what the administrator adds: paths, or prefixes that end in a dot."""
        _check_version(lineage)
        self._model = load_skops(path, allowed)
        self._columns = list(signature.columns)
        self._numeric = {name: index for index, name in enumerate(signature.numeric)}
        self._categorical = {name: index for index, name in enumerate(signature.categorical)}
        method, self._output = _method(signature)
        self._answer: Any = getattr(self._model, method, None)
        if self._answer is None:
            raise IntegrityError(f"the model has no {method}", reason="BadSignature")
        self._index = pd.Index(self._columns)
        self._one_block = signature.numeric == tuple(self._columns)
        self._plain = self._one_block and self._same_without_names()

    def run(self, feed: Feed) -> Outputs:
        # Rows that are known to be finite need not be searched for NaN in every step.
        finite = "numeric" not in feed or bool(np.isfinite(feed["numeric"]).all())
        try:
            with sklearn.config_context(assume_finite=finite):
                values = self._answer(feed["numeric"] if self._plain else self._frame(feed))
        except ValueError as error:
            text = " ".join(str(error).split())[:300]
            raise SignatureError(f"the model refused the input: {text}") from error
        except Exception as error:
            LOGGER.exception("the model failed")
            raise EngineError(
                "the model failed on these rows; the server's log says more"
            ) from error
        return {self._output: np.asarray(values)}

    def _same_without_names(self) -> bool:
        """Whether the model answers the same to a bare array. Checking the names of 30 columns in
        every step takes scikit-learn longer than all the rest."""
        rows = np.random.default_rng(0).normal(size=(5, len(self._columns)))
        try:
            named = self._answer(pd.DataFrame(rows, columns=self._index))
            return bool(np.array_equal(self._answer(rows), named))
        except Exception:
            return False

    def _frame(self, feed: Feed) -> pd.DataFrame:
        """As in training: double columns, and object columns in which "" is missing."""
        if self._one_block:
            return pd.DataFrame(feed["numeric"], columns=self._index, copy=False)
        columns: dict[str, Any] = {}
        for name in self._columns:
            if name in self._numeric:
                columns[name] = feed["numeric"][:, self._numeric[name]]
            else:
                columns[name] = feed["categorical"][:, self._categorical[name]]
        return pd.DataFrame(columns, copy=False)


def _method(signature: Signature) -> tuple[str, str]:
    if not signature.classes:
        return "predict", "prediction"
    scored = any(output.name.startswith("probabilit") for output in signature.outputs)
    if scored or signature.threshold is not None:
        return "predict_proba", "probabilities"
    return "predict", "label"


def _check_version(lineage: Lineage | None) -> None:
    trained = lineage.environment.get("scikit-learn") if lineage else None
    if trained != sklearn.__version__:
        raise IntegrityError(
            f"the model was trained with scikit-learn {trained or '(not recorded)'}, this server "
            f"has {sklearn.__version__}; use an image with the same version",
            reason="ScikitLearnDiffers",
        )
