"""CEL, the Common Expression Language, with the functions of Kubernetes' validation rules.

Three passes, like cel-go: `parser` (text to syntax tree), `checker` (types: a rule that names an
unknown field or mixes types is refused when the CRD is created) and `program` (tree to closures).
"""

from pawl.local.schema.cel import authz, kubernetes, lists, operators, semver, strings, times
from pawl.local.schema.cel.checker import check
from pawl.local.schema.cel.parser import parse
from pawl.local.schema.cel.problems import CompileError, EvaluationError
from pawl.local.schema.cel.program import build

LIBRARIES = (
    operators,
    strings,
    lists,
    times,
    kubernetes,
    semver,
    authz,
)  # importing them registers

__all__ = ["LIBRARIES", "CompileError", "EvaluationError", "build", "check", "parse"]
