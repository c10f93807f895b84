"""Search for counterexamples: known ones are found, shrunk and certified; true statements survive."""

from __future__ import annotations

import doctest
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from flint import arb, fmpq

import verify.search
from mdp.linear import is_exact, rational
from mdp.networks.schedule import disagreement_norm, row_deviation
from mdp.rational import RationalPoint
from verify.claim import Claim, control, printed, statement
from verify.context import PROFILES, Context
from verify.evidence import Rigor, Verdict, combine, judge
from verify.runner import run_claims
from verify.search import (
    Budget,
    ConsensusMatrices,
    Counterexample,
    FloatPoint,
    Inequality,
    MDPFamily,
    Survived,
    Vectors,
    find_counterexample,
    worst_ratio,
)
from verify.search.consensus_family import cycles
from verify.search.family import normalised_rows
from verify.search.hunt import Hunt
from verify.search.inequality import as_inequality
from verify.search.outcome import Spent
from verify.search.simplest import cheaper, descendants, rounded
from verify.search.stages import Objective, evolve, polish, sample
from verify.zeng2022.setting.lower_level import mean_update
from verify.zhang2025.searches.batch import WITHOUT_ERROR, conditional_means


def seeded(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def plain(values: Any) -> Any:
    """Nested lists of `Fraction`: the arithmetic of the checks by hand below."""
    if isinstance(values, np.ndarray):
        return [plain(v) for v in values]
    return Fraction(int(values.p), int(values.q))


# --- statements -------------------------------------------------------------------------------------------


def law_gap(point: Any) -> Any:
    """zhang2025 Lemma 4.2, true: nu = (1 - gamma) eta."""
    view = point.exact()
    return abs(view.restart_stationary - view.visitation).max()


def restart_opposes(point: Any) -> Any:
    """zhang2025 Lemma 4.3 with the restart kernel throughout: violated where the two sides have cos < 0."""
    original, restart = point.exact(), point.restart()
    right = original.score_expectation(original.restart_stationary, restart.advantage)
    gradient = restart.grad_J_by_solve
    inner = (right * gradient).sum()
    return -inner * abs(inner) / ((right**2).sum() * (gradient**2).sum())


def td_error_rest(point: Any) -> Any:
    """zeng2022 Eq. (13), false: the mean update vanishes at the minimiser of (7a)."""
    view = point.exact()
    return abs(mean_update(view, view.omega_td_error)).max()


def fast_consensus(A: np.ndarray) -> tuple[Any, Any]:
    """False: rows deviate by at most sqrt(1 - 1/N) (1 - eta)^6 after 6 rounds."""
    eta = min(x for x in A.ravel() if x > 0)
    one = rational(1) if is_exact(A) else 1.0
    return max(row_deviation(A, 6)), (1 - one / len(A)) * (1 - eta) ** 12


def path_rate(tenths: int) -> Inequality:
    """||A - 11^T/N||^2 <= (1 - c eta sin^2(pi / 2N))^2: true for c = 4 (path_bound), false above."""

    def sides(A: np.ndarray) -> tuple[float, float]:
        eta = A[A > 0].min()
        return disagreement_norm(A) ** 2, (1 - tenths / 10 * eta * np.sin(np.pi / 2 / len(A)) ** 2) ** 2

    def exact_sides(A: np.ndarray) -> tuple[arb, arb]:
        gap = A - fmpq(1, len(A))
        floats = np.array([[float(x.p) / float(x.q) for x in row] for row in gap])
        direction = np.array([rational(float(x)) for x in np.linalg.svd(floats)[2][0]], dtype=object)
        # a Rayleigh quotient at a rational vector is a certified lower bound of the squared norm
        below = ((gap @ direction) ** 2).sum() / (direction**2).sum()
        eta = min(x for x in A.ravel() if x > 0)
        return arb(below), (1 - arb(fmpq(tenths, 10) * eta) * (arb.pi() / (2 * len(A))).sin() ** 2) ** 2

    return Inequality(f"norm at most 1 - {tenths}/10 eta sin^2(pi/2N)", sides, exact_sides)


CRITIC = MDPFamily(3, (2,), critic_features=1, least_transition=Fraction(1, 20))


# --- known counterexamples ---------------------------------------------------------------------------------


def test_eq_13_shrinks_to_two_states_and_is_right_by_hand() -> None:
    found = find_counterexample(td_error_rest, CRITIC, 2_000, seeded())
    assert isinstance(found, Counterexample)
    assert (found.family.n_states, found.family.n_actions) == (2, (1,))
    assert found.rigor is Rigor.RATIONAL
    P, r, phi = plain(found.instance.P[:, 0]), plain(found.instance.r[0, :, 0]), plain(found.instance.phi_state[:, 0])
    gamma = plain(found.instance.gamma)
    leave = P[0][1] + P[1][0]
    mu = [P[1][0] / leave, P[0][1] / leave]
    pairs = [(s, t, mu[s] * P[s][t], phi[s] - gamma * phi[t]) for s in (0, 1) for t in (0, 1)]
    omega = sum(w * step * r[s] for s, _, w, step in pairs) / sum(w * step**2 for _, _, w, step in pairs)
    update = sum(w * (r[s] - step * omega) * phi[s] for s, _, w, step in pairs)
    assert abs(update) == found.violation > 0


def test_lemma_4_3_with_the_restart_kernel_points_the_wrong_way() -> None:
    found = find_counterexample(restart_opposes, MDPFamily(2, (2,), policy_features=1), 3_000, seeded())
    assert isinstance(found, Counterexample)
    point, half = found.instance, Fraction(1, 2)
    P, r, table = plain(point.P), plain(point.r[0]), plain(point.tables[0])
    gamma, psi = plain(point.gamma), plain(point.psi[0])
    S = range(2)
    K = [[[gamma * P[s][a][t] + (1 - gamma) * (t == 0) for t in S] for a in S] for s in S]
    chain = [[sum(table[s][a] * K[s][a][t] for a in S) for t in S] for s in S]
    det = (1 - gamma * chain[0][0]) * (1 - gamma * chain[1][1]) - gamma**2 * chain[0][1] * chain[1][0]
    inverse = [
        [(1 - gamma * chain[1][1]) / det, gamma * chain[0][1] / det],
        [gamma * chain[1][0] / det, (1 - gamma * chain[0][0]) / det],
    ]
    mean = [sum(table[s][a] * r[s][a] for a in S) for s in S]
    V = [sum(inverse[s][t] * mean[t] for t in S) for s in S]
    adv = [[r[s][a] + gamma * sum(K[s][a][t] * V[t] for t in S) - V[s] for a in S] for s in S]
    score = [[psi[s][a][0] - sum(table[s][b] * psi[s][b][0] for b in S) for a in S] for s in S]
    local = [sum(table[s][a] * score[s][a] * adv[s][a] for a in S) for s in S]
    leave = chain[0][1] + chain[1][0]
    nu = [chain[1][0] / leave, chain[0][1] / leave]
    right, gradient = sum(nu[s] * local[s] for s in S), sum(inverse[0][s] * local[s] for s in S)
    assert right * gradient < 0
    assert found.violation == 1  # one parameter: the cosine is minus one
    assert max(Fraction(int(x.q)) for x in point.P.ravel()) <= 1 / half  # coins, not long fractions


@pytest.mark.parametrize("symmetric", [False, True], ids=["directed", "symmetric"])
def test_a_rate_that_is_too_fast_is_refuted_by_a_path_of_four(symmetric: bool) -> None:
    fast = Inequality("rate 1 - eta", fast_consensus)
    found = find_counterexample(fast, ConsensusMatrices(4, symmetric=symmetric), 4_000, seeded())
    assert isinstance(found, Counterexample)
    A = plain(found.instance)
    assert len(A) == 4
    assert all(sum(row) == 1 for row in A)
    assert all(sum(column) == 1 for column in zip(*A, strict=True))
    power = [[Fraction(int(i == j)) for j in range(4)] for i in range(4)]
    for _ in range(6):
        power = [[sum(power[i][k] * A[k][j] for k in range(4)) for j in range(4)] for i in range(4)]
    left = max(sum((x - Fraction(1, 4)) ** 2 for x in row) for row in power)
    eta = min(x for row in A for x in row if x > 0)
    assert left - Fraction(3, 4) * (1 - eta) ** 12 == found.violation > 0


def test_interval_arithmetic_certifies_and_two_agents_are_enough() -> None:
    found = find_counterexample(path_rate(41), ConsensusMatrices(4), 2_000, seeded())
    assert isinstance(found, Counterexample)
    assert found.rigor is Rigor.INTERVAL
    assert found.instance.shape == (2, 2)
    eta = min(plain(found.instance[0]))  # on or off the diagonal
    # N = 2: the norm is |1 - 2 eta| and the bound 1 - 2.05 eta; the certified value is a lower end
    truth = (1 - 2 * eta) ** 2 - (1 - Fraction(205, 100) * eta) ** 2
    assert 0 < found.violation <= truth
    assert float(found.violation) == pytest.approx(float(truth), rel=1e-9)


def test_vectors_lose_coordinates_and_digits() -> None:
    # sum of squares at most 2: false at (1, 1, 1) and needs one coordinate of 3/2 or more, or two, ...
    found = find_counterexample(
        lambda v: (v * v).sum() - 2, Vectors((0,) * 4, (2,) * 4, least=1), 400, seeded()
    )
    assert isinstance(found, Counterexample)
    assert found.parameters == (Fraction(2),)
    assert found.violation == 2


def test_a_narrow_violation_needs_the_optimisers_and_larger_denominators() -> None:
    # positive only within 1/50 of (1/3, 2/7): a random point hits that with probability 1/800
    def narrow(v: np.ndarray) -> Any:
        one = rational(1) if is_exact(v) else 1.0
        return one / 2500 - (v[0] - one / 3) ** 2 - (v[1] - 2 * one / 7) ** 2

    found = find_counterexample(narrow, Vectors((0, 0), (1, 1)), 2_000, seeded())
    assert isinstance(found, Counterexample)
    x, y = found.parameters
    assert Fraction(1, 2500) - (x - Fraction(1, 3)) ** 2 - (y - Fraction(2, 7)) ** 2 == found.violation > 0
    assert max(x.denominator, y.denominator) <= 20


@pytest.mark.parametrize(
    ("start", "searched"), [((2, 2, 2, 2), False), (("3/4",) * 4, True)], ids=["projected", "searched again"]
)
def test_shrinking_drops_coordinates_by_projection_or_else_by_a_new_search(start: tuple, searched: bool) -> None:
    family = Vectors((0,) * 4, (2,) * 4, least=1)
    hunt = Hunt(as_inequality(lambda v: (v * v).sum() - 2), lambda a, b: a - b, Budget(600), seeded())
    found = hunt.test(family, np.array([rational(Fraction(x)) for x in start], dtype=object))
    assert found is not None
    found = hunt.shrink(found)
    assert plain(found.parameters) == [Fraction(2)]
    assert (hunt.evaluations > 0) is searched


def waves(v: np.ndarray) -> float:
    """About 5^6 local maxima; the largest, 0, where every coordinate is 0.37."""
    x = v - 0.37
    return float((-(x**2) + 0.05 * (np.cos(40 * x) - 1)).sum())


@pytest.mark.parametrize("seed", range(3))
def test_evolution_gets_where_as_many_samples_do_not(seed: int) -> None:
    sampled, evolved = (Objective(waves, np.zeros(6), np.ones(6), 4_000, lambda: False) for _ in range(2))
    sample(sampled, seeded(seed), 4_000)
    sample(evolved, seeded(seed), 400)
    evolve(evolved, seeded(seed), 3_600)
    assert evolved.count <= 4_000
    assert abs(evolved.best[0][0]) < abs(sampled.best[0][0]) / 5


@pytest.mark.parametrize(
    ("top", "value"),
    [
        (np.full(3, 0.37), lambda v: -float(((v - 0.37) ** 2).sum())),
        (np.full(3, 0.37), lambda v: -float(np.abs(v - 0.37).max())),
        (np.array([1.0, 1.0, 0.37]), lambda v: float(v[0] + v[1] - (v[2] - 0.37) ** 2)),
    ],
    ids=["smooth", "kinks", "on the boundary"],
)
def test_polishing_ends_at_the_top(top: np.ndarray, value: Any) -> None:
    objective = Objective(value, np.zeros(3), np.ones(3), 3_000, lambda: False)
    sample(objective, seeded(), 50)
    polish(objective, 2_000)
    assert objective.best[0][1] == pytest.approx(top, abs=1e-3)


def test_samples_stay_in_the_box_and_some_are_sparse() -> None:
    seen: list[np.ndarray] = []
    low, high = np.array([0.05, *[-1.0] * 9]), np.array([3.0, *[1.0] * 9])
    sample(Objective(lambda v: seen.append(v.copy()), low, high, 500, lambda: False), seeded(), 300)
    points = np.array(seen)
    assert ((low <= points) & (points <= high)).all()
    zeros = (points == 0).mean(axis=1)
    assert (zeros == 0).sum() >= 150  # the uniform half
    assert (zeros >= 0.7).sum() >= 10
    assert (points == np.round(points)).all(axis=1).sum() >= 20  # on the coarsest grid
    assert np.unique(points[zeros == 0], axis=0).shape[0] >= 150


def test_fixed_coordinates_stay_fixed() -> None:
    family = Vectors((0, Fraction(1, 3)), (1, Fraction(1, 3)))
    found = find_counterexample(lambda v: v[0] + v[1] - 1, family, 100, seeded())
    assert isinstance(found, Counterexample)
    assert found.parameters == (Fraction(1), Fraction(1, 3))


# --- true statements survive ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claim", "family", "budget"),
    [
        (law_gap, MDPFamily(3, (2, 2)), 600),
        (law_gap, MDPFamily(2, (2,), point_start=False), 600),
        (path_rate(40), ConsensusMatrices(4), 1_500),
        (lambda v: v[0] * v[1] - (v[0] ** 2 + v[1] ** 2) / 2, Vectors((-2, -2), (2, 2)), 500),
    ],
    ids=["lemma 4.2", "lemma 4.2, any start", "path bound", "means"],
)
def test_true_statements_survive_with_their_budget(claim: Any, family: Any, budget: int) -> None:
    outcome = find_counterexample(claim, family, budget, seeded(1))
    assert isinstance(outcome, Survived)
    assert outcome.best is not None
    assert -1e-3 < outcome.best < 1e-12  # sharp: the search gets to equality, up to rounding
    assert budget * 0.9 <= outcome.spent.evaluations <= budget
    assert outcome.spent.exact_evaluations > 0
    evidence = outcome.evidence("violation", tolerance=1e-12)
    assert combine([evidence]) is Verdict.HOLDS
    assert f"{outcome.spent.evaluations:,} evaluations" in evidence.note


