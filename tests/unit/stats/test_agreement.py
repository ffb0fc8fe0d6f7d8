"""Agreement of annotators against published tables and other libraries."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import cohen_kappa_score

from pawl.stats.agreement import agreement, kappa, majority
from pawl.stats.intervals import Z95
from pawl.stats.metrics import UndefinedMetricError

#: Fleiss (1971), table 1: 30 patients, how often six psychiatrists gave each of five diagnoses.
PATIENTS = [
    (0, 0, 0, 6, 0), (0, 3, 0, 0, 3), (0, 1, 4, 0, 1), (0, 0, 0, 0, 6), (0, 3, 0, 3, 0),
    (2, 0, 4, 0, 0), (0, 0, 4, 0, 2), (2, 0, 3, 1, 0), (2, 0, 0, 4, 0), (0, 0, 0, 0, 6),
    (1, 0, 0, 5, 0), (1, 1, 0, 4, 0), (0, 3, 3, 0, 0), (1, 0, 0, 5, 0), (0, 2, 0, 3, 1),
    (0, 0, 5, 0, 1), (3, 0, 0, 1, 2), (5, 1, 0, 0, 0), (0, 2, 0, 4, 0), (1, 0, 2, 0, 3),
    (0, 0, 0, 0, 6), (0, 1, 0, 5, 0), (0, 2, 0, 1, 3), (2, 0, 0, 4, 0), (1, 0, 0, 4, 1),
    (0, 5, 0, 1, 0), (4, 0, 0, 0, 2), (0, 2, 0, 4, 0), (1, 0, 5, 0, 0), (0, 0, 0, 0, 6),
]  # fmt: skip
#: The data of the R package irrCAC, cac.raw4raters, without its row of one label.
UNITS = [
    (1, 1, -1, 1), (2, 2, 3, 2), (3, 3, 3, 3), (3, 3, 3, 3), (2, 2, 2, 2), (1, 2, 3, 4),
    (4, 4, 4, 4), (1, 1, 2, 1), (2, 2, 2, 2), (-1, 5, 5, 5), (-1, -1, 1, 1),
]  # fmt: skip


def raw(table: list[tuple[int, ...]]) -> np.ndarray:
    """Each row's labels one after the other."""
    return np.array([np.repeat(np.arange(len(row)), row) for row in table])


def pairs(table: list[list[int]]) -> np.ndarray:
    """A row for each pair of labels that a table of two annotators counts."""
    rows, columns = np.indices((len(table), len(table)))
    each = np.array(table).ravel()
    return np.column_stack([np.repeat(rows.ravel(), each), np.repeat(columns.ravel(), each)])


def error(labels: np.ndarray) -> float:
    """The standard error behind the interval."""
    found = kappa(labels)
    z, lower = np.arctanh([found.value, found.lower])
    return (z - lower) / Z95 * (1 - found.value**2)


def test_fleiss_is_that_of_his_own_table():
    assert kappa(raw(PATIENTS)).value == pytest.approx(0.430, abs=5e-4)


def test_fleiss_of_incomplete_rows_and_its_error_are_those_of_irrcac():
    found = kappa(np.array(UNITS))
    assert (found.value, found.n) == (pytest.approx(0.7624831309, abs=1e-9), 11)
    assert error(np.array(UNITS)) == pytest.approx(0.1354385985, abs=1e-9)


def test_cohens_error_is_that_of_fleiss_cohen_and_everitt():
    """The formula of 1969, as statsmodels has it, on a table of 100 rows."""
    table = np.array([[44, 5, 1], [7, 20, 3], [9, 5, 6]])
    p = table / 100
    row, column = p.sum(axis=1), p.sum(axis=0)
    chance = row @ column
    value = (np.trace(p) - chance) / (1 - chance)
    same = (np.diag(p) * (1 - (row + column) * (1 - value)) ** 2).sum()
    apart = p * (column[:, None] + row) ** 2
    np.fill_diagonal(apart, 0)
    variance = same + (1 - value) ** 2 * apart.sum() - (value - chance * (1 - value)) ** 2
    expected = np.sqrt(variance / (1 - chance) ** 2 / 99)
    assert kappa(pairs(table.tolist())).value == pytest.approx(value)
    assert error(pairs(table.tolist())) == pytest.approx(expected)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=40))
