"""Types that a skops file may hold beyond those that skops itself trusts.

Found in fitted scikit-learn estimators; constructing one runs no code of the file's choosing. The
server and the trainer use this one list. Anything else is refused before loading.
"""

from __future__ import annotations

from collections.abc import Sequence

_LOSSES = (
    "AbsoluteError", "ExponentialLoss", "HalfBinomialLoss", "HalfGammaLoss",
    "HalfMultinomialLoss", "HalfPoissonLoss", "HalfSquaredError", "HalfTweedieLoss",
    "HalfTweedieLossIdentity", "HuberLoss", "PinballLoss",
)  # fmt: skip
_KERNELS = (
    "CompoundKernel", "ConstantKernel", "DotProduct", "ExpSineSquared", "Exponentiation",
    "Matern", "PairwiseKernel", "Product", "RationalQuadratic", "RBF", "Sum", "WhiteKernel",
)  # fmt: skip
_DISTANCES = ("ChebyshevDistance", "EuclideanDistance", "ManhattanDistance", "MinkowskiDistance")

TRUSTED_TYPES: frozenset[str] = frozenset(
    {
        "numpy.dtype",
        "pawl.artifacts.rounding.RoundToFloat32",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
        "sklearn.neighbors._ball_tree.BallTree",
        "sklearn.neighbors._kd_tree.KDTree",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
        "sklearn.tree._tree.Tree",
        "sklearn.utils._bunch.Bunch",
        *(f"sklearn._loss.loss.{name}" for name in _LOSSES),
        *(f"sklearn.gaussian_process.kernels.{name}" for name in _KERNELS),
        *(f"sklearn.metrics._dist_metrics.{name}64" for name in _DISTANCES),
    }
)


def is_listed(name: str, allowed: Sequence[str]) -> bool:
    """Whether the administrator allows it: by its full path, or a prefix that ends in a dot."""
    return any(name == item or (item.endswith(".") and name.startswith(item)) for item in allowed)


def is_trusted(name: str, extra: Sequence[str] = ()) -> bool:
    """Whether a type may be loaded: one of ours, or one that is listed."""
    return name in TRUSTED_TYPES or is_listed(name, extra)
