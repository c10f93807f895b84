"""Exact moments against dense recursions, rationals, balls, closed forms and Lyapunov equations."""

from __future__ import annotations

import time
from fractions import Fraction

import numpy as np
import pytest
from flint import arb, ctx

from mdp import coordination_game, exact, garnet, mean_square_range, ring3, ring3_nonrealisable
from mdp.instances.chains import two_state
from mdp.linear import rational_array
from mdp.networks.schedule import Schedule, full_average
from mdp.rational import RationalPoint
from rates.moments import (
    UnstableStepError,
    critic_slopes,
    leading_coefficients,
    linear_moments,
    moments_of_view,
    step_range,
)
from rates.moments.stability import _definite
from rates.moments.system import System, ball_view
from rates.moments.tensors import parts

FIRST = np.array([0.2, 0.3, 0.5])
KINDS, SAMPLINGS = ("critic", "reward"), ("iid", "markov")


def theta_of(problem, seed=0):
    shape = (problem.mdp.n_agents, problem.policy.n_parameters)
    return 0.5 * np.random.default_rng(seed).normal(size=shape)


def start_of(problem, kind, seed=1):
    features = problem.features.phi_state if kind == "critic" else problem.features.phi_joint
    return np.random.default_rng(seed).normal(size=(problem.mdp.n_agents, features.shape[-1]))


def build(problem, beta, kind="critic", sampling="iid", law="stationary", **options):
    return linear_moments(
        problem, theta_of(problem), beta=beta, kind=kind, sampling=sampling, law=law,
        x_0=start_of(problem, kind), **options,
    )  # fmt: skip


def dense(problem, beta, kind, sampling, law, horizon, *, mix_after=False):
    """Raw second moments of the stacked iterates, one (s, a, s') at a time, uncentred: E x x^T at T and its sum."""
    view, W = exact(problem, theta_of(problem)), problem.schedule.matrices
    N, (S, A, _) = problem.mdp.n_agents, view.P.shape
    joint = law if law.ndim == 3 else law[:, None, None] * view.pi[:, :, None] * view.P
    x = start_of(problem, kind).ravel()
    K, extra = len(x) // N, np.pi**2 / 6 * (problem.mdp.reward_noise == "gumbel")
    modes = S if sampling == "markov" else 1
    p = law if modes > 1 else np.ones(1)
    X, m = p[:, None, None] * np.outer(x, x), p[:, None] * x
    total = np.zeros_like(X[0])
    for t in range(horizon):
        total += X.sum(axis=0)
        X_next, m_next, p_next = np.zeros_like(X), np.zeros_like(m), np.zeros_like(p)
        mixing = np.kron(W[t % len(W)], np.eye(K))
        for s, a, u in np.ndindex(S, A, S):
            g = view.phi_state[s] if kind == "critic" else view.phi_joint[s, a]
            h = view.gamma * view.phi_state[u] - g if kind == "critic" else -g
            F, b = beta * np.kron(np.eye(N), np.outer(g, h)), beta * np.kron(view.r[:, s, a], g)
            F, b = (mixing @ (np.eye(N * K) + F), mixing @ b) if mix_after else (mixing + F, b)
            z, to, w = (s, u, view.pi[s, a] * view.P[s, a, u]) if modes > 1 else (0, 0, joint[s, a, u])
            c = F @ m[z]
            square = F @ X[z] @ F.T + np.outer(c, b) + np.outer(b, c)
            square += p[z] * (np.outer(b, b) + beta**2 * extra * np.kron(np.eye(N), np.outer(g, g)))
            X_next[to] += w * square
            m_next[to] += w * (c + p[z] * b)
            p_next[to] += w * p[z]
        X, m, p = X_next, m_next, p_next
    return X.sum(axis=0), total / horizon


def uncentred(value):
    second, first = value.stacked()
    c = np.tile(value.centre, value.n_agents)
    return second + np.outer(first, c) + np.outer(c, first) + np.outer(c, c)


