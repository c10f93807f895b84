"""Pure equilibria: textbook games, closed forms of the coordination game, independent oracles, and bad input."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from mdp.equilibria import Profile, is_perfect, pure_equilibria, pure_nash
from mdp.exact import Exact
from mdp.families import random_problem
from mdp.instances import coordination_game, xor_team
from mdp.linear import rational_array
from mdp.model import FiniteMDP

PRISONERS = [[[3, 0], [4, 1]], [[3, 4], [0, 1]]]


def one_state(payoffs: object, gamma: float = 0.0) -> FiniteMDP:
    table = np.asarray(payoffs, dtype=float)
    A = int(np.prod(table.shape[1:]))
    return FiniteMDP(np.ones((1, A, 1)), table.reshape(len(table), 1, A), np.ones(1), gamma, table.shape[1:])


def small_markov(seed: int, gamma: float = 0.5) -> FiniteMDP:
    """Rewards of small integers, so that ties occur; an initial law that charges every state."""
    rng = np.random.default_rng(seed)
    r = rng.integers(0, 3, (2, 2, 6)).astype(float)
    P = rng.choice([[0.25, 0.75], [0.5, 0.5], [1.0, 0.0]], size=(2, 6))
    return FiniteMDP(P, r, np.array([0.5, 0.5]), gamma, (2, 3))


def brute(payoffs: np.ndarray, strict: bool = False) -> set[tuple[int, ...]]:
    """By the definition, profile by profile, over fractions."""
    found = set()
    for profile in product(*map(range, payoffs.shape[1:])):
        gains = [
            Fraction(payoffs[(i, *profile[:i], b, *profile[i + 1 :])]) - Fraction(payoffs[(i, *profile)])
            for i in range(len(payoffs))
            for b in range(payoffs.shape[1 + i])
            if b != profile[i]
        ]
        if all(g < 0 if strict else g <= 0 for g in gains):
            found.add(profile)
    return found


@pytest.mark.parametrize(
    ("payoffs", "nash"),
    [
        (PRISONERS, {(1, 1)}),
        ([[[2, 0], [0, 1]], [[1, 0], [0, 2]]], {(0, 0), (1, 1)}),
        ([[[1, -1], [-1, 1]], [[-1, 1], [1, -1]]], set()),
        ([[3, 5, 5]], {(1,), (2,)}),
    ],
    ids=["prisoners-dilemma", "battle-of-the-sexes", "matching-pennies", "one-agent"],
)
def test_textbook_games(payoffs: object, nash: set[tuple[int, ...]]) -> None:
    assert set(pure_nash(payoffs)) == nash


@pytest.mark.parametrize("strict", [False, True], ids=["weak", "strict"])
@pytest.mark.parametrize("shape", [(2, 3, 4), (3, 2, 3, 2), (1, 5)], ids=str)
def test_enumeration_follows_the_definition(shape: tuple[int, ...], strict: bool) -> None:
    for seed in range(20):
        payoffs = np.random.default_rng(seed).integers(0, 4, size=shape)
        assert set(pure_nash(payoffs, strict=strict)) == brute(payoffs, strict)


def test_quantecon_finds_the_same() -> None:
    theory = pytest.importorskip("quantecon.game_theory")
    for seed in range(20):
        payoffs = np.random.default_rng(seed).integers(0, 5, size=(3, 3, 2, 4)).astype(float)
        game = theory.NormalFormGame(np.moveaxis(payoffs, 0, -1))
        assert sorted(theory.pure_nash_brute(game)) == sorted(pure_nash(payoffs))
    game = coordination_game(3, noise=False).mdp
    payoffs = game.r[:, 0].reshape(3, 8, 8, 8)
    other = theory.NormalFormGame(np.moveaxis(payoffs, 0, -1))
    assert sorted(theory.pure_nash_brute(other)) == sorted(pure_nash(payoffs)) == [(0, 0, 0), (7, 7, 7)]


def test_comparison_is_exact() -> None:
    third = rational_array([Fraction(1, 3), Fraction(1, 3) + Fraction(1, 10**40), Fraction(1, 3)])
    assert pure_nash(third[None]) == ((1,),)
    assert pure_nash(np.array([third.astype(object)], dtype=object)) == ((1,),)
    assert len(pure_nash([[1 / 3, 1 / 3 + 1e-40, 1 / 3]])) == 3  # as floats these are ties


def test_prisoners_dilemma_as_a_problem() -> None:
    found = pure_equilibria(one_state(PRISONERS, gamma=0.75))
    assert found.nash == found.strict == (((1,), (1,)),)
    assert found.team_nash == found.efficient == (((0,), (0,)),)
    assert found.efficient_nash == ()
    assert found.best == 12  # 3 / (1 - 3/4)
    assert found.J == {((1,), (1,)): 4, ((0,), (0,)): 12}


def same(action: int, n_agents: int) -> Profile:
    return ((action,),) * n_agents


@pytest.mark.parametrize("n_agents", [2, 3, 4, 5])
def test_coordination_game_has_two_equilibria_and_both_are_efficient(n_agents: int) -> None:
    """An action inside loses at least 6 in the square and wins at most N - 1 <= 5 matches; at the ends, a majority."""
    N = n_agents
    found = pure_equilibria(coordination_game(N, noise=False).mdp)
    assert found.nash == found.strict == found.efficient == found.efficient_nash == (same(0, N), same(7, N))
    assert found.best == Fraction(49, 4) + N - 1
    # for the team a match counts twice: with 2 (N - 1) >= 6 no one leaves a common 1, though all would rather be at 0
    inside = (same(1, N), same(6, N)) if N >= 4 else ()
    assert set(found.team_nash) == {*found.nash, *inside}


def test_noise_adds_its_mean_and_moves_no_equilibrium() -> None:
    quiet, noisy = (pure_equilibria(coordination_game(3, noise=n).mdp) for n in (False, True))
    assert noisy.nash == quiet.nash
    assert float(noisy.best - quiet.best) == pytest.approx(np.euler_gamma)


def test_team_that_must_differ() -> None:
    found = pure_equilibria(xor_team().mdp)
    assert set(found.nash) == set(found.efficient) == {((0,), (1,)), ((1,), (0,))}


@pytest.mark.parametrize("seed", range(12))
def test_markov_equilibria_agree_with_one_shot_deviations(seed: int) -> None:
    """Whole policies compared from a law of full support, against single deviations in every state."""
    mdp = small_markov(seed)
    found = pure_equilibria(mdp)
    strategies = [list(product(range(k), repeat=2)) for k in mdp.n_actions]
    every = [tuple(p) for p in product(*strategies)]
    assert set(found.nash) == {p for p in every if is_perfect(mdp, p)}
    assert set(found.team_nash) == {p for p in every if is_perfect(mdp, p, team=True)}
    assert set(found.efficient) <= set(found.team_nash)


def test_markov_cases_have_and_lack_equilibria() -> None:
    counts = {len(pure_equilibria(small_markov(seed)).nash) for seed in range(12)}
    assert len(counts) > 2, "the comparison above needs variety"


def test_markov_values_are_those_of_the_exact_layer() -> None:
    mdp = small_markov(1)
    found = pure_equilibria(mdp)
    for profile, J in found.J.items():
        tables = tuple(np.eye(k)[list(p)] for k, p in zip(mdp.n_actions, profile, strict=True))
        scores = tuple(np.zeros((*t.shape, 1)) for t in tables)
        view = Exact(mdp.P, mdp.r, mdp.initial, mdp.gamma, tables, scores, np.ones((2, 1)), np.ones((2, 6, 1)))
        assert pytest.approx(float(J), rel=1e-12) == view.J


def test_equilibria_from_one_state_need_not_be_perfect() -> None:
    """State 1 is never reached from state 0, so what an agent does there is free."""
    P = np.zeros((2, 4, 2))
    P[0, :, 0] = P[1, :, 0] = 1.0
    r = np.zeros((2, 2, 4))
    r[:, 1, 3] = 1.0
    mdp = FiniteMDP(P, r, np.array([1.0, 0.0]), 0.5, (2, 2))
    found = pure_equilibria(mdp)
    assert len(found.nash) == 16
    assert not is_perfect(mdp, ((0, 0), (0, 1)))
    assert is_perfect(mdp, ((0, 1), (0, 1)))
    assert set(pure_equilibria(replace(mdp, initial=np.array([0.5, 0.5]))).nash) < set(found.nash)


@pytest.mark.parametrize(
    ("payoffs", "message"),
    [
        (np.zeros((3, 2, 2)), r"payoffs has shape \(3, 2, 2\); N agents need N \+ 1 axes"),
        (np.zeros((2, 2, 0)), "at least one action"),
        ([[1.0, float("nan")]], r"payoffs\[0, 1\] is nan"),
        ([[float("inf"), 1.0]], r"payoffs\[0, 0\] is inf"),
    ],
    ids=["axes", "empty", "nan", "inf"],
)
def test_bad_payoffs(payoffs: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pure_nash(payoffs)


def test_bad_problems_and_profiles() -> None:
    big = random_problem(np.random.default_rng(0), n_states=5, n_agents=3, gamma=0.5)[0].mdp
    with pytest.raises(ValueError, match="deterministic joint policies exceed max_profiles = 1000"):
        pure_equilibria(big, max_profiles=1000)
    mdp = small_markov(0)
    with pytest.raises(ValueError, match="not one action per agent and state: 2 x 2"):
        is_perfect(mdp, ((0,), (0,)))
    with pytest.raises(ValueError, match=r"profile\[1\]\[0\] is 3; agent 1 has actions 0 to 2"):
        is_perfect(mdp, ((0, 0), (3, 0)))