def test_cohen_is_that_of_scikit_learn(labels: list[tuple[int, int]]):
    both = np.array(labels)
    if len(np.unique(both)) == 1:
        return
    assert kappa(both).value == pytest.approx(cohen_kappa_score(*both.T))


MATRICES = arrays(np.int64, st.tuples(st.integers(2, 30), st.integers(2, 6)),
                  elements=st.integers(-1, 3))  # fmt: skip


@given(MATRICES, st.permutations(range(4)))
def test_kappa_is_bounded_and_goes_by_no_names(labels: np.ndarray, names: list[int]):
    try:
        found = kappa(labels)
    except UndefinedMetricError:
        return
    assert -1 - 1e-9 <= found.value <= 1 + 1e-9
    assert found.lower <= found.value <= found.upper
    renamed = np.where(labels < 0, -1, np.array(names)[labels])
    assert kappa(renamed).value == pytest.approx(found.value)


@given(MATRICES)
def test_a_majority_has_more_votes_than_any_other_label_or_is_tied(labels: np.ndarray):
    winners, ties = majority(labels)
    for row, winner, tied in zip(labels, winners, ties, strict=True):
        present = row[row >= 0]
        if not len(present):
            assert (winner, tied) == (-1, False)
            continue
        votes = np.bincount(present)
        assert votes[winner] == votes.max()
        assert tied == (np.count_nonzero(votes == votes.max()) > 1)


def test_agreement_is_the_share_of_equal_pairs():
    labels = np.array([[0, 0, 0], [0, 0, 1], [0, 1, 2], [1, 1, -1], [1, -1, -1]])
    assert agreement(labels) == pytest.approx([1, 1 / 3, 0, 1, np.nan], nan_ok=True)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        pytest.param([[0, -1], [-1, 1], [1, 1]], "two rows", id="one row of two labels"),
        pytest.param([[1, 1], [1, 1]], "two different", id="one label of two"),
        pytest.param([[1, 1, 1], [1, 1, -1]], "two different", id="one label of three"),
    ],
)
def test_kappa_is_not_defined_of(labels: list[list[int]], said: str):
    with pytest.raises(UndefinedMetricError, match=said):
        kappa(np.array(labels))


@pytest.mark.parametrize("wrong", [0.1, 0.02])
def test_the_interval_holds_the_truth_as_often_as_it_says(wrong: float):
    """Two annotators who tell two equally frequent labels: κ is (1 − 2 wrong)²."""
    generator = np.random.default_rng(3)
    truth, above, below = (1 - 2 * wrong) ** 2, 0, 0
    for _ in range(600):
        labels = generator.integers(0, 2, (100, 1)) ^ (generator.random((100, 2)) < wrong)
        found = kappa(labels)
        above += found.lower > truth
        below += found.upper < truth
    assert 0 < above / 600 < 0.03
    assert 0.02 < below / 600 < 0.06


def test_few_rows_that_all_agree_prove_little():
    """With 30 rows, 12 % of all may disagree; with 1,000 rows 0.4 %."""
    few, many = (kappa(np.tile([[0, 0], [1, 1]], (n, 1))) for n in (15, 500))
    assert (few.value, few.lower, few.upper) == (1, pytest.approx(2 * 0.025 ** (1 / 30) - 1), 1)
    assert many.lower > 0.99


def test_annotators_who_always_differ_have_an_interval():
    found = kappa(np.tile([[0, 1], [1, 0]], (20, 1)))
    assert (found.value, found.lower, found.upper) == pytest.approx((-1, -1, -1))
