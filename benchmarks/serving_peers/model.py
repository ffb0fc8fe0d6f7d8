"""Trains the benchmark's models. Runs in a peer's environment as well as in Pawl's: each server
gets a model that its own scikit-learn trained, from the same rows, parameters and seed.

    python model.py PATH gb|lr     writes a joblib file and prints the probability of the first row
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

KINDS = ("gb", "lr")


def rows(*, wide: bool = False) -> Any:
    """569 rows of 30 floats (Wisconsin breast cancer); `wide`: and their square roots."""
    features, answers = load_breast_cancer(return_X_y=True)
    return (np.hstack([features, np.sqrt(features)]) if wide else features), answers


def pipeline(kind: str, *between: tuple[str, Any], wide: bool = False) -> Pipeline:
    """Scaling, then gradient boosting (100 trees) or logistic regression; fitted."""
    estimator = (
        GradientBoostingClassifier(random_state=0)
        if kind == "gb"
        else LogisticRegression(max_iter=1000)
    )
    steps = [("scale", StandardScaler()), *between, ("estimate", estimator)]
    return Pipeline(steps).fit(*rows(wide=wide))


def main() -> None:
    import joblib

    path, kind = sys.argv[1:]
    model = pipeline(kind)
    joblib.dump(model, path)
    print(repr(float(model.predict_proba(np.asarray(rows()[0][:1]))[0, 1])))


if __name__ == "__main__":
    main()