def test_a_statement_that_is_defined_nowhere_tried_nothing() -> None:
    outcome = find_counterexample(lambda v: None, Vectors((0,), (1,)), 50, seeded())
    assert isinstance(outcome, Survived)
    assert outcome.best is None
    with pytest.raises(ValueError, match="at none of the points"):
        outcome.evidence("nothing")


def test_rounding_noise_is_not_a_violation() -> None:
    def cancels(v: np.ndarray) -> Any:
        third = v[0] / 3
        return abs(third + third + third - v[0]) + abs((v[0] + 1) - v[0] - 1)

    outcome = find_counterexample(cancels, Vectors((0,), (1,)), 300, seeded())
    assert isinstance(outcome, Survived)
    assert outcome.best is not None
    assert outcome.best > 0  # the floats do violate it
    assert outcome.best_exact == 0


# --- ratios --------------------------------------------------------------------------------------------------


def test_the_worst_ratio_of_a_sharp_bound_is_one_and_has_a_small_instance() -> None:
    worst = worst_ratio(path_rate(40), ConsensusMatrices(3), 1_000, seeded())
    assert worst.ratio == pytest.approx(1, abs=1e-9)
    assert Fraction(999, 1000) * Fraction(worst.ratio) <= worst.certified <= 1
    assert worst.instance.shape == (2, 2)


