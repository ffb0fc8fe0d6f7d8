"""python mlflow_model.py JOBLIB FOLDER: the model in MLflow's format, answering probabilities."""

from __future__ import annotations

import sys

import joblib
import mlflow.sklearn

if __name__ == "__main__":
    source, folder = sys.argv[1:]
    mlflow.sklearn.save_model(
        joblib.load(source),
        folder,
        pyfunc_predict_fn="predict_proba",
        serialization_format=mlflow.sklearn.SERIALIZATION_FORMAT_CLOUDPICKLE,
    )
