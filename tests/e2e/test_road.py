"""The first road: train → version → serve → replace under load → roll back by a pin."""

from __future__ import annotations

import recipes
from harness import Space, columns_body, condition, infer
from load import Load


def test_train_version_serve_replace_and_roll_back(space: Space):
    rows = recipes.cancer()
    uri = space.put("cancer.parquet", rows)
    gates = {"gates": [{"metric": "roc_auc", "min": 0.8}]}
    space.create("TrainingJob", "first", recipes.sklearn_job(uri, evaluation=gates))
    space.create("Deployment", "cancer", {"model": "cancer", "replicas": 1})
    first = space.trained("first")
    assert first == "cancer-v1"
    version = space.get("ModelVersion", first)
    assert version is not None
    assert version["spec"]["metrics"]["roc_auc"] > 0.8
    assert version["spec"]["lineage"]["data"]["rows"] == 569
    status = space.serving("cancer", first)
    assert condition(status, "Ready")["status"] == "True"
    assert space.status("ModelVersion", first)["stage"] == "Champion"

    body = columns_body({name: float(rows[name][0]) for name in recipes.FEATURES})
    answer = infer(space.url("cancer"), "cancer", body)
    assert answer.status_code == 200, answer.text
    outputs = {output["name"]: output["data"] for output in answer.json()["outputs"]}
    assert outputs["label"] == ["malignant"]
    assert answer.json()["model_version"] == "1"

    champion = {"gates": [{"metric": "roc_auc", "champion": {"notWorseBy": 0.05}}]}
    with Load(space.url("cancer"), "cancer", body) as load:
        space.create(
            "TrainingJob",
            "second",
            recipes.sklearn_job(
                uri, "sklearn.ensemble.HistGradientBoostingClassifier", {"max_iter": 60},
                evaluation=champion,
                template={"resources": {"limits": {"cpu": "2"}, "requests": {"cpu": "100m"}}},
            ),
        )  # fmt: skip
        second = space.trained("second")
        made = space.get("ModelVersion", second)
        assert made is not None
        assert made["spec"]["lineage"]["threads"] == 2
        space.serving("cancer", second)
        assert space.status("ModelVersion", first)["stage"] == "Archived"
        space.patch("Deployment", "cancer", {"version": first})
        space.serving("cancer", first)
    assert load.failed == []
    assert load.ok > 100
    assert load.versions == {"1", "2"}
    reasons = [entry["reason"] for entry in space.status("Deployment", "cancer")["history"]]
    assert reasons == ["RolledBack", "Promoted", "Promoted"]
    assert space.status("ModelVersion", second)["stage"] == "Champion"  # pins never move it
    assert len(space.list("Workload", "pawl.dev/role=server")) == 1


def test_numbers_categories_and_missing_values(space: Space):
    uri = space.put("mixed.parquet", recipes.mixed())
    spec = {
        "model": "churn",
        "data": {"uri": uri, "task": "binary", "target": "churned", "idColumns": ["customer"]},
        "trainer": {"sklearn": {"estimator": "sklearn.linear_model.LogisticRegression"}},
        "evaluation": {
            "threshold": {"maximize": "f1"},
            "gates": [{"metric": "roc_auc", "min": 0.7}],
        },
    }
    space.create("TrainingJob", "churn", spec)
    space.create("Deployment", "churn", {"model": "churn"})
    space.serving("churn", space.trained("churn"))
    url = space.url("churn")
    whole = infer(url, "churn", columns_body({"plan": "basic", "monthly": 90.0, "tenure": 2.0}))
    assert whole.json()["outputs"][0]["data"] == ["yes"], whole.text
    body = columns_body({"plan": "never seen", "monthly": 90.0, "tenure": 2.0})
    body["inputs"][2]["data"] = [None]
    assert infer(url, "churn", body).status_code == 200
    bad = infer(url, "churn", columns_body({"plan": "basic", "monthly": 90.0}))
    assert bad.status_code == 400
    assert "tenure" in bad.json()["error"]
    assert infer(url, "churn", body, path="/versions/9").status_code == 404


def test_three_classes(space: Space):
    uri = space.put("iris.parquet", recipes.iris())
    spec = {
        "model": "iris",
        "data": {"uri": uri, "task": "multiclass", "target": "species", "idColumns": ["flower"]},
        "trainer": {
            "sklearn": {
                "estimator": "sklearn.ensemble.RandomForestClassifier",
                "parameters": {"n_estimators": 20},
            }
        },
        "evaluation": {"metrics": ["accuracy", "log_loss"]},
    }
    space.create("TrainingJob", "iris", spec)
    space.create("Deployment", "iris", {"model": "iris"})
    space.serving("iris", space.trained("iris"))
    row = {"sepal length": 5.0, "sepal width": 3.4, "petal length": 1.5, "petal width": 0.2}
    answer = infer(space.url("iris"), "iris", columns_body(row)).json()
    assert answer["outputs"][0]["data"] == ["setosa"]


def test_regression(space: Space):
    uri = space.put("diabetes.parquet", recipes.diabetes())
    spec = {
        "model": "diabetes",
        "data": {"uri": uri, "task": "regression", "target": "progression"},
        "trainer": {"sklearn": {"estimator": "sklearn.linear_model.Ridge"}},
        "evaluation": {"metrics": ["rmse", "r2"], "gates": [{"metric": "rmse", "max": 80}]},
    }
    space.create("TrainingJob", "diabetes", spec)
    space.create("Deployment", "diabetes", {"model": "diabetes"})
    space.serving("diabetes", space.trained("diabetes"))
    row = {name: 0.01 for name in recipes.diabetes() if name != "progression"}
    answer = infer(space.url("diabetes"), "diabetes", columns_body(row)).json()
    assert 25 < answer["outputs"][0]["data"][0] < 350