def test_the_worst_ratio_measures_the_lost_constant() -> None:
    # x y (1 - x - y) <= 1/20 holds with room: the maximum is 1/27
    inequality = Inequality("product", lambda v: (v[0] * v[1] * (1 - v[0] - v[1]), v[0] * 0 + 1))
    worst = worst_ratio(inequality, Vectors((0, 0), (1, 1)), 2_000, seeded(), share=0.99999)
    assert worst.ratio == pytest.approx(1 / 27, rel=1e-9)
    x, y = worst.parameters
    assert x * y * (1 - x - y) == worst.certified >= Fraction(99999, 100000) * Fraction(1, 27)


def test_a_ratio_needs_sides_and_a_positive_point() -> None:
    with pytest.raises(TypeError, match="needs both sides"):
        worst_ratio(abs, Vectors((0,), (1,)), 10, seeded())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="share is 1"):
        worst_ratio(Inequality("x", lambda v: (v[0], 1)), Vectors((0,), (1,)), 10, seeded(), share=1)
    with pytest.raises(ValueError, match="no point with positive lhs"):
        worst_ratio(Inequality("x", lambda v: (-v[0], 1)), Vectors((0,), (1,)), 10, seeded())


# --- determinism, budgets, errors ------------------------------------------------------------------------------


