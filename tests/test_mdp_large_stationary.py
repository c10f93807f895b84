"""Certified stationary laws of large chains, against elimination on the dense chain."""

from __future__ import annotations

import numpy as np
import pytest

from mdp import exact, garnet, simple_spread
from mdp.instances import absorbing_trap, nearly_decomposable, periodic_trap
from mdp.large import SparseExact, SparseMDP, sparse_exact, sparse_exact_from_tables
from mdp.large.solvers import ConvergenceError
from mdp.problem import Problem


def at_zero(problem: Problem) -> np.ndarray:
    return np.zeros((problem.mdp.n_agents, problem.policy.n_parameters))


@pytest.mark.parametrize("seed", range(4))
def test_law_is_within_its_certificate_of_elimination(seed: int) -> None:
    problem = garnet(12, 2, 3, 2, seed=seed)
    theta = np.random.default_rng(seed).normal(size=(2, 3))
    dense = exact(problem, theta)
    view = sparse_exact(SparseMDP.from_dense(problem.mdp), problem.policy, theta)
    for tolerance in (1e-4, 1e-13):
        found = view.stationary_solution(tolerance=tolerance)
        gap = np.abs(found.x - dense.stationary).sum()
        assert gap <= found.error
        assert found.error < 1e4 * max(tolerance, 1e-13)
    assert view.stationary == pytest.approx(dense.stationary, abs=1e-12)


def test_simple_spread_mixes() -> None:
    board = simple_spread(3, 2, 2)
    tables = [np.full((board.n_states, 5), 0.2)] * 2
    found = sparse_exact_from_tables(board, tables).stationary_solution()
    # both agents walk symmetrically and a blocked move stays, so the uniform law is stationary
    assert found.x == pytest.approx(np.full(board.n_states, 1 / board.n_states), abs=1e-12)
    assert found.error < 1e-9


def view_of(problem: Problem) -> SparseExact:
    return sparse_exact(SparseMDP.from_dense(problem.mdp), problem.policy, at_zero(problem))


@pytest.mark.parametrize("length", [2, 4])
def test_a_periodic_chain_has_no_certificate(length: int) -> None:
    with pytest.raises(ConvergenceError, match="reducible or periodic"):
        view_of(periodic_trap(length)).stationary_solution(max_products=500)


def test_a_reducible_chain_with_one_closed_class_is_certified() -> None:
    found = view_of(absorbing_trap()).stationary_solution()
    assert found.x == pytest.approx(np.array([0.0, 0.0, 1.0]), abs=1e-10)
    assert abs(found.x[2] - 1) <= found.error


def test_a_nearly_decomposable_chain_has_an_honest_certificate() -> None:
    """Coupling 1e-12: the residual is at rounding and the law could still be wrong by much; the bound says so."""
    found = view_of(nearly_decomposable(1e-12)).stationary_solution(max_products=500)
    assert found.residual < 1e-15
    assert found.error > 1e-6
    assert np.abs(found.x - 0.25).sum() <= found.error
