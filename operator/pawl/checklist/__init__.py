"""Behavioural tests of a model, in the terms of CheckList (Ribeiro et al., 2020): run when a
version is published, and again by every server before it is ready."""

from pawl.checklist.cases import Case, Checklist, parse
from pawl.checklist.run import Said, misfits, run

__all__ = ["Case", "Checklist", "Said", "misfits", "parse", "run"]