def test_the_outcome_is_a_function_of_the_generator() -> None:
    def run(seed: int) -> Any:
        found = find_counterexample(td_error_rest, CRITIC, 800, seeded(seed))
        return found.parameters, found.violation, found.spent.evaluations, found.spent.exact_evaluations

    assert run(5) == run(5)


def test_budgets_are_kept() -> None:
    calls = {True: 0, False: 0}

    def counted(v: np.ndarray) -> Any:
        calls[is_exact(v)] += 1
        return (v * v).sum() - 2

    budget = Budget(evaluations=120, exact=5)
    found = find_counterexample(counted, Vectors((0,) * 3, (2,) * 3, least=1), budget, seeded())
    assert calls[False] == found.spent.evaluations <= 120
    assert found.spent.exact_evaluations <= 5
    assert calls[True] <= 6  # one more shows the witness


def test_seconds_stop_a_search_that_would_take_hours() -> None:
    outcome = find_counterexample(lambda v: -v[0], Vectors((1,), (2,)), Budget(10**9, seconds=0.2), seeded())
    assert isinstance(outcome, Survived)
    assert 0.1 < outcome.spent.seconds < 5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: find_counterexample(3, Vectors((0,), (1,)), 10, seeded()), "the statement is 3"),
        (lambda: find_counterexample(abs, Vectors((0,), (1,)), 10, 0), "rng is 0"),
        (lambda: find_counterexample(lambda v: 0.5, Vectors((0,), (1,)), 10, seeded()), "is the float 0.5"),
    ],
    ids=["statement", "rng", "float on an exact instance"],
)
def test_wrong_types_are_named(make: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        make()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Budget(0), "evaluations is 0"),
        (lambda: Budget(seconds=-1.0), "seconds is -1.0"),
        (lambda: Vectors((), ()), "at least one"),
        (lambda: Vectors((0, 2), (1, 1)), r"low\[1\] = 2 is above high\[1\] = 1"),
        (lambda: Vectors((0,), (1,), least=2), "least is 2"),
        (lambda: Vectors((0,), (1,), names=("x", "y")), "names has 2"),
        (lambda: MDPFamily(0), "n_states is 0"),
        (lambda: MDPFamily(2, (2, 0)), "n_actions is"),
        (lambda: MDPFamily(discount=(0, 1)), "discount is"),
        (lambda: MDPFamily(reward=(1, -1)), "reward is"),
        (lambda: MDPFamily(least_weight=0), "least_weight"),
        (lambda: ConsensusMatrices(6), "n_agents is 6"),
        (lambda: ConsensusMatrices(3, least_laziness=Fraction(0)), "least_laziness is 0"),
    ],
)
def test_bad_input_is_named(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_the_example_of_the_package_runs() -> None:
    outcome = doctest.testmod(verify.search)
    assert (outcome.attempted, outcome.failed) == (4, 0)


# --- families --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "family",
    [
        MDPFamily(3, (2, 2), policy_features=2, critic_features=2, point_start=False),
        MDPFamily(2, (2, 3)),
        ConsensusMatrices(4),
        Vectors((0, -1, 0), (1, 1, 1), least=1),
    ],
    ids=["MDP with features", "tabular MDP", "consensus", "vectors"],
)
def test_floats_and_rationals_build_the_same_and_smaller_families_fit(family: Any) -> None:
    low, high = family.bounds
    rng = seeded(3)
    exact = rounded(rng.uniform(size=len(low)), 7, low, high)
    floats = np.array([float(Fraction(int(x.p), int(x.q))) for x in exact])
    one, other = family.build(exact), family.build(floats)
    if isinstance(one, RationalPoint):
        assert isinstance(other, FloatPoint)
        assert float(other.exact().J) == pytest.approx(float(plain(one.exact().J)), rel=1e-12)
        assert float(other.restart().J) == pytest.approx(float(plain(one.restart().J)), rel=1e-12)
    else:
        assert np.array(plain(one), dtype=float) == pytest.approx(other)
    count = 0
    for small, parameters in family.smaller(exact):
        count += 1
        assert parameters.shape == small.bounds[0].shape
        assert all(a <= x <= b for a, x, b in zip(small.bounds[0], parameters, small.bounds[1], strict=True))
        small.build(parameters)
    assert count > 0
    assert family not in descendants(family)


