"""Certificates of derived quantities: against the rational twin, tight, and made to fail."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from flint import arb, ctx, fmpq
from test_mdp_certify import rational_problems

from mdp import J_star, exact, ring3, ring3_nonrealisable
from mdp.approximation import actor_bias
from mdp.certify import FORMULAS, certificate, certificate_from_theta, certify_function, lift_view
from mdp.certify.mixing_forms import completed
from mdp.compatible import policy_occupancy
from mdp.direction import READINGS, stationarity
from mdp.enclose.arithmetic import balls, symmetric_eigenvalues
from mdp.exact import Exact
from mdp.families import random_problem, random_rational_point
from mdp.fisher import spectrum
from mdp.linear import rational, rational_array, to_float
from mdp.optimal import deterministic_tables
from mdp.rational import RationalPoint

LAWS = ("stationary", "visitation")
THETA = np.array([[0.3, -0.2], [0.1, 0.4], [-0.5, 0.2]])


def rational_cases() -> Iterator[tuple[str, dict[str, Any]]]:
    """Quantities that are rational for rational input, with every reading."""
    for law in LAWS:
        for name in ("fisher", "actor_direction", "td_matrix_under", "td_vector_under", "omega_td_under"):
            yield name, {"law": law}
        yield "fisher_consensual", {"law": law, "n_shared": 1}
        for part in ("total", "critic", "reward", "approximation", "sampling"):
            yield "actor_bias", {"law": law, "part": part}
        yield "actor_bias", {"law": law, "approximation_under": "stationary", "part": "sampling"}
    yield "undiscounted_direction", {}
    for reading in READINGS:
        yield "direction", {"reading": reading}


CASES = tuple(rational_cases())


def quantity(name: str, view: Exact, options: dict[str, Any]) -> np.ndarray:
    return np.asarray(FORMULAS[name].floats(view, **options))


def gap(twin: Exact, view: Exact, name: str, options: dict[str, Any]) -> np.ndarray:
    """``|float - exact|`` as exact rationals."""
    exactly = np.asarray(quantity(name, twin, options), dtype=object)
    return np.asarray(abs(rational_array(quantity(name, view, options)) - exactly), dtype=object)


def check(count: int, seed: int) -> dict[str, list[float]]:
    """Every case within its certificate of the rational twin; bound over actual error by name."""
    tightness: dict[str, list[float]] = defaultdict(list)
    for k, (kind, point) in enumerate(rational_problems(count, seed)):
        twin, view = point.exact(), point.to_floats()
        for name, options in CASES[k % 3 :: 3]:
            proof = certificate(view, name, inputs="rounded", **options)
            actual = gap(twin, view, name, options)
            assert (actual <= rational_array(proof.entry_error)).all(), (kind, name, options)
            exactly = quantity(name, twin, options)
            assert (rational_array(proof.low) <= exactly).all(), (kind, name, options)
            assert (exactly <= rational_array(proof.high)).all(), (kind, name, options)
            if to_float(actual).max() > 0:
                tightness[name].append(proof.value_error / to_float(actual).max())
    return tightness


def test_derived_quantities_agree_with_the_rational_twin_within_the_certificate() -> None:
    tightness = check(9, seed=11)
    assert set(tightness) == {name for name, _ in CASES}
    for name, ratios in tightness.items():
        assert np.median(ratios) < 1e5, name  # measured medians: 8 to 1,800; laws and values lose their correlation


def test_bounds_for_given_inputs_do_not_cover_rounded_ones() -> None:
    """Negative control of the comparison above: the distance to the dyadic problem misses the rational one."""
    missed: set[str] = set()
    for _, point in rational_problems(6, seed=13):
        twin, view = point.exact(), point.to_floats()
        for name, options in CASES[::5]:
            proof = certificate(view, name, inputs="given", **options)
            if not (gap(twin, view, name, options) <= rational_array(proof.entry_error)).all():
                missed.add(name)
    assert {"fisher", "actor_bias", "direction"} <= missed


@pytest.mark.slow
def test_derived_quantities_on_many_rational_problems() -> None:
    for name, ratios in check(150, seed=12).items():
        print(f"{name:24s} bound / actual error: median {np.median(ratios):8.3g}, worst {max(ratios):8.3g}")


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("reading", ["expectation", "printed"])
def test_compatible_error_with_dependent_scores(law: str, reading: str) -> None:
    """Tabular softmax: the Fisher information is singular; with psi its rank is exact."""
    for kind, point in rational_problems(6, seed=9):
        twin, view = point.exact(), point.to_floats()
        occupancy = policy_occupancy(twin)[::-1].copy()
        options = {"reading": reading, "law": law}
        proof = certificate(
            view, "eps_bias", inputs="rounded", psi=point.psi, occupancy=to_float(occupancy), **options
        )
        exactly = FORMULAS["eps_bias"].floats(twin, occupancy, **options)
        found = FORMULAS["eps_bias"].floats(view, to_float(occupancy), **options)
        assert abs(rational(float(found)) - exactly) <= rational(proof.value_error), kind
        assert proof.value_error < 1e-6, kind
        assert rational(float(proof.low)) <= exactly <= rational(float(proof.high)), kind


def test_compatible_error_needs_a_decided_rank() -> None:
    point = random_rational_point(np.random.default_rng(3))
    view = point.to_floats()
    for inputs in ("given", "rounded"):
        with pytest.raises(ArithmeticError, match="give psi, or certify from theta"):
            certificate(view, "eps_bias", inputs=inputs, occupancy=policy_occupancy(view))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="psi has shapes"):
        certificate(view, "eps_bias", psi=point.psi[:1], occupancy=policy_occupancy(view))


def test_compatible_error_against_the_optimal_policy() -> None:
    """The comparison policy may be a view of its own; and without dependent scores no psi is needed."""
    problem, theta = random_problem(np.random.default_rng(4), n_states=4, n_agents=2, gamma=0.9)
    view, best = exact(problem, theta), J_star(problem.mdp)
    tables = tuple(deterministic_tables(best.actions, problem.mdp.n_actions))
    optimal = Exact(
        view.P, view.r, view.initial, view.gamma, tables, tuple(0 * s for s in view.scores), view.phi_state,
        view.phi_joint,
    )  # fmt: skip
    proof = certificate(view, "eps_bias", occupancy=optimal)
    other = certificate_from_theta(problem, theta, "eps_bias", occupancy=optimal)
    assert proof.value_error < 1e-12
    assert other.value_error < 1e-12
    # the array J_star returns is that occupancy up to its own rounding
    assert certificate(view, "eps_bias", occupancy=best.occupancy).low == pytest.approx(proof.low, abs=1e-12)


def test_an_unreached_state_has_no_compatible_error() -> None:
    """From state 0 state 1 is never reached: F under the visitation says nothing of scores there."""
    half = fmpq(1, 2)
    point = RationalPoint(
        P=[[[1, 0]] * 2, [[half, half]] * 2], r=[[[1, 0], [0, 2]]], initial=[1, 0], gamma=half,
        tables=([[half, half]] * 2,), psi=(np.eye(4, dtype=int).reshape(2, 2, 4),), phi_state=[[1], [2]],
        phi_joint=[[[1], [0]], [[0], [1]]],
    )  # fmt: skip
    view, inside = point.to_floats(), np.array([[1.0, 0], [0, 0]])
    proof = certificate(view, "eps_bias", psi=point.psi, occupancy=inside)
    assert proof.value_error < 1e-15
    with pytest.raises(ArithmeticError, match="charges state 1"):
        certificate(view, "eps_bias", psi=point.psi, occupancy=np.full((2, 2), 0.25))


@pytest.mark.parametrize("law", LAWS)
def test_least_fisher_eigenvalue_contains_the_exact_one(law: str) -> None:
    """Against roots of the characteristic polynomial over rationals; singular and nonsingular matrices."""
    for kind, point in rational_problems(6, seed=21):
        view = point.to_floats()
        proof = certificate(view, "fisher_least", inputs="rounded", law=law)
        exactly = spectrum(FORMULAS["fisher"].floats(point.exact(), law))  # type: ignore[arg-type]
        assert proof.low <= exactly.least + exactly.error, kind
        assert exactly.least - exactly.error <= proof.high, kind
        assert proof.high - proof.low < 1e-13, kind
        assert spectrum(FORMULAS["fisher"].floats(view, law)).error >= proof.value_error / 10, kind


def test_eigenvalues_of_known_matrices() -> None:
    """All ones: 0 with multiplicity n - 1, and n. Path Laplacian: 2 - 2 cos(pi k / n)."""
    n = 7
    path = 2 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1)
    path[0, 0] = path[-1, -1] = 1
    with ctx.workprec(128):
        ones = symmetric_eigenvalues(balls(np.ones((n, n)), 128))
        laplacian = symmetric_eigenvalues(balls(path, 128))
        for found, expected in (
            (ones, [arb(0)] * (n - 1) + [arb(n)]),
            (laplacian, [2 - 2 * (arb.pi() * k / n).cos() for k in range(n)]),
        ):
            assert all(x.overlaps(y) and x.rad() < 1e-30 for x, y in zip(found, expected, strict=True))
            assert not any((x + 1e-25).overlaps(y) for x, y in zip(found, expected, strict=True))
        wide = symmetric_eigenvalues(balls(path, 128, 1e-6))
    assert all(x.contains(y) for x, y in zip(wide, laplacian, strict=True))


@pytest.mark.parametrize("approximation_under", LAWS)
def test_floors_against_exact_biases(approximation_under: str) -> None:
    problem = ring3_nonrealisable()
    view = exact(problem, THETA)
    bias = actor_bias(view, "stationary", approximation_under=approximation_under)  # type: ignore[arg-type]
    exactly = {k: rational_array(getattr(bias, k)) for k in ("total", "approximation", "sampling")}
    H, scale = problem.policy.n_shared, (1 - rational(problem.mdp.gamma)) ** 2

    def inner(x: np.ndarray, y: np.ndarray) -> fmpq:
        shared = sum((x[:, k].sum() * y[:, k].sum() for k in range(H)), fmpq(0)) / len(x)
        return (shared + (x[:, H:] * y[:, H:]).sum()) / scale

    for part in ("total", "approximation", "sampling", "cross"):
        pair = ("approximation", "sampling") if part == "cross" else (part, part)
        expected = inner(exactly[pair[0]], exactly[pair[1]]) * (2 if part == "cross" else 1)
        options = {"law": "stationary", "part": part, "approximation_under": approximation_under}
        proof = certificate(view, "floors", problem=problem, **options)
        assert float(proof.low) == pytest.approx(float(to_float(np.array([expected]))[0]), rel=1e-10, abs=1e-16)
        assert proof.value_error < 1e-13


def test_stationarity() -> None:
    problem = ring3_nonrealisable()
    view = exact(problem, THETA)
    proof = certificate(view, "stationarity", problem=problem, theta=THETA)
    assert proof.value_error < 1e-14
    assert float(proof.low) == pytest.approx(stationarity(problem, THETA, view), rel=1e-12)


NORMS = [
    (target, weighting, solution)
    for target, solutions in (("critic", ("best", "omega_td", "omega_bellman")), ("reward", ("best", "lambda_star")))
    for weighting in (*LAWS, "sup")
    for solution in solutions
]


@pytest.mark.parametrize(("target", "weighting", "solution"), NORMS, ids=["-".join(case) for case in NORMS])
def test_approximation_errors(target: str, weighting: str, solution: str) -> None:
    options = {"target": target, "weighting": weighting, "solution": solution}
    for seed in range(3):
        problem, theta = random_problem(np.random.default_rng(seed), n_states=5, n_agents=2, gamma=0.9)
        proof = certificate(exact(problem, theta), "approximation_error", **options)
        assert proof.value_error < 1e-9  # the sup fit is that of a linear program
        assert proof.high - proof.low < 1e-9 * proof.high


def test_best_sup_fit_by_a_constant_is_half_the_span() -> None:
    view = exact(ring3(), THETA)
    constant = Exact(
        view.P, view.r, view.initial, view.gamma, view.tables, view.scores, np.ones((3, 1)), view.phi_joint
    )
    proof = certificate(constant, "approximation_error", target="critic", weighting="sup")
    low, high = certificate(view, "V").low, certificate(view, "V").high
    assert float(proof.low) == pytest.approx((low.max() - low.min()) / 2, rel=1e-14)
    assert float(proof.high) == pytest.approx((high.max() - high.min()) / 2, rel=1e-14)


def test_a_poor_float_fit_widens_the_best_sup_error_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """The linear program only proposes rows: with the wrong ones the enclosure still contains the optimum."""
    problem, theta = random_problem(np.random.default_rng(2), n_states=6, n_agents=1, gamma=0.9)
    view, options = exact(problem, theta), {"target": "reward", "weighting": "sup"}
    good = certificate(view, "approximation_error", **options)
    monkeypatch.setattr("mdp.certify.norms._chebyshev_fit", lambda design, values: np.zeros(design.shape[1]))
    poor = certificate(view, "approximation_error", **options)
    assert poor.low <= good.low <= good.high <= poor.high
    assert poor.high - poor.low > 1e-3 * good.high


def test_wide_inputs_cover_every_perturbation_of_the_restart_law() -> None:
    """Worst case in closed form: from state 0, ``K(0, 1) = gamma pi P(0, 1)`` moves by a factor ``(1 + e)^3``."""
    e, gamma, third = fmpq(1, 2**10), fmpq(1, 8), fmpq(1, 3)
    point = RationalPoint(
        P=[[[1 - third, third]], [[third, 1 - third]]], r=[[[1], [0]]], initial=[1, 0], gamma=gamma,
        tables=([[1], [1]],), psi=([[[0]], [[0]]],), phi_state=[[1], [2]], phi_joint=[[[1]], [[1]]],
    )  # fmt: skip
    wide = lift_view(point.exact(), 128, spread=2.0**-10).restart_stationary

    def law(off: fmpq) -> fmpq:
        back = gamma * third + (1 - gamma)
        return off / (off + back)

    nominal = gamma * third
    with ctx.workprec(128):
        assert wide[1].contains(arb(law(nominal * (1 + e) ** 3)))
        assert wide[1].contains(arb(law(nominal * (1 - e) ** 3)))
        assert not wide[1].contains(arb(law(nominal * (1 + e) ** 8)))


def test_completed_rows_keep_their_off_diagonal() -> None:
    with ctx.workprec(64):
        rows = completed(balls(np.array([[0.5, 0.25], [0.75, 0.5]]), 64))
        assert [float(x.mid()) for x in rows.ravel()] == [0.75, 0.25, 0.75, 0.25]
        kernel = completed(balls(np.array([[[0.5, 0.25]], [[0.75, 0.5]]]), 64))
        assert [float(x.mid()) for x in kernel.ravel()] == [0.75, 0.25, 0.75, 0.25]


@pytest.mark.parametrize("part", ["total_variation", "sup_norm", "ratio", "chi_stationary", "chi_visitation"])
def test_sampling_mismatch_contains_the_exact_one(part: str) -> None:
    for kind, point in rational_problems(6, seed=30):
        twin, view = point.exact(), point.to_floats()
        if len(twin.initial) == 1 or min(twin.initial) == 0:
            continue
        mu, d = twin.stationary, twin.visitation
        squares = {"chi_stationary": ((d - mu) ** 2 / mu).sum(), "chi_visitation": ((d - mu) ** 2 / d).sum()}
        proof = certificate(view, "sampling_mismatch", inputs="rounded", part=part)
        low, high = rational(float(proof.low)), rational(float(proof.high))
        plain = {"total_variation": abs(d - mu).sum() / 2, "sup_norm": max(abs(d - mu)), "ratio": max(abs(d / mu - 1))}
        if part in plain:
            assert low <= plain[part] <= high, kind
        else:
            assert max(low, fmpq(0)) ** 2 <= squares[part] <= high**2, kind


@pytest.mark.parametrize("law", LAWS)
def test_bias_bounds_are_enclosed_and_bound(law: str) -> None:
    for seed in range(4):
        problem, theta = random_problem(np.random.default_rng(seed), n_states=4, n_agents=2, gamma=0.9)
        view = exact(problem, theta)
        for part in ("approximation", "sampling"):
            proof = certificate(view, "bias_bounds", law=law, part=part)
            assert proof.value_error <= 1e-10 * max(1.0, float(proof.high))
            bias = certificate(view, "actor_bias", law=law, part=part)
            reach = np.linalg.norm(np.minimum(np.abs(bias.low), np.abs(bias.high)), axis=1).max()
            assert reach <= proof.high + 1e-15


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("fisher", {"law": "stationary"}),
        ("fisher_least", {}),
        ("actor_bias", {"law": "stationary", "part": "sampling"}),
        ("actor_direction", {"law": "visitation"}),
        ("direction", {"reading": READINGS[1]}),
        ("bias_bounds", {"law": "stationary", "part": "sampling"}),
        ("omega_td_under", {"law": "visitation"}),
        ("td_definiteness", {}),
        ("approximation_error", {"target": "critic", "weighting": "stationary"}),
        ("sampling_mismatch", {"part": "chi_stationary"}),
        ("mixing_rho", {}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_ten_times_the_bound_is_noticed(name: str, options: dict[str, Any]) -> None:
    """Negative control: a value off by ten bounds cannot have the same certificate."""
    problem, theta = random_problem(np.random.default_rng(5), n_states=4, n_agents=2, gamma=0.9)
    view = exact(problem, theta)
    honest = certificate(view, name, **options)
    assert 0 < honest.value_error < 1e-10
    wrong = quantity(name, view, options) + 10 * honest.value_error
    noticed = certificate(view, name, values=wrong, **options)
    assert noticed.value_error >= 9 * honest.value_error
    assert not ((noticed.low <= wrong) & (wrong <= noticed.high)).all()


def test_given_inputs_mean_the_dyadic_problem_itself() -> None:
    """Against the same formulas over the very same floats as rationals: the bound is the actual error."""
    problem, theta = random_problem(np.random.default_rng(8), n_states=4, n_agents=2, gamma=0.9)
    view = exact(problem, theta)
    twin = Exact(
        *(rational_array(x) for x in (view.P, view.r, view.initial)), rational(view.gamma),  # type: ignore[arg-type]
        tuple(map(rational_array, view.tables)), tuple(map(rational_array, view.scores)),
        rational_array(view.phi_state), rational_array(view.phi_joint),
    )  # fmt: skip
    for name, options in CASES[::4]:
        proof, actual = certificate(view, name, **options), gap(twin, view, name, options)
        assert (actual <= rational_array(proof.entry_error)).all(), name
        assert proof.value_error <= 1.01 * to_float(actual).max() + 1e-30, name


def test_any_function_of_a_view() -> None:
    """The variance of V under the visitation, which nothing here knows by name."""

    def variance(view: Exact) -> Any:
        centred = view.V - (view.visitation * view.V).sum()
        return (view.visitation * centred * centred).sum()

    for kind, point in rational_problems(5, seed=40):
        twin, view = point.exact(), point.to_floats()
        proof = certify_function(view, variance, name="variance", inputs="rounded")
        assert abs(rational(float(variance(view))) - variance(twin)) <= rational(proof.value_error), kind
        assert certify_function(twin, variance).kind == "exact"
        rooted = certify_function(view, lambda v: np.sqrt(variance(v) + 1))
        assert 0 <= rooted.value_error < 1e-10


def test_a_power_of_a_ball_that_reaches_zero_claims_nothing() -> None:
    view = exact(ring3(), THETA)
    assert certify_function(view, lambda v: (v.V - v.V) ** 2).value_error == np.inf
    assert certify_function(view, lambda v: (v.V - v.V) * (v.V - v.V)).value_error < 1e-30


def test_error_is_the_same_certificate() -> None:
    view = exact(ring3(), THETA)
    proof = certificate(view, "fisher", law="stationary")
    assert view.error("fisher", law="stationary").value_error == proof.value_error


def test_rational_views_state_the_error_of_their_roundings() -> None:
    """A norm of rationals is computed in floats: it has an error even there."""
    point = random_rational_point(np.random.default_rng(0))
    assert certificate(point.exact(), "fisher").kind == "exact"
    proof = certificate(point.exact(), "approximation_error", target="critic", weighting="stationary")
    assert (proof.kind, proof.value_error < 1e-12) == ("enclosure", True)
    assert proof.value_error > 0


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        ("fisher", {"state": "mu"}, TypeError, "state"),
        ("V", {"law": "stationary"}, TypeError, "V takes no options; got law"),
        ("actor_bias", {"law": "stationary", "part": "b_sp"}, ValueError, "part is 'b_sp'"),
        ("fisher", {"law": "mu"}, ValueError, "law is 'mu'"),
        ("mixing_rho", {"by": "guess"}, ValueError, "method is 'guess'"),
        ("V", {"method": "residual", "values": np.zeros(3)}, ValueError, "residual certificates take no options"),
    ],
    ids=["option", "no options", "part", "law", "by", "residual"],
)
def test_bad_requests(name: str, options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        certificate(exact(ring3(), THETA), name, **options)
