"""Error certificates and enclosures: against the rational twin, against each other, and made to fail."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from flint import ctx, fmpq

from mdp import FiniteMDP, Problem, RationalPoint, exact, ring3, ring3_nonrealisable
from mdp.certify import RESIDUAL_NAMES, certificate, certificate_from_theta, certificates
from mdp.enclose import ENCLOSED, enclose
from mdp.exact import Exact
from mdp.families import random_problem, random_rational_point
from mdp.linear import rational, rational_array, to_float

NAMES = (*ENCLOSED, "grad_J_by_solve")
COUPLING = fmpq(1, 10**12)


def nearly_decomposable_point(rng: np.random.Generator) -> RationalPoint:
    """Two blocks of two or three states that exchange a probability of about 1e-12 per step."""
    point = random_rational_point(rng, n_states=int(rng.integers(4, 7)), n_actions=(2,))
    S = point.P.shape[0]
    block = np.arange(S) < S // 2
    damping = np.array([COUPLING, fmpq(1)], dtype=object)[(block[:, None] == block[None, :]).astype(int)]
    P = point.P * damping[:, None, :]
    # the largest entry of each row (always inside the block) absorbs the rest: rows sum to one exactly
    for s, a in np.ndindex(P.shape[:2]):
        k = max(np.flatnonzero(block == block[s]), key=lambda t, s=s, a=a: P[s, a, t])  # type: ignore[misc]
        P[s, a, k] += 1 - P[s, a].sum()
    return RationalPoint(
        P, point.r, point.initial, point.gamma, point.tables, point.psi, point.phi_state, point.phi_joint
    )


def rational_problems(count: int, seed: int) -> Iterator[tuple[str, RationalPoint]]:
    rng = np.random.default_rng(seed)
    shapes: list[tuple[int, ...]] = [(2,), (3,), (2, 2), (2, 3)]
    for k in range(count):
        if k % 3 == 2:
            yield "nearly decomposable", nearly_decomposable_point(rng)
        else:
            size, shape = int(rng.integers(1, 6)), shapes[int(rng.integers(len(shapes)))]
            yield "dense", random_rational_point(rng, n_states=size, n_actions=shape, point_start=bool(k % 2))


def actual_errors(twin: Exact, view: Exact, name: str) -> np.ndarray:
    """``|float - exact|`` entry by entry, as exact rationals."""
    reference = np.asarray(getattr(twin, name), dtype=object)
    return np.asarray(abs(rational_array(np.asarray(getattr(view, name), dtype=float)) - reference), dtype=object)


def check_against_twin(count: int, seed: int) -> dict[str, list[float]]:
    """Every quantity within its certificate of the twin; returns bound / actual error by name."""
    tightness: dict[str, list[float]] = defaultdict(list)
    for kind, point in rational_problems(count, seed):
        twin, view = point.exact(), point.to_floats()
        for name, proof in certificates(view, NAMES, inputs="rounded").items():
            actual = actual_errors(twin, view, name)
            assert (actual <= rational_array(proof.entry_error)).all(), (kind, name)
            worst = to_float(actual).max()
            if worst > 0:
                tightness[name].append(proof.value_error / worst)
            if name == "stationary" and kind == "nearly decomposable":
                assert (actual <= fmpq(1, 10**12) * twin.stationary).all()
                assert proof.relative_error < 1e-12
    return tightness


def test_floats_agree_with_the_rational_twin_within_the_certificate() -> None:
    tightness = check_against_twin(60, seed=3)
    assert set(tightness) == set(NAMES)
    for name, ratios in tightness.items():
        assert np.median(ratios) < 1e3, name  # measured medians: 3 to 50


@pytest.mark.slow
def test_a_thousand_rational_problems() -> None:
    for name, ratios in check_against_twin(1000, seed=4).items():
        print(f"{name:20s} bound / actual error: median {np.median(ratios):8.3g}, worst {max(ratios):8.3g}")
        assert np.quantile(ratios, 0.98) < 1e4, name


def test_given_inputs_mean_the_dyadic_problem_itself() -> None:
    """Against the formulas of `mdp.exact` over the very same floats as rationals, unnormalised rows and all."""
    problem, theta = random_problem(np.random.default_rng(8), n_states=4, n_agents=2, gamma=0.9)
    view = exact(problem, theta)
    twin = Exact(
        *(rational_array(x) for x in (view.P, view.r, view.initial)), rational(view.gamma),  # type: ignore[arg-type]
        tuple(map(rational_array, view.tables)), tuple(map(rational_array, view.scores)),
        rational_array(view.phi_state), rational_array(view.phi_joint),
    )  # fmt: skip
    for name in NAMES:
        proof = certificate(view, name)
        actual = actual_errors(twin, view, name)
        assert (actual <= rational_array(proof.entry_error)).all(), name
        assert proof.value_error <= 1.01 * to_float(actual).max() + 1e-30, name
    assert 0 < certificate(view, "V").row_defect < 1e-15


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_value_is_outside_its_certificate(name: str) -> None:
    """Negative control: shift the float result by 1e-9 and the certificate must report at least that."""
    problem, theta = random_problem(np.random.default_rng(5), n_states=4, n_agents=2, gamma=0.9)
    honest, shifted = exact(problem, theta), exact(problem, theta)
    shifted.__dict__[name] = np.asarray(getattr(shifted, name)) + 1e-9  # the cache of a cached_property
    assert certificate(honest, name).value_error < 1e-11
    assert certificate(shifted, name).value_error == pytest.approx(1e-9, rel=1e-2)


@pytest.mark.parametrize("name", ["visitation", "V", "J"])
def test_residual_certificates_notice_a_wrong_value(name: str) -> None:
    problem, theta = random_problem(np.random.default_rng(5), n_states=4, n_agents=2, gamma=0.9)
    shifted = exact(problem, theta)
    shifted.__dict__["V" if name == "J" else name] = getattr(shifted, "V" if name == "J" else name) + 1e-9
    assert certificate(shifted, name, method="residual").value_error >= 1e-9


@pytest.mark.parametrize("name", RESIDUAL_NAMES)
@pytest.mark.parametrize("n_states", [2, 5, 30])
def test_residual_and_enclosure_certificates_agree(name: str, n_states: int) -> None:
    """Two routes: the enclosure is the actual error, and the cheap bound lies above it, not absurdly far."""
    for seed in range(4):
        problem, theta = random_problem(np.random.default_rng(seed), n_states=n_states, n_agents=1, gamma=0.95)
        view = exact(problem, theta)
        cheap, tight = certificate(view, name, method="residual"), certificate(view, name)
        assert (tight.entry_error <= cheap.entry_error).all()
        assert cheap.value_error < 1e-9 * max(1.0, np.abs(getattr(view, name)).max())


def test_a_priori_bound_covers_gth_on_nearly_decomposable_chains() -> None:
    for seed in range(20):
        view = nearly_decomposable_point(np.random.default_rng(seed)).to_floats()
        bound = certificate(view, "stationary", method="residual")
        actual = certificate(view, "stationary")
        assert actual.relative_error <= bound.relative_error < 1e-12
        assert (actual.entry_error <= bound.entry_error).all()


def test_a_priori_bound_counts_every_rounding() -> None:
    """In units of u, from the induction: forming P_pi, each elimination, each substitution, normalisation."""
    problem, theta = random_problem(np.random.default_rng(1), n_states=6, n_agents=2)
    view, n = exact(problem, theta), 6
    formation = 2 * (n - 1) * (problem.mdp.n_joint_actions + 2)
    elimination = sum(2 * (k - 2) * (k + 2) for k in range(2, n + 1))
    substitution = sum(2 * k for k in range(2, n + 1)) + 2 * n + 2
    expected = (formation + elimination + substitution) * 2.0**-53
    assert certificate(view, "stationary", method="residual").relative_error == pytest.approx(expected, rel=1e-5, abs=0)


def test_rounding_of_the_discount_reaches_the_restart_law() -> None:
    """gamma = 1 - 1e-9 rounds; 1 - gamma, and with it the weight of the transient state, loses nine digits."""
    point = RationalPoint(
        P=[[[0, 1]], [[0, 1]]], r=[[[1], [0]]], initial=[1, 0], gamma=1 - fmpq(1, 10**9),
        tables=([[1], [1]],), psi=([[[0]], [[0]]],), phi_state=[[1], [2]], phi_joint=[[[1]], [[1]]],
    )  # fmt: skip
    twin, view = point.exact(), point.to_floats()
    for name in ("restart_stationary", "visitation"):
        proof = certificate(view, name, inputs="rounded")
        actual = actual_errors(twin, view, name)
        assert (actual <= rational_array(proof.entry_error)).all()
        assert to_float(actual)[0] > 1e-9 * 2.0**-53 * 100  # more than its own rounding explains


def test_enclosures_contain_the_floats_and_shrink_with_precision() -> None:
    for problem in (ring3(), ring3_nonrealisable()):
        theta = np.array([[0.3, -0.2], [0.1, 0.4], [-0.5, 0.2]])
        view = exact(problem, theta)
        coarse, fine = (enclose(problem, theta, precision=bits) for bits in (80, 160))
        for name in ENCLOSED:
            proof = certificate_from_theta(problem, theta, name)
            assert proof.value_error < 1e-13, name
            assert (fine.distance(name, getattr(view, name)) <= proof.entry_error + 1e-30).all(), name
            assert fine.width(name) < 1e-20 * coarse.width(name) < 1e-30, name
            with ctx.workprec(200):
                pairs = zip(coarse.value(name).ravel(), fine.value(name).ravel(), strict=True)
                assert all(wide.contains(narrow) for wide, narrow in pairs), name


def test_softmax_enclosure_against_decimal_digits() -> None:
    """One state, two actions, logit 1/3: pi(0) = 1 / (1 + exp(-1/3)), digits from Python's own decimal module."""
    from decimal import Decimal, getcontext

    getcontext().prec = 50
    expected = 1 / (1 + (Decimal(-1) / 3).exp())
    problem, _ = random_problem(np.random.default_rng(0), n_states=2, n_agents=1)
    psi = np.zeros((2, problem.mdp.n_actions[0], 3))
    psi[:, 0, 0] = 1
    psi[:, 2:, 0] = -1e6  # a third action, if there is one, has no weight in fifty digits
    policy = type(problem.policy)((psi,), 0)  # type: ignore[call-arg]
    view = enclose(Problem(problem.mdp, policy, problem.features, problem.schedule), [[Fraction(1, 3), 0, 0]])
    with ctx.workprec(160):
        low, high = (Decimal(str(x.str(45, radius=False))) for x in (view.pi[0, 0].lower(), view.pi[0, 0].upper()))
    assert abs(low - expected) < Decimal("1e-36")
    assert abs(high - expected) < Decimal("1e-36")