def test_an_agent_who_leaves_may_leave_the_team_reward_behind() -> None:
    family = MDPFamily(1, (1, 2))
    low, high = family.bounds
    point = rounded(seeded(0).uniform(-1, 1, len(low)), 5, low, high)
    J = family.build(point).exact().J
    assert J in [small.build(p).exact().J for small, p in family.smaller(point) if small.n_actions == (2,)]


def test_cycles_reach_every_doubly_stochastic_matrix_of_three_agents() -> None:
    A = [[Fraction(1, 2), Fraction(1, 3), Fraction(1, 6)], [0, Fraction(1, 2), Fraction(1, 2)]]
    A.append([Fraction(1, 2), Fraction(1, 6), Fraction(1, 3)])
    # off the diagonal: 1/3 on 0-1-2, 1/6 on 0-2, 1/6 on 1-2; largest flow 2/3, so the laziness is 1/3
    weights = {(0, 2): Fraction(1, 6), (1, 2): Fraction(1, 6), (0, 1, 2): Fraction(1, 3)}
    values = [Fraction(1, 3), *(weights.get(c, Fraction(0)) for c in cycles(3, False))]
    built = ConsensusMatrices(3).build(np.array([rational(x) for x in values], dtype=object))
    assert plain(built) == A
    assert ConsensusMatrices(3).build(np.array([1.0, *[0.0] * 5])) is None  # nobody talks


