"""Constants rounded outwards: mixing, stable step sizes, smoothness; each has a control that must fail."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from flint import fmpq
from test_mdp_certify import nearly_decomposable_point, rational_problems
from test_mdp_certify_policies import policy_and_theta

from mdp import (
    CircularPolicy,
    Features,
    FiniteMDP,
    NeuralPolicy,
    Problem,
    RationalPoint,
    exact,
    ring3,
    ring3_nonrealisable,
)
from mdp.certify import certificate, certified_mixing, certified_step_range, certify_smoothness
from mdp.exact import Exact
from mdp.linear import rational, rational_array
from mdp.mixing import Mixing, NoMixingBoundError, tv_decay
from mdp.policies import ReducedSoftmaxPolicy
from mdp.td_stability import off_policy_counterexample

HORIZON = 12


def holds(mixing: Mixing, twin: Exact) -> bool:
    """``kappa rho^t`` against the exact distances of a rational chain, in rationals."""
    distance, _ = tv_decay(twin.P_pi, HORIZON)
    kappa, rho = rational(mixing.kappa), rational(mixing.rho)
    return all(distance[t] <= kappa * rho**t for t in range(HORIZON + 1))


@pytest.mark.parametrize("method", ["doeblin", "spectral", "uniform"])
def test_certified_mixing_holds_on_rational_chains(method: str) -> None:
    for kind, point in rational_problems(9, seed=50):
        if point.P.shape[0] == 1 or (kind == "nearly decomposable" and method != "spectral"):
            continue
        view, twin = point.to_floats(), point.exact()
        found = certified_mixing(view, method=method, inputs="rounded")
        assert holds(found, twin), kind
        assert certificate(view, "mixing_rho", by=method, inputs="rounded").high <= found.rho, kind


def test_doeblin_on_a_chain_that_attains_it() -> None:
    """Two states, ``P(0, 1) = 1/3``, ``P(1, 0) = 1/5``: the distance from state 0 is ``5/8 (7/15)^t``; rho is 7/15."""
    point = RationalPoint(
        P=[[[fmpq(2, 3), fmpq(1, 3)]], [[fmpq(1, 5), fmpq(4, 5)]]], r=[[[1], [0]]], initial=[1, 0], gamma=fmpq(1, 2),
        tables=([[1], [1]],), psi=([[[0]], [[0]]],), phi_state=[[1], [2]], phi_joint=[[[1]], [[1]]],
    )  # fmt: skip
    view, limit = point.to_floats(), fmpq(7, 15)
    found = certified_mixing(view, steps=1, inputs="rounded")
    assert limit <= rational(found.rho) <= limit + fmpq(1, 10**14)
    assert certificate(view, "mixing_rho", steps=1, inputs="rounded").value_error < 2e-12  # mdp.mixing rounds by 1e-12
    assert holds(found, point.exact())
    # negative control: a rate a hair below 7/15 fails in the limit, with its constant
    assert not rational(float(np.nextafter(found.rho, 0)) - 1e-14) >= limit
    assert not holds(replace(found, rho=found.rho * 0.9, kappa=found.kappa), point.exact())
    several = certified_mixing(view, steps=3, inputs="rounded")
    assert holds(several, point.exact())
    assert rational(several.rho) ** 3 >= limit**3
    assert rational(several.kappa) * rational(several.rho) ** 2 >= 1


def test_a_chain_that_hardly_mixes() -> None:
    """Coupling 1e-12: a bound exists, close to one, and is proved; doeblin needs a common column."""
    for seed in range(4):
        point = nearly_decomposable_point(np.random.default_rng(seed))
        found = certified_mixing(point.to_floats(), method="spectral", inputs="rounded")
        assert 1 - 1e-9 < found.rho < 1
        assert holds(found, point.exact())


def test_no_bound_survives() -> None:
    view = exact(ring3(), np.zeros((3, 2)))
    kernel = np.array(view.P)
    kernel[:] = np.eye(3)[:, None, :]
    with pytest.raises(NoMixingBoundError):
        certified_mixing(Exact(
            kernel, view.r, view.initial, view.gamma, view.tables, view.scores, view.phi_state, view.phi_joint,
        ), method="uniform")  # fmt: skip
    with pytest.raises(ValueError, match="method is 'coupling'"):
        certified_mixing(view, method="coupling")


@pytest.mark.parametrize("law", ["stationary", "visitation"])
def test_step_range_contains_the_closed_form(law: str) -> None:
    """One feature: ``beta_max = -2 A / E[A_t^2]``, exactly."""
    checked = 0
    for _, point in rational_problems(8, seed=60):
        twin, view = point.exact(), point.to_floats()
        if point.phi_state.shape[1] != 1:
            continue
        weights, f = twin.law(law), point.phi_state[:, 0]  # type: ignore[arg-type]
        step = f[:, None] * (twin.gamma * f[None, :] - f[:, None])
        pairs = weights[:, None] * twin.P_pi
        limit = -2 * (pairs * step).sum() / (pairs * step * step).sum()
        if limit <= 0:
            continue
        found = certified_step_range(view, law, inputs="rounded")  # type: ignore[arg-type]
        assert rational(found.low) < limit < rational(found.high)
        assert found.high / found.low < 1 + 1e-6
        assert found.certified
        checked += 1
    assert checked >= 2


def test_step_range_of_several_features_and_of_none() -> None:
    view = exact(ring3_nonrealisable(), np.zeros((3, 2)))
    found = certified_step_range(view)
    assert found.certified
    assert found.low < found.beta_max < found.high
    point, _ = off_policy_counterexample()
    assert certified_step_range(point.to_floats(), "stationary").certified


def test_smoothness_constants_against_rationals() -> None:
    """Log-linear: C1^2 and C2 are rational, and so are the squares of what follows."""
    problem = ring3()
    found = certify_smoothness(problem)
    psi = [rational_array(t) for t in problem.policy.psi]  # type: ignore[attr-defined]
    square = max(((x - y) ** 2).sum() for table in psi for state in table for x in state for y in state)
    r_bar = rational_array(problem.mdp.r).sum(axis=0) / problem.mdp.n_agents
    span, gamma = max(r_bar.ravel()) - min(r_bar.ravel()), rational(problem.mdp.gamma)
    smooth = span * (square / 2 / (1 - gamma) ** 2 / 2 + gamma * square / 4 / (1 - gamma) ** 3)
    lipschitz_squared = span**2 * square / 4 / (1 - gamma) ** 4 / 4
    top = found.outward
    assert square / 4 <= rational(top.constants.first) ** 2 <= square / 4 * (1 + fmpq(1, 10**14))
    assert square / 2 <= rational(top.constants.second) <= square / 2 * (1 + fmpq(1, 10**14))
    assert smooth <= rational(top.smooth) <= smooth * (1 + fmpq(1, 10**14))
    assert lipschitz_squared <= rational(top.lipschitz) ** 2 <= lipschitz_squared * (1 + fmpq(1, 10**14))
    assert span <= rational(top.reward_span)
    # negative control: a few floats lower and it bounds nothing
    assert not smooth <= rational(top.smooth * (1 - 1e-15))
    for proof in (found.first, found.second, found.lipschitz, found.smooth):
        assert proof.relative_error < 1e-14


@pytest.mark.parametrize("name", ["reduced", "circular", "circular-scaled"])
def test_smoothness_constants_of_other_classes(name: str) -> None:
    problem, n_actions = ring3(), (3, 3, 3)
    policy, _ = policy_and_theta(name, n_agents=3)
    rng = np.random.default_rng(1)
    mdp = FiniteMDP(rng.dirichlet(np.ones(3), (3, 27)), rng.normal(size=(3, 3, 27)), np.full(3, 1 / 3), 0.9, n_actions)
    found = certify_smoothness(Problem(mdp, policy, Features.tabular(3, 27), problem.schedule))
    for proof in (found.first, found.second, found.lipschitz, found.smooth):
        assert proof.relative_error < 1e-13
        assert proof.low <= proof.high
    if isinstance(policy, ReducedSoftmaxPolicy):  # delta^2 = 2
        assert rational(found.outward.constants.first) ** 2 >= fmpq(1, 2) > rational(float(found.first.low)) ** 2
        assert found.outward.constants.second >= 1 >= found.second.low
    if isinstance(policy, CircularPolicy):  # the largest information over a fine grid of angles is attained
        angles = np.linspace(0, 2 * np.pi, 100_000)
        x = angles[:, None] - 2 * np.pi * np.arange(3) / 3
        c = policy.radius
        information = (c**2 * np.sin(x) ** 2 / (1 + c * np.cos(x))).mean(axis=1).max()
        length = policy.scale * max(np.linalg.norm(f, axis=1).max() for f in policy.features)
        assert float(found.first.high) == pytest.approx(np.sqrt(information) * length, rel=1e-8)
        assert float(found.first.high) >= np.sqrt(information) * length * (1 - 1e-14)


def test_a_class_without_constants() -> None:
    problem = ring3()
    policy, _ = NeuralPolicy.draw(3, problem.mdp.n_actions, width=2, depth=1, seed=0)
    with pytest.raises(TypeError, match="NeuralPolicy has no known bounds"):
        certify_smoothness(Problem(problem.mdp, policy, problem.features, problem.schedule))