FULL_LAW = np.random.default_rng(3).dirichlet(np.ones(3 * 8 * 3)).reshape(3, 8, 3)
DENSE = {
    "stationary": ("iid", "stationary"), "visitation": ("iid", "visitation"), "state-law": ("iid", FIRST),
    "full-law": ("iid", FULL_LAW), "markov": ("markov", FIRST), "markov-at-rest": ("markov", "stationary"),
}  # fmt: skip


def small_problem():
    problem = garnet(3, 2, 2, 3, seed=4)
    W = [np.eye(3), full_average(3), np.array([[0.5, 0.5, 0], [0, 0.5, 0.5], [0.5, 0, 0.5]])]
    return type(problem)(problem.mdp, problem.policy, problem.features, Schedule.periodic(W), name="small")


@pytest.mark.parametrize("case", DENSE)
@pytest.mark.parametrize("kind", KINDS)
def test_moments_are_those_of_the_dense_recursion(kind, case) -> None:
    problem, (sampling, law) = small_problem(), DENSE[case]
    view, horizon, beta = exact(problem, theta_of(problem)), 8, 0.4  # 8 is no multiple of the period 3
    law_array = getattr(view, law) if isinstance(law, str) else law
    last, average = dense(problem, beta, kind, sampling, law_array, horizon)
    model = build(problem, beta, kind, sampling, law)
    np.testing.assert_allclose(uncentred(model.at(horizon)), last, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(uncentred(model.average(horizon)), average, rtol=1e-11, atol=1e-12)


def test_dense_recursion_tells_other_orders_and_laws_apart() -> None:
    problem, view = small_problem(), exact(small_problem(), theta_of(small_problem()))
    value = uncentred(build(problem, 0.4).at(8))
    other_order = dense(problem, 0.4, "critic", "iid", view.stationary, 8, mix_after=True)[0]
    other_law = dense(problem, 0.4, "critic", "iid", view.visitation, 8)[0]
    other_sampling = dense(problem, 0.4, "critic", "markov", view.stationary, 8)[0]
    for other in (other_order, other_law, other_sampling):
        assert np.abs(value - other).max() > 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_reward_noise_counts(kind) -> None:
    problem = coordination_game(2)
    last, _ = dense(problem, 0.2, kind, "iid", np.ones(1), 4)
    np.testing.assert_allclose(uncentred(build(problem, 0.2, kind).at(4)), last, rtol=1e-11)
    quiet, _ = dense(coordination_game(2, noise=False), 0.2, kind, "iid", np.ones(1), 4)
    assert np.abs(last - quiet).max() > 1e-2


def test_errors_against_targets_are_traces_of_the_stacked_moments() -> None:
    problem = ring3_nonrealisable()
    value = build(problem, 0.3, "critic", "markov", FIRST).average(1000)
    target = exact(problem, theta_of(problem)).omega_td_error
    raw = uncentred(value)
    c = np.tile(target, 3)
    first = value.stacked()[1] + np.tile(value.centre, 3)
    total = np.trace(raw) - 2 * first @ c + c @ c
    assert value.total("omega_td_error") == pytest.approx(total, rel=1e-12)
    assert value.per_agent("omega_td_error").sum() == pytest.approx(total, rel=1e-12)
    assert value.mean_part(target) + value.disagreement == pytest.approx(total, rel=1e-12)
    assert value.excess(target) + value.floor(target) == pytest.approx(total, rel=1e-12)
    centre = np.kron(np.eye(3) - 1 / 3, np.eye(2))
    assert value.disagreement == pytest.approx(np.trace(centre @ raw), rel=1e-11)
    spread = value.per_agent("omega_td")
    assert np.ptp(spread) > 1e-6 * spread.max()  # agents differ: local rewards do


# --- enclosures -----------------------------------------------------------------------------------------------

QUANTITIES = ("total", "excess", "mean_part")


def worst_gap(model, horizon, targets, averaged):
    enclosed = model.enclosure(horizon, averaged=averaged)
    value = model.average(horizon) if averaged else model.at(horizon)
    pairs = [(getattr(value, q)(target), getattr(enclosed, q)(target)) for q in QUANTITIES for target in targets]
    pairs.append((value.disagreement, enclosed.disagreement))
    assert min(ball.rel_accuracy_bits() for _, ball in pairs) > 200
    return max(abs(float((x - ball) / ball)) for x, ball in pairs)


@pytest.mark.parametrize("sigma", [0.2, 0.8, 0.95])
@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_ten_digits_at_a_trillion_steps(sampling, sigma) -> None:
    horizon = 10**12 + 7  # no multiple of the period
    law = "stationary" if sampling == "iid" else FIRST
    model = build(ring3_nonrealisable(), horizon**-sigma, "critic", sampling, law)
    for averaged in (True, False):
        assert worst_gap(model, horizon, ("omega_bellman", "omega_td"), averaged) < 1e-12


def test_ten_digits_with_twelve_coordinates() -> None:
    model = build(garnet(8, 2, 3, 3, seed=2), 1e-6)
    assert model.system.maps[1].second == (8, 8)
    assert worst_gap(model, 10**12, ("omega_td",), True) < 1e-10
    shifted = build(garnet(8, 2, 3, 3, seed=2), 1e-6 * (1 + 1e-9))  # control: one part in 10^9 of beta shows
    ball = model.enclosure(10**12).total()
    assert abs(float((shifted.average(10**12).total() - ball) / ball)) > 1e-10


def rational_problem():
    third = Fraction(1, 3)
    return RationalPoint(
        P=[[[third, 2 * third], [third / 2, 1 - third / 2]], [[third, 2 * third], [1 - third, third]]],
        r=[[[1, third], [0, -1]], [[0, 2], [third, 0]]], initial=[1, 0], gamma=Fraction(3, 5),
        tables=([[third, 2 * third], [Fraction(1, 7), Fraction(6, 7)]], [[1], [1]]),
        psi=([[[0], [1]], [[0], [1]]], [[[0]], [[0]]]), phi_state=[[1], [third]],
        phi_joint=[[[1], [third]], [[0], [1]]],
    )  # fmt: skip


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_rational_recursion_lies_in_the_ball(sampling) -> None:
    view, horizon = rational_problem().exact(), 4
    W = rational_array([[[Fraction(2, 3), Fraction(1, 3)], [Fraction(1, 3), Fraction(2, 3)]]])
    beta, x_0 = Fraction(1, 3), rational_array([[2], [Fraction(1, 7)]])
    model = moments_of_view(view, W, beta=beta, sampling=sampling, law="stationary", x_0=x_0)
    target = view.omega_td[0]
    # every path of samples, weighted, in rationals
    mu, zero = view.stationary, view.gamma * 0
    cells = {0: [(mu[0], x_0[:, 0])], 1: [(mu[1], x_0[:, 0])]}
    for _ in range(horizon):
        moved = {0: [], 1: []}
        for s, a, u in np.ndindex(2, 2, 2):
            for weight, x in cells[s]:
                phi, step = view.phi_state[s, 0], view.gamma * view.phi_state[u, 0] - view.phi_state[s, 0]
                new = W[0] @ x + rational_array([beta])[0] * phi * (view.r[:, s, a] + step * x)
                w = weight * view.pi[s, a] * view.P[s, a, u]
                for v in (u,) if sampling == "markov" else (0, 1):
                    moved[v].append((w if sampling == "markov" else w * mu[v], new))
        cells = {s: merged(paths) for s, paths in moved.items()}
    error = sum((w * ((x - target) ** 2).sum() for paths in cells.values() for w, x in paths), zero)
    ball = model.enclosure(horizon, averaged=False).total("omega_td")
    with ctx.workprec(300):
        assert ball.contains(error)
        assert ball.rel_accuracy_bits() > 250
        assert not ball.contains(error + arb(2) ** -200)
    assert float(ball) == pytest.approx(model.at(horizon).total("omega_td"), rel=1e-13)


def merged(paths):
    """Equal values share one entry, so that the enumeration stays small."""
    sums: dict = {}
    for w, x in paths:
        key = tuple(str(v) for v in x)
        sums[key] = (sums[key][0] + w if key in sums else w, x)
    return list(sums.values())


# --- one feature, one agent -------------------------------------------------------------------------------------


def scalar_average(view, beta: float, horizon: int, error_0: float, offset: float) -> float:
    """``(1/T) sum E (e_t + offset)^2`` for ``e' = (1 + beta x) e + beta y``, by powers of a 3 x 3 matrix."""
    phi, omega, gamma = view.phi_state[:, 0], view.omega_td[0], view.gamma
    x = yy = xx = xy = 0.0
    for s, a, t in np.ndindex(*view.P.shape):
        weight = view.stationary[s] * view.pi[s, a] * view.P[s, a, t]
        slope = phi[s] * (gamma * phi[t] - phi[s])
        noise = phi[s] * view.r_bar[s, a] + slope * omega
        x, xx = x + weight * slope, xx + weight * slope**2
        xy, yy = xy + weight * slope * noise, yy + weight * noise**2
    step = np.array(
        [[1 + 2 * beta * x + beta**2 * xx, 2 * beta**2 * xy, beta**2 * yy], [0, 1 + beta * x, 0], [0, 0, 1.0]]
    )
    summed = np.block([[step, np.eye(3)], [np.zeros((3, 3)), np.eye(3)]])
    total = np.linalg.matrix_power(summed, horizon)[:3, 3:] @ np.array([error_0**2, error_0, 1.0])
    return float((total[0] + 2 * offset * total[1]) / horizon + offset**2)


@pytest.mark.parametrize("horizon", [1, 10, 10**4, 10**8])
def test_scalar_recursion_of_the_two_state_chain(horizon) -> None:
    problem = two_state()
    features = type(problem.features)(np.array([[1.0], [0.5]]), problem.features.phi_joint)
    problem = type(problem)(problem.mdp, problem.policy, features, problem.schedule)
    theta = np.zeros((1, problem.policy.n_parameters))
    view = exact(problem, theta)
    error_0, offset = -float(view.omega_td[0]), float(view.omega_td[0] - view.omega_td_error[0])
    beta = horizon**-0.4
    value = linear_moments(problem, theta, beta=beta).average(horizon)
    assert value.total("omega_td_error") == pytest.approx(
        scalar_average(view, beta, horizon, error_0, offset), rel=1e-9
    )


# --- leading coefficients -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_lyapunov_coefficients_are_the_limits_of_the_recursion(sampling, kind) -> None:
    problem = ring3_nonrealisable()
    leading = leading_coefficients(build(problem, 1.0, kind, sampling, FIRST))
    target = leading.model.fixed_point + np.array([1.0, -2.0])
    gaps = []
    for beta in (1e-4, 1e-5):
        model, horizon = build(problem, beta, kind, sampling, FIRST), round(1e8 / beta)
        rest, average = model.limit, model.average(horizon)
        gaps.append([
            np.abs(rest.mean_second / beta / leading.stationary - 1).max(),
            abs(rest.excess(target) / beta / leading.step(target) - 1),
            abs((average.excess(target) - rest.excess(target)) * horizon * beta / leading.decay(target) - 1),
            abs(rest.disagreement / beta**2 / leading.disagreement - 1),
            np.abs(rest.mean_first / beta - leading.bias).max() / np.abs(leading.stationary).max(),
        ])  # fmt: skip
    first, second = np.array(gaps)
    assert (first < 2e-3).all()
    # the remainder is of first order in beta; i.i.d. samples have no bias at all
    assert second[:4] / first[:4] == pytest.approx(0.1, rel=0.02)
    if sampling == "iid":
        assert max(first[4], second[4]) < 1e-12
    else:
        assert second[4] / first[4] == pytest.approx(0.1, rel=0.02)


def test_lag_covariance_and_bias_matter_under_markovian_sampling() -> None:
    problem = ring3_nonrealisable()
    markov, iid = (leading_coefficients(build(problem, 1.0, "critic", s)) for s in SAMPLINGS[::-1])
    assert abs(np.trace(markov.stationary) / np.trace(iid.stationary) - 1) > 1e-2
    assert np.abs(markov.bias).max() > 1e-2


# --- step sizes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("problem", [ring3(), ring3_nonrealisable(), garnet(6, 2, 3, 4)], ids=lambda p: p.name)
def test_average_agent_has_the_range_of_one_agent(problem) -> None:
    found = step_range(build(problem, 0.1))
    single = mean_square_range(exact(problem, theta_of(problem))).beta_max
    assert found.average_limit == pytest.approx(single, rel=1e-10)
    assert found.certified
    assert found.low < found.limit < found.high
    assert found.limit == min(found.average_limit, found.disagreement_limit)


def test_disagreement_limit_of_constant_updates_in_closed_form() -> None:
    """One state, gamma = 0: A_t = -1. Four steps of ``1 - beta``, then an average: ``beta (beta - 1)^4 = 1``."""
    found = step_range(build(coordination_game(3), 0.1))
    roots = np.roots(np.polysub(np.polymul([1.0, 0.0], np.poly([1.0] * 4)), [1.0]))
    root = max(x.real for x in roots if abs(x.imag) < 1e-12)
    assert found.disagreement_limit == pytest.approx(root, rel=1e-12)
    assert found.average_limit == pytest.approx(2.0, rel=1e-12)
    assert found.binding == "disagreement"


@pytest.mark.parametrize(("second_feature", "binding"), [(1.0, "disagreement"), (0.02, "average")])
def test_limits_of_two_agents_with_one_feature_in_closed_form(second_feature, binding) -> None:
    """``E (v + beta A_t)^2 = 1`` with v = 1 for the average and 1 - 2 w for the disagreement; spread decides."""
    problem = garnet(2, 2, 2, 2, seed=1)
    features = type(problem.features)(np.array([[1.0], [second_feature]]), problem.features.phi_joint)
    schedule = Schedule.static(np.array([[0.75, 0.25], [0.25, 0.75]]))
    problem = type(problem)(problem.mdp, problem.policy, features, schedule)
    view, law = exact(problem, theta_of(problem)), np.array([0.05, 0.95])
    phi = view.phi_state[:, 0]
    A_t = phi[:, None] * (view.gamma * phi[None, :] - phi[:, None])
    pair = law[:, None] * view.P_pi
    first, second = (pair * A_t).sum(), (pair * A_t**2).sum()
    roots = [(-v * first + np.sqrt((v * first) ** 2 + (1 - v**2) * second)) / second for v in (1.0, 0.5)]
    found = step_range(build(problem, 0.1, law=law))
    assert [found.average_limit, found.disagreement_limit] == pytest.approx(roots, rel=1e-11)
    assert found.binding == binding
    assert found.certified


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_moments_stay_bounded_just_inside_the_range_only(sampling) -> None:
    problem = ring3_nonrealisable()
    limit = step_range(build(problem, 0.1, "critic", sampling)).limit
    inside, outside = (build(problem, limit * f, "critic", sampling) for f in (0.99, 1.01))
    assert np.linalg.eigvalsh(inside.limit.stacked()[0]).min() > 0
    assert inside.at(10**6).total() == pytest.approx(inside.at(10**6 + 3).total(), rel=1e-9)
    assert inside.spectral_radius < 1 < outside.spectral_radius
    with pytest.raises(UnstableStepError, match=r"spectral radius 1\.0"):
        _ = outside.limit
    with pytest.raises(OverflowError, match="before T = 1000000"):
        outside.average(10**6)


def test_certificate_refuses_the_wrong_side() -> None:
    model = build(ring3(), 0.1)
    limit = step_range(model).limit
    with ctx.workprec(192):
        system = System.build(ball_view(model.view, 192), model, 192)
        part = parts(system.table, system.matrices, system.centre)[1]
        assert [_definite(system.table, part, limit * f) for f in (1 - 1e-7, 1 + 1e-7)] == [True, False]


# --- slopes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["omega_td", "omega_bellman", "omega_td_error"])
def test_critic_slopes_are_those_of_the_two_terms(target) -> None:
    problem = ring3_nonrealisable()
    found = critic_slopes(problem, theta_of(problem), target=target)
    view = exact(problem, theta_of(problem))
    floor = 3 * np.sum((view.omega_td - getattr(view, target)) ** 2)
    assert found.floor == pytest.approx(floor, abs=1e-14)
    assert (floor == 0) == (target == "omega_td")
    # the two terms are comparable near sigma_2 = 1/2, where local slopes lie between both exponents
    assert found.slopes[:, -1] == pytest.approx(found.two_term_slopes()[:, -1], abs=2e-3)
    clear = [k for k, s in enumerate(found.sigmas) if abs(s - 0.5) > 0.15 or s == 0.5]
    assert found.slopes[clear, -1] == pytest.approx(found.expected[clear], abs=2e-3)
    early, late = (np.abs(found.slopes[clear, k] - found.expected[clear]).max() for k in (0, -1))
    assert early > 10 * late  # control: at T = 10^3 the slope is far from its limit
    assert target in found.table()


# --- speed and wrong input -------------------------------------------------------------------------------------------


def test_trillion_steps_take_less_than_a_second() -> None:
    problem = garnet(8, 2, 3, 3, seed=2)
    begun = time.process_time()
    build(problem, 1e-6).average(10**12)
    assert time.process_time() - begun < 1.0  # process time counts every core


WRONG = {
    "beta": ({"beta": 0.0}, "beta is 0"), "beta-nan": ({"beta": float("nan")}, "beta is nan"),
    "kind": ({"kind": "actor"}, "kind is 'actor'"), "sampling": ({"sampling": "both"}, "sampling is 'both'"),
    "law-name": ({"law": "uniform"}, "law is 'uniform'"),
    "law-sum": ({"law": np.array([0.5, 0.25, 0.5])}, "law sums to 1.25"),
    "law-sign": ({"law": np.array([-0.5, 0.5, 1.0])}, r"law\[0\] is -0.5"),
    "law-shape": ({"law": np.ones(2) / 2}, r"law has shape \(2,\)"),
    "law-markov": ({"law": np.full((3, 27, 3), 1 / 243), "sampling": "markov"}, "with markov sampling"),
    "law-thin": ({"law": np.array([1.0, 0.0, 0.0])}, "singular"),
    "x_0": ({"x_0": np.zeros((3, 2))}, r"x_0 has shape \(3, 2\)"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_named(case) -> None:
    options, message = WRONG[case]
    with pytest.raises(ValueError, match=message):
        linear_moments(ring3(), np.zeros((3, 2)), **({"beta": 0.1} | options)).at(1)


def test_wrong_horizons_and_matrices_are_named() -> None:
    model = build(ring3(), 0.1)
    for horizon in (0, -1, 2.5):
        with pytest.raises(ValueError, match=f"horizon is {horizon}"):
            model.average(horizon)
    with pytest.raises(ValueError, match="t is -1"):
        model.at(-1)
    with pytest.raises(ValueError, match="bits is 10"):
        model.enclosure(10, bits=10)
    with pytest.raises(ValueError, match="target is 'omega'"):
        model.at(1).total("omega")
    with pytest.raises(ValueError, match=r"W\[0\] is not doubly stochastic: row 0"):
        moments_of_view(model.view, np.ones((1, 3, 3)), beta=0.1)
    with pytest.raises(ValueError, match="sigma_2 is 1"):
        critic_slopes(ring3(), np.zeros((3, 2)), sigmas=(1.0,))
    with pytest.raises(ValueError, match="coordinates, above"):
        linear_moments(garnet(40, 1, 3, 6), np.zeros((6, 3)), beta=0.1)