def test_rows_rounding_and_cheaper_numbers() -> None:
    rows = normalised_rows(np.array([[fmpq(0), fmpq(0)], [fmpq(1), fmpq(3)]], dtype=object))
    assert plain(rows) == [[Fraction(1, 2)] * 2, [Fraction(1, 4), Fraction(3, 4)]]
    low, high = np.array([fmpq(1, 20)] * 2, dtype=object), np.array([fmpq(1), fmpq(19, 20)], dtype=object)
    assert plain(rounded(np.array([0.1, 0.94]), 2, low, high)) == [Fraction(1, 2), Fraction(1, 2)]
    assert plain(rounded(np.array([0.1, 0.94]), 10, low, high)) == [Fraction(1, 10), Fraction(9, 10)]
    numbers = list(cheaper(fmpq(7, 12), fmpq(0), fmpq(1)))
    assert numbers[:3] == [fmpq(0), fmpq(1), fmpq(1, 2)]
    assert fmpq(7, 12) not in numbers


# --- in the ledger -----------------------------------------------------------------------------------------------


def _claim() -> Claim:
    def searched(tenths: int) -> Any:
        def check(context: Context) -> Any:
            outcome = find_counterexample(path_rate(tenths), ConsensusMatrices(3), 400, context.rng(1))
            return outcome.evidence("norm minus bound", *((1e-12,) if isinstance(outcome, Survived) else ()))

        return check

    def build() -> Any:
        """A rate.

        Hypotheses: connected.
        """
        return printed(searched(40), "4"), control(searched(41), "4.1", "4.1")

    return statement("zhang2025", "search-test")(build)()


