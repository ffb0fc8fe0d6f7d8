"""Row-wise expressions over columns: parsed, typed, and evaluated by the same code in training and
in the server."""

from pawl.expressions.kinds import Kind
from pawl.expressions.tree import ExpressionError, columns_of, parse

__all__ = ["ExpressionError", "Kind", "columns_of", "parse"]