def test_rational_views_have_no_error() -> None:
    proof = certificate(random_rational_point(np.random.default_rng(0)).exact(), "V")
    assert (proof.value_error, proof.kind) == (0.0, "exact")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "W"}, "no enclosure certificate of 'W'"),
        ({"name": "grad_J", "method": "residual"}, "no residual certificate of 'grad_J'"),
        ({"name": "V", "inputs": "exact"}, "inputs is 'exact'"),
        ({"name": "V", "method": "guess"}, "method is 'guess'"),
        ({"name": "V", "method": "residual", "inputs": "rounded"}, "inputs='given'"),
    ],
    ids=["name", "no residual", "inputs", "method", "rounded residual"],
)
def test_bad_requests(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        certificate(exact(ring3(), np.zeros((3, 2))), **arguments)


def test_a_singular_system_is_reported() -> None:
    """Two identical critic features cannot be built through Features, so the view is given them directly."""
    view = exact(ring3(), np.zeros((3, 2)))
    twice = Exact(view.P, view.r, view.initial, view.gamma, view.tables, view.scores, np.ones((3, 2)), view.phi_joint)
    with pytest.raises(ArithmeticError, match="omega_td has no certificate: a 2 x 2 system"):
        certificate(twice, "omega_td")


def test_subnormal_input_is_refused() -> None:
    mdp = FiniteMDP(np.ones((1, 2, 1)), np.array([[[1e-310, 0.0]]]), np.ones(1), 0.5, (2,))
    view = exact(ring3(), np.zeros((3, 2)))
    bad = Exact(mdp.P, mdp.r, mdp.initial, 0.5, (np.full((1, 2), 0.5),), view.scores, np.ones((1, 1)), view.phi_joint)
    with pytest.raises(ValueError, match=r"r\[0, 0, 0\] is 1e-310, below the smallest normal"):
        certificate(bad, "V", inputs="rounded")
    assert certificate(bad, "V").value_error < 1e-320  # as given, its digits are what they are


def test_not_a_number_has_an_infinite_error() -> None:
    view = exact(ring3(), np.zeros((3, 2)))
    view.__dict__["V"] = np.full(3, np.nan)
    assert certificate(view, "V").value_error == np.inf
    view.__dict__["V"] = np.zeros(2)
    with pytest.raises(ValueError, match=r"V has shape \(2,\)"):
        certificate(view, "V")


def test_enclosures_refuse_other_policies_and_shapes() -> None:
    problem = ring3()
    with pytest.raises(ValueError, match=r"theta has shape \(2, 2\)"):
        enclose(problem, np.zeros((2, 2)))
    with pytest.raises(ValueError, match="precision is 1"):
        enclose(problem, np.zeros((3, 2)), precision=1)
    with pytest.raises(ValueError, match="no enclosure of 'kappa'"):
        enclose(problem, np.zeros((3, 2))).value("kappa")