def test_outcomes_are_evidence() -> None:
    (result,) = run_claims([_claim()], Context(PROFILES["quick"]), {})
    assert [v.verdict for v in result.variants] == [Verdict.HOLDS, Verdict.REFUTED]
    witness = result.variants[1].evidence[0].witness
    assert witness is not None
    assert dict(witness.rows())["A"].count("[") == 3


# --- slow chains, and mistakes in the sides --------------------------------------------------------------------------


def visitation_gap(point: Any) -> tuple[Any, Any]:
    """TV(d, mu) <= 2 (1 - gamma): false for slow chains, such as two states that are left with probability 1/100."""
    view = point.exact()
    return abs(view.visitation - view.stationary).sum() / 2, 2 * (1 - view.gamma)


@pytest.mark.parametrize("size", [2, 3, 4])
@pytest.mark.parametrize("seed", range(3))
def test_slow_chains_are_found_whatever_the_size(size: int, seed: int) -> None:
    statement = Inequality("TV(d, mu) <= 2 (1 - gamma)", visitation_gap)
    found = find_counterexample(statement, MDPFamily(size, (2,)), 4_000, np.random.default_rng(seed))
    assert isinstance(found, Counterexample)
    lhs, rhs = visitation_gap(found.instance)
    assert lhs - rhs == rational(found.violation) > 0


@pytest.mark.parametrize(("sides", "message"), [
    (lambda p: (0.5 / (1 - p.exact().gamma), 0), "write constants with mdp.linear.rational"),
    (lambda p: (p.exact().V, 2 * p.exact().V), r"the left side has shape \(.*it is one number"),
    (lambda p: p.exact().J, "it gives two numbers, left and right"),
    (lambda p: (np.sqrt(2 + p.exact().gamma), 0), "exact numbers have no roots"),
], ids=["float constant", "vectors", "one number", "root"])  # fmt: skip
def test_mistakes_in_the_sides_are_named_with_their_remedy(sides: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        find_counterexample(Inequality("x", sides), MDPFamily(2, (2,)), 200, np.random.default_rng(0))


def test_what_is_left_of_a_float_gives_way_to_a_power_of_ten() -> None:
    tiny, zero, one = fmpq(3022314549036573, 302231457925971842713117), fmpq(0), fmpq(1)  # 1e-8: it rounds to zero
    assert {fmpq(1, 10), fmpq(1, 100), fmpq(1, 1000)} <= set(cheaper(tiny, zero, one))
    assert fmpq(1, 100) not in set(cheaper(fmpq(1, 1001), zero, one))  # a number to read already


def test_a_violation_that_only_floats_see_refutes_nothing() -> None:
    seen = Survived(0.47, -1e-16, 0, Spent(400, 20, 0.1))
    evidence = seen.evidence("x", tolerance=1e-10)
    assert judge(evidence) is Verdict.INCONCLUSIVE
    assert "floats see 0.47, which no exact evaluation certifies" in evidence.undecided
    assert judge(Survived(1e-12, 0.0, 0, Spent(400, 20, 0.1)).evidence("x", tolerance=1e-10)) is Verdict.HOLDS


def test_scores_that_are_rounding_errors_decide_nothing_about_eq_30() -> None:
    """Two actions with equal features: the relative gap of the float twin was one there, in a true identity."""
    low, high = (np.array([float(x) for x in end]) for end in WITHOUT_ERROR.bounds)
    features = (low == -1) & (high == 1)
    assert features.any()
    for seed in range(20):
        point = np.random.default_rng(seed).uniform(low, high)
        gap = conditional_means()(WITHOUT_ERROR.build(point))
        assert gap is None or gap < 1e-12
        point[features] = 1 / 3 + 1e-17
        assert conditional_means()(WITHOUT_ERROR.build(point)) is None
