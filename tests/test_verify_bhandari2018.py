"""The worked example: verdicts of every variant, witnesses by hand, and the elimination against eigenvalues."""

from __future__ import annotations

import numpy as np
import pytest
from flint import fmpq

from mdp.linear import rational_array, to_float
from verify.bhandari2018 import LEDGER, PAPER
from verify.bhandari2018.drift import line
from verify.bhandari2018.forms import flipping, negative_direction, problems
from verify.claim import Kind
from verify.context import PROFILES, Context
from verify.evidence import judge
from verify.runner import run_claims

VERDICTS = {
    "lemma-1": {"printed": "holds"},
    "lemma-3": {
        "printed": "proved", "reading[visitation]": "refuted", "repaired[visitation]": "proved",
        "reading[identity]": "holds",
    },
    "lemma-4": {"printed": "holds", "reading[1 + gamma]": "holds"},
    "lemma-5": {"printed": "holds", "reading[2 (1 + gamma)^2]": "holds"},
}  # fmt: skip


@pytest.mark.parametrize("build", LEDGER, ids=[b.__name__ for b in LEDGER])
@pytest.mark.parametrize("seed", [0, 17])
def test_verdicts(build, seed: int) -> None:  # type: ignore[no-untyped-def]
    (result,) = run_claims([build()], Context(PROFILES["quick"], seed=seed), {})
    claim = result.claim
    assert claim.hypotheses
    assert claim.consequence
    assert result.controls_refuted
    found = {v.variant.name: str(v.verdict) for v in result.variants if v.variant.kind is not Kind.CONTROL}
    assert found == VERDICTS[claim.id]
    for v in result.variants:
        if str(v.verdict) == "refuted":
            assert any(e.witness is not None and str(judge(e)) == "refuted" for e in v.evidence), v.variant.name


def test_the_whole_paper_is_covered() -> None:
    assert [row["id"] for row in PAPER.coverage()] == [claim.id for claim in PAPER.claims()]


def test_drift_under_the_visitation_by_hand() -> None:
    # 0 -> 1 -> 1, gamma = 1/2, from 0: d = (1/2, 1/2); v = (1, 2)
    left = 0.5 * 1 * (1 - 0.5 * 2) + 0.5 * 2 * (2 - 0.5 * 2)
    assert left == 1 < (1 - 0.5) * (0.5 * 1 + 0.5 * 4) == 1.25
    problem = line(2, fmpq(1, 2), identity=True)
    v = rational_array([1, 2])
    assert (v @ problem.slope @ v, v @ problem.covariance @ v) == (1, fmpq(5, 2))


@pytest.mark.parametrize("n", [2, 5, 20])
def test_half_the_constant_is_sharp_on_a_line(n: int) -> None:
    gamma = fmpq(999_999, 1_000_000)
    problem = line(n, gamma)
    ratio = problem.slope[0, 0] / ((1 - gamma) * problem.covariance[0, 0])
    assert abs(float(ratio) - (1 + 1 / n) / 2) < 1e-4


def test_two_flipping_states_attain_the_norm_of_the_mean_update() -> None:
    problem = flipping()
    # slope = 1 - gamma (stay - (1 - stay)), covariance 1
    assert problem.slope[0, 0] == 1 + fmpq(9, 10) * fmpq(98, 100)
    assert problem.covariance[0, 0] == 1


def test_second_moment_is_that_of_sampled_updates(rng: np.random.Generator) -> None:
    problem = list(problems(Context(PROFILES["quick"])))[25]
    x = rng.normal(size=problem.phi.shape[1])
    weight, phi, r = (to_float(a) for a in (problem.weight, problem.phi, problem.r))
    picks = rng.choice(weight.size, size=200_000, p=weight.ravel())
    s, a, t = np.unravel_index(picks, weight.shape)
    theta = to_float(problem.theta_star) + x
    delta = r[s, a] + float(problem.gamma) * phi[t] @ theta - phi[s] @ theta
    sampled = (delta[:, None] * phi[s]) ** 2
    mean, error = sampled.sum(axis=1).mean(), sampled.sum(axis=1).std() / np.sqrt(len(picks))
    z = np.concatenate([[1.0], x])
    assert abs(z @ to_float(problem.second_moment()) @ z - mean) < 5 * error


@pytest.mark.parametrize("kind", ["indefinite", "semidefinite", "zero corner"])
def test_elimination_agrees_with_eigenvalues(rng: np.random.Generator, kind: str) -> None:
    for _ in range(100):
        n = int(rng.integers(1, 6))
        factor = rng.integers(-3, 4, size=(n, max(1, n - 1)))
        matrix = factor @ factor.T
        if kind == "indefinite":
            matrix = matrix - np.diag(rng.integers(0, 4, size=n))
        if kind == "zero corner":
            matrix[0, 0] = 0
        exact = rational_array(matrix)
        direction, value = negative_direction(exact)
        least = np.linalg.eigvalsh(matrix.astype(float)).min()
        if direction is None:
            assert least > -1e-9
        else:
            assert direction @ exact @ direction == value < 0
            assert least < 0
