"""Admission by policy: ValidatingAdmissionPolicies and their bindings, enforced on every write
(apiserver/pkg/admission/plugin/policy)."""

from pawl.local.api.admission.attempt import Attempt
from pawl.local.api.admission.enforce import Admission

__all__ = ["Admission", "Attempt"]
