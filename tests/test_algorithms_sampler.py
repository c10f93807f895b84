"""Exact samplers: their law in rationals, a twin on the same stream, the distribution, and the lazy CAC loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np
import pytest
from flint import fmpq
from numba import njit
from scipy.stats import chisquare

from algorithms._cac_kernel import N_DRIFTS, N_METRICS, _cac
from algorithms._cac_lazy_kernel import _cac_lazy
from algorithms._inputs import _tables
from algorithms._sampler import (
    DEBT,
    ENOUGH,
    EPS,
    EPS_ONE,
    MOVES,
    PATIENCE,
    PRICE,
    SOLVING,
    STEPS,
    Anchor,
    Dynamics,
    _accumulate,
    _approach,
    _draw_stationary,
    _draw_visitation,
    _look_up,
    _regenerate,
)
from algorithms._sampler_setup import describe, dynamics_of, empty_anchor, prefers_regeneration
from mdp.exact import exact
from mdp.families import random_problem, random_rational_point
from mdp.features import Features
from mdp.instances import coordination_game, garnet, ring3
from mdp.model import FiniteMDP
from mdp.networks.schedule import Schedule, full_average
from mdp.policy import LogLinearPolicy, joint_probabilities
from mdp.problem import Problem

P_VALUE = 1e-4
"""Seeds are fixed, so a test below this threshold fails for ever or never; ours."""

DRAWS = 1_000_000


def nearly_decomposable() -> Problem:
    """Two pairs of states that hardly meet: no block of 64 steps forgets the pair."""
    P = np.full((4, 4, 4), 5e-5)
    P[:2, :, :2] = P[2:, :, 2:] = 0.5 - 5e-5
    P *= 1.0 + 0.3 * np.random.default_rng(0).random(P.shape)
    P /= P.sum(axis=-1, keepdims=True)
    policy = LogLinearPolicy.tabular(4, (2, 2), shared=False)
    mdp = FiniteMDP(P, np.ones((2, 4, 4)), np.eye(4)[0], 0.8, (2, 2))
    return Problem(mdp, policy, Features.tabular(4, 4), Schedule.static(full_average(2)), name="nearly-decomposable")


PROBLEMS: dict[str, tuple[Callable[[], Problem], int]] = {
    "ring3": (ring3, 1),
    "coordination-noisy": (partial(coordination_game, 2, noise=True), 1),
    "uneven-actions": (lambda: random_problem(np.random.default_rng(2), n_states=4, n_agents=3, gamma=0.9)[0], 1),
    "sparse": (partial(garnet, 20, 2, 2, 3), 4),
    "nearly-decomposable": (nearly_decomposable, 0),
}
"""Problems and the block length the sampler settles on at the `anchored` parameter; 0 where it solves instead."""


@njit
def histogram(rng, dynamics, anchor, theta, draws, stationary):  # type: ignore[no-untyped-def]
    counts = np.zeros(dynamics.P.shape[0], dtype=np.int64)
    for _ in range(draws):
        if stationary:
            counts[_draw_stationary(rng, dynamics, anchor, theta)] += 1
        else:
            counts[_draw_visitation(rng, dynamics, anchor, theta)] += 1
    return counts


def anchored(problem: Problem, distance: float) -> tuple[Dynamics, Anchor, np.ndarray]:
    """An anchor that is not at theta, unless it is made to move."""
    rng = np.random.default_rng(3)
    dynamics = dynamics_of(problem)
    anchor, theta_0 = empty_anchor(dynamics), rng.normal(size=(len(dynamics.psi), dynamics.psi.shape[3]))
    _approach(dynamics, anchor, theta_0)
    theta = theta_0 + distance / max(dynamics.reach.max(), 1e-9) * rng.normal(size=theta_0.shape)
    anchor.numbers[PRICE] = max(anchor.numbers[PRICE], 1e7)
    _approach(dynamics, anchor, theta)
    return dynamics, anchor, theta


# --- the law of the sampler, in rationals -----------------------------------------------------------
def kernel_under(P: np.ndarray, tables: list[np.ndarray]) -> np.ndarray:
    """P averaged over a product of local measures, which need not have mass one."""
    S, sizes = len(P), [t.shape[1] for t in tables]
    out = np.full((S, S), fmpq(0))
    for s, (a, actions) in product(range(S), enumerate(product(*map(range, sizes)))):
        weight = fmpq(1)
        for table, b in zip(tables, actions, strict=True):
            weight *= table[s, b]
        out[s] += weight * P[s, a]
    return out


def astray_law(P: np.ndarray, pi: tuple, q: tuple, c: list[fmpq], steps: int, *, conditioned: bool) -> np.ndarray:
    """Transition law of `_astray`, by the same sequence of coins."""
    N, S = len(c), len(P)
    kept = [kernel_under(P, list(q)), kernel_under(P, list(pi))]  # all on the anchor; coins without condition
    leftover = [(pi[i] - c[i] * q[i]) / (1 - c[i]) for i in range(N)]
    together = np.array([[fmpq(int(s == t)) for t in range(S)] for s in range(S)])
    apart = together * fmpq(0)
    ahead = np.prod(np.array(c)) ** steps
    for _ in range(steps):
        moved, still, gone = apart @ kept[1], fmpq(1), apart * fmpq(0)
        for i in range(N):
            leave = (1 - c[i]) / (1 - ahead) if conditioned else 1 - c[i]
            ahead /= c[i]
            mixture = [*q[:i], leftover[i], *pi[i + 1 :]]
            gone = gone + still * leave * (together @ kernel_under(P, mixture))
            still *= 1 - leave
        apart, together = moved + gone, still * (together @ kept[0])
    return apart + together


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("seed", range(4))
def test_regeneration_has_the_stationary_law_in_rationals(seed: int, steps: int) -> None:
    rng = np.random.default_rng(seed)
    point, other = (random_rational_point(rng, n_states=3, n_actions=(2, 3)) for _ in range(2))
    P, pi, q, mu = point.P, point.tables, other.tables, point.exact().stationary
    c = [min((p / t).ravel()) * fmpq(9, 10) for p, t in zip(pi, q, strict=True)]
    power = np.linalg.matrix_power(kernel_under(P, list(q)), steps)
    least = np.array([min(column) for column in power.T])
    eps, kept = least.sum(), np.prod(np.array(c)) ** steps
    assert 0 < kept * eps < 1
    for conditioned in (True, False):
        residual = kept * (power - least) + (1 - kept) * astray_law(P, pi, q, c, steps, conditioned=conditioned)
        assert min(residual.ravel()) >= 0
        # mu = p nu + (1 - p) mu R has one solution: the law of nu R^k with k geometric
        assert list(kept * least + mu @ residual == mu) == [conditioned] * len(mu)
        if conditioned:
            assert [sum(row) for row in residual] == [1 - kept * eps] * 3
            wrong = kept + fmpq(1, 100)  # a bound that does not hold
            assert list(wrong * least + mu @ residual == mu) != [True] * len(mu)


@pytest.mark.parametrize("seed", range(4))
def test_a_coin_too_generous_asks_for_negative_probabilities(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pi, q = (random_rational_point(rng, n_states=3, n_actions=(2, 3)).tables[1] for _ in range(2))
    c = min(x / y for x, y in zip(pi.ravel(), q.ravel(), strict=True))
    assert min((pi - c * q).ravel()) == 0
    assert min((pi - (c + fmpq(1, 100)) * q).ravel()) < 0


@pytest.mark.parametrize(("make", "steps"), PROBLEMS.values(), ids=PROBLEMS)
def test_coins_are_proven_by_the_distance(make: Callable[[], Problem], steps: int) -> None:
    problem = make()
    dynamics, rng = dynamics_of(problem), np.random.default_rng(0)
    closest = np.inf
    for scale in (0.01, 0.3, 3.0):
        theta = rng.normal(size=(len(dynamics.psi), dynamics.psi.shape[3]))
        moved = theta + scale * rng.normal(size=theta.shape)
        tables = zip(problem.policy.probabilities(theta), problem.policy.probabilities(moved), strict=True)
        for i, (q, pi) in enumerate(tables):
            slack = np.log(pi / q).min() + dynamics.reach[i] * np.linalg.norm(moved[i] - theta[i])
            assert slack >= -1e-12
            closest = min(closest, slack / scale)
    assert closest < 5.0  # not a bound that holds because it says nothing


# --- the twin ---------------------------------------------------------------------------------------
class Twin:
    """`_regenerate` in plain NumPy, from the exact view of the problem, on the same stream."""

    def __init__(self, problem: Problem, theta_0: np.ndarray, theta: np.ndarray, steps: int) -> None:
        here, there = exact(problem, theta), exact(problem, theta_0)
        self.P, self.initial, self.gamma = problem.mdp.P, problem.mdp.initial, problem.mdp.gamma
        self.pi, self.q, self.sizes = here.tables, there.tables, problem.mdp.n_actions
        psi = problem.policy.psi
        reach = [max(np.linalg.norm(x - y) for rows in t for x in rows for y in rows) for t in psi]
        self.gaps = np.array(reach) * np.linalg.norm(theta - theta_0, axis=1)
        self.power = {0: there.P_pi, 1: np.linalg.matrix_power(there.P_pi, steps)}
        self.steps = {0: 1, 1: steps}

    @staticmethod
    def pick(rng: np.random.Generator, law: np.ndarray) -> int:
        return int(np.searchsorted(np.cumsum(law / law.sum())[:-1], rng.random(), side="right"))

    def astray(self, rng: np.random.Generator, s: int, steps: int) -> int:
        ahead, left = steps * self.gaps.sum(), False
        for _ in range(steps):
            actions = []
            for gap, pi, q in zip(self.gaps, self.pi, self.q, strict=True):
                leave = 1 - np.exp(-gap)
                if not left:
                    leave, ahead = leave / (1 - np.exp(-ahead)) if ahead > gap else 1.0, ahead - gap
                gone = rng.random() < leave
                left = left or gone
                actions.append(self.pick(rng, np.maximum(pi[s] - np.exp(-gap) * q[s], 0) if gone else q[s]))
            s = self.pick(rng, self.P[s, np.ravel_multi_index(actions, self.sizes)])
        return s

    def draw(self, rng: np.random.Generator, level: int) -> int:
        restart = 0.0 if level else 1 - self.gamma
        power, steps = self.power[level], self.steps[level]
        least, kept = power.min(axis=0), np.exp(-steps * self.gaps.sum())
        stop = restart + (1 - restart) * kept * least.sum()
        first = least if level or rng.random() * stop >= restart else self.initial
        s = self.pick(rng, first)
        while (u := rng.random()) >= stop:
            away = u < stop + (1 - restart) * (1 - kept)
            s = self.astray(rng, s, steps) if away else self.pick(rng, power[s] - least)
        return s


@pytest.mark.parametrize("level", [0, 1], ids=["visitation", "stationary"])
@pytest.mark.parametrize("name", [n for n, (_, steps) in PROBLEMS.items() if steps])
def test_kernel_follows_twin(name: str, level: int) -> None:
    make, steps = PROBLEMS[name]
    problem = make()
    dynamics, anchor, theta = anchored(problem, 0.1)
    assert anchor.numbers[STEPS] == steps
    assert anchor.numbers[MOVES] == 1
    twin = Twin(problem, anchor.theta, theta, steps)
    ours, theirs = np.random.default_rng(5), np.random.default_rng(5)
    restart = 0.0 if level else 1.0 - dynamics.gamma
    for _ in range(400):
        assert _regenerate(ours, dynamics, anchor, theta, level, restart) == twin.draw(theirs, level)
    assert ours.random() == theirs.random()


# --- the distribution -------------------------------------------------------------------------------
def p_value(counts: np.ndarray, law: np.ndarray) -> float:
    law = law / law.sum()
    return float(chisquare(counts, counts.sum() * law).pvalue) if len(law) > 1 else 1.0


@pytest.mark.parametrize("distance", [0.0, 0.02, 0.1], ids=["at", "near", "off"])
@pytest.mark.parametrize(("make", "steps"), PROBLEMS.values(), ids=PROBLEMS)
def test_a_million_draws_have_the_law(make: Callable[[], Problem], steps: int, distance: float) -> None:
    problem = make()
    dynamics, anchor, theta = anchored(problem, distance)
    assert (anchor.numbers[SOLVING] > 0) == (steps == 0)
    view = exact(problem, theta)
    for seed, (stationary, law) in enumerate(((True, view.stationary), (False, view.visitation))):
        rng, draws = np.random.default_rng(seed), DRAWS if distance == 0.02 else DRAWS // 10
        counts = histogram(rng, dynamics, anchor, theta, draws, stationary)
        assert p_value(counts, law) > P_VALUE


@pytest.mark.parametrize("entry", [EPS, "residual", "leave"], ids=["wrong-eps", "wrong-residual", "wrong-coin"])
def test_a_million_draws_tell_a_wrong_sampler(entry: int | str) -> None:
    problem = ring3()
    dynamics, anchor, theta = anchored(problem, 0.1)
    if entry == EPS:
        anchor.numbers[EPS] *= 1.2
    elif entry == "residual":
        anchor.residual_cdf[1, :, 0] = 0.9 * anchor.residual_cdf[1, :, 0]
    else:  # tables of another policy
        anchor.gap[:] = 0.0
    counts = histogram(np.random.default_rng(0), dynamics, anchor, theta, DRAWS, True)
    assert p_value(counts, exact(problem, theta).stationary) < P_VALUE


def test_anchor_moves_when_it_has_cost_as_much() -> None:
    dynamics, anchor, theta = anchored(ring3(), 0.0)
    anchor.numbers[PRICE], anchor.numbers[DEBT] = 1000.0, 0.0
    for _ in range(1000):
        theta = theta + 0.001
        before = float(anchor.numbers[DEBT])
        _approach(dynamics, anchor, theta)
        if anchor.numbers[MOVES] == 2:
            break
        assert before < anchor.numbers[DEBT] < 1000.0
    assert anchor.numbers[MOVES] == 2
    np.testing.assert_array_equal(anchor.theta, theta)
    assert anchor.gap.sum() == anchor.numbers[DEBT] == 0.0


def test_a_leap_moves_the_anchor_at_once() -> None:
    dynamics, anchor, theta = anchored(ring3(), 0.0)
    _approach(dynamics, anchor, theta + 1e3)
    assert anchor.numbers[MOVES] == 2
    np.testing.assert_array_equal(anchor.theta, theta + 1e3)


def test_a_policy_in_haste_is_solved_for_and_tried_again() -> None:
    """An anchor that lasts too few steps to pay for itself gives way to elimination, for a while."""
    problem = garnet(20, 2, 2, 3)
    dynamics, anchor, theta = anchored(problem, 0.0)
    solved = []
    for step in range(2 * PATIENCE):
        _approach(dynamics, anchor, theta + (step % 2 if step < PATIENCE else 0))
        solved.append(anchor.numbers[SOLVING] > 0)
    assert sum(solved[:PATIENCE]) > PATIENCE / 2  # in haste
    assert not any(solved[-PATIENCE // 4 :])  # and at rest
    _approach(dynamics, anchor, theta)
    counts = histogram(np.random.default_rng(0), dynamics, anchor, theta, DRAWS // 10, True)
    assert p_value(counts, exact(problem, theta).stationary) > P_VALUE


def test_minorisation_is_the_best_one() -> None:
    problem = garnet(6, 2, 5, 2)
    anchor = anchored(problem, 0.0)[1]
    P_0 = exact(problem, anchor.theta).P_pi
    assert anchor.numbers[EPS_ONE] == pytest.approx(P_0.min(axis=0).sum(), rel=1e-12)
    block = np.linalg.matrix_power(P_0, int(anchor.numbers[STEPS]))
    assert anchor.numbers[EPS] == pytest.approx(block.min(axis=0).sum(), rel=1e-12)
    assert anchor.numbers[EPS] >= ENOUGH
    assert describe(anchor)["steps"] == anchor.numbers[STEPS]


def test_choice_of_sampler() -> None:
    for make, wanted in ((ring3, False), (nearly_decomposable, False), (partial(garnet, 50, 2, 10, 4), True)):
        problem = make()
        theta = np.zeros((problem.mdp.n_agents, problem.policy.n_parameters))
        assert prefers_regeneration(problem, theta) is wanted


@pytest.mark.parametrize(
    ("weights", "cdf"),
    [([1.0, 3.0], [0.25, 1.0]), ([0.0, 1.0, 0.0], [0.0, 1.0, 1.0]), ([0.0, 0.0], [0.5, 1.0])],
    ids=["plain", "zeros-at-the-ends", "nothing"],
)
def test_cumulative_tables(weights: list[float], cdf: list[float]) -> None:
    out = np.empty(len(weights))
    assert _accumulate(np.array(weights), out) == sum(weights)
    np.testing.assert_array_equal(out, cdf)
    for u in (0.0, 0.2, 0.25, 0.9, 1.0 - 2.0**-53):
        assert _look_up(u, out) == np.searchsorted(out, u, side="right")


# --- the lazy loop ----------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Ends:
    """Where runs from zero ended: parameters (runs, N, .) and metrics (runs, columns)."""

    theta: np.ndarray
    omega: np.ndarray
    lam: np.ndarray
    averages: np.ndarray


def ends(
    problem: Problem, horizon: int, seeds: Iterable[int], *, lazy: bool = True, double: bool = True,
    every: int | None = None, rate: float = 0.2,
) -> Ends:  # fmt: skip
    """Run either loop from each seed, with all three steps equal."""
    N, dynamics, tables, runs = problem.mdp.n_agents, dynamics_of(problem), _tables(problem), []
    D, K, L = problem.policy.n_parameters, problem.features.phi_state.shape[1], problem.features.phi_joint.shape[2]
    for seed in seeds:
        state, rows = [np.zeros((N, k)) for k in (D, K, L)], np.zeros((2, 1, N_METRICS + N_DRIFTS))
        rest = (rate, rate, rate, 1e3, 1e3, *state, np.array([horizon]), every or horizon, *rows)
        rng = np.random.default_rng(seed)
        if lazy:
            _cac_lazy(rng, dynamics, empty_anchor(dynamics), *tables, double, *rest)
        else:
            _cac(rng, *tables, double, False, *rest)
        runs.append([*state, rows[0, 0]])
    return Ends(*map(np.array, zip(*runs, strict=True)))


def largest_z(left: Ends, right: Ends) -> float:
    """Over the means and second moments of every parameter."""
    worst = 0.0
    for name, power in product(("theta", "omega", "lam"), (1, 2)):
        x, y = getattr(left, name) ** power, getattr(right, name) ** power
        error = np.sqrt(x.var(axis=0) / len(x) + y.var(axis=0) / len(y))
        worst = max(worst, float(np.abs((x.mean(axis=0) - y.mean(axis=0)) / np.maximum(error, 1e-300)).max()))
    return worst


Z_LIMIT = 4.5
"""Six comparisons of about 60 correlated moments: a correct loop exceeds it with probability below 1 in 400; ours."""


@pytest.mark.parametrize("double", [False, True], ids=["single", "double"])
@pytest.mark.parametrize("name", ["ring3", "coordination-noisy", "uneven-actions"])
def test_lazy_loop_has_the_law_of_the_kernel(name: str, double: bool) -> None:
    problem, runs = PROBLEMS[name][0](), 2500
    theirs = ends(problem, 25, range(10_000, 10_000 + runs), lazy=False, double=double)
    assert largest_z(ends(problem, 25, range(runs), double=double), theirs) < Z_LIMIT


def test_lazy_loop_tells_other_laws_apart() -> None:
    """The negative control: the other sampling, and steps a tenth larger, are other populations."""
    problem, runs = ring3(), 2500
    theirs = ends(problem, 25, range(10_000, 10_000 + runs), lazy=False, double=True)
    assert largest_z(ends(problem, 25, range(runs), double=False), theirs) > Z_LIMIT
    assert largest_z(ends(problem, 25, range(runs), rate=0.22), theirs) > Z_LIMIT


def test_first_step_has_the_exact_mean() -> None:
    problem, runs = ring3(), 8000
    view = exact(problem, np.zeros((3, 2)))
    omegas, phi = ends(problem, 1, range(runs), rate=1.0).omega, problem.features.phi_state
    joint = joint_probabilities(view.tables)
    for law, right in ((view.stationary, True), (view.visitation, False)):
        mean = np.einsum("s,sa,isa,sk->ik", law, joint, problem.mdp.r, phi)
        z = (omegas.mean(axis=0) - mean) / (omegas.std(axis=0) / np.sqrt(runs))
        assert bool(np.abs(z).max() < Z_LIMIT) is right


@pytest.mark.parametrize("name", PROBLEMS)
def test_metrics_of_the_first_step_are_those_of_the_kernel(name: str) -> None:
    problem = PROBLEMS[name][0]()
    mine, theirs = ends(problem, 1, [0]).averages[0], ends(problem, 1, [0], lazy=False).averages[0]
    np.testing.assert_array_equal(mine[:N_METRICS], theirs[:N_METRICS])


def test_same_seed_same_bits() -> None:
    problem = PROBLEMS["sparse"][0]()
    first, again, other = (ends(problem, 3000, [seed], every=100, rate=0.02) for seed in (1, 1, 2))
    for name in ("theta", "omega", "lam", "averages"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert np.abs(first.theta - other.theta).max() > 1e-6
