"""The table of assumptions: what it says, the bounds it quotes, and that every check can fail."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from math import comb

import numpy as np
import pytest
from typer.testing import CliRunner

from mdp import INSTANCES, FiniteMDP, LogLinearPolicy, Problem, exact, full_average, ring3
from mdp.compatible import eps_bias
from mdp.features import Features
from mdp.fisher import fisher
from mdp.instances import absorbing_trap, garnet, periodic_trap, random_walk, xor_team
from mdp.mixing import tv_decay
from mdp.networks.schedule import Schedule
from mdp.optimal import J_star
from mdp.policies import NeuralPolicy
from mdp.policy import Policy, softmax_score
from verify.assumptions import ANY, CLASSES, POLICY_CHECKS, PROBLEM_CHECKS, assumption_table, policy_classes
from verify.assumptions.classes import CIRCULAR, NEURAL, OWN_CLASS, REDUCED, TABULAR, policy_on
from verify.assumptions.critic import Critic, everywhere, interpolation
from verify.assumptions.mixing import bad_limit, chain_of_every_policy, mixing_for_every_theta, restart_mixing
from verify.assumptions.neural import EPSILON, gradient_growth, kink, live_unit, logit_gap
from verify.assumptions.objective import basis_constant, compatible_error, largest_error, lipschitz_objective
from verify.assumptions.scores import (
    differentiable,
    fisher_floor,
    lipschitz_score,
    score_at_most_one,
    score_bound,
    support,
)
from verify.assumptions.search import Setting, least_visitation, score_norm
from verify.assumptions.setting import (
    bounded_reward,
    connectivity,
    feature_tables,
    fixed_weights,
    nonnegative_reward,
    weights,
)
from verify.cli import app

FISHER = "zhang2025 Assumption 5.5, Fisher at least mu_f I"
SWAP = np.array([[0.0, 1.0], [1.0, 0.0]])


def on(problem: Problem, policy: Policy, draws: int = 3) -> Setting:
    return Setting(replace(problem, policy=policy), draws=draws)


@dataclass(frozen=True, eq=False)
class QuarticPolicy:
    """One state, three actions, logits (-t^4, sin t, 0): smooth in t, and nothing about it is bounded."""

    n_states: int = 1
    n_actions: tuple[int, ...] = (3,)
    n_shared: int = 0
    n_parameters: int = 1

    def probabilities(self, theta: np.ndarray) -> list[np.ndarray]:
        t = float(theta[0, 0])
        weights = np.exp(np.array([[-(t**4), np.sin(t), 0.0]]))
        return [weights / weights.sum()]

    def log_jacobian(self, theta: np.ndarray) -> list[np.ndarray]:
        t = float(theta[0, 0])
        return [softmax_score(np.array([[[-4 * t**3], [np.cos(t)], [0.0]]]), self.probabilities(theta)[0])]


def bandit() -> Problem:
    """One state, one agent, three actions; the first is the best one."""
    mdp = FiniteMDP(np.ones((1, 3, 1)), np.array([[[1.0, 0.5, 0.0]]]), np.ones(1), 0.5, (3,), name="bandit")
    return Problem(mdp, LogLinearPolicy.tabular(1, (3,)), Features.tabular(1, 3), Schedule.static(np.ones((1, 1))))


# --- the table ----------------------------------------------------------------------------------------------------
def test_only_the_circular_class_meets_every_assumption_on_ring3() -> None:
    rows = assumption_table(draws=3)
    classes = policy_classes(ring3().mdp)
    assert tuple(classes) == CLASSES
    assert len(rows) == len(PROBLEM_CHECKS) + len(POLICY_CHECKS) * len(classes)
    complete = {name for name in classes if all(r.met == "yes" for r in rows if r.policy_class == name)}
    assert complete == {CIRCULAR}
    assert {r.policy_class for r in rows if r.assumption == FISHER and r.met == "no"} == set(classes) - {CIRCULAR}
    assert {r.assumption for r in rows if r.policy_class == ANY and r.met == "no"} == {
        "zhang2025 Assumption 5.1 (one fixed matrix)", "zhang2025 Assumption 5.3 (reward in [0, r_max])",
        "zhang2025 Assumption 5.8 (critic Lipschitz, any W)",
    }


@pytest.mark.parametrize(("name", "witness"), [
    ("periodic-trap", r"period 3: cyclic classes {0}, {1}, {2}"),
    ("absorbing-trap", r"communicating classes {2}, {0, 1}, of which closed {2}"),
    ("random-walk", "of which closed {0}, {6}"),
])
def test_traps_are_violated_with_their_witness(name: str, witness: str) -> None:
    done = CliRunner().invoke(app, ["assumptions", "--instance", name, "--json"])
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)["rows"]
    chain = next(r for r in rows if r["assumption"] == "zhang2025 Assumption 5.2 (chain, original kernel)")
    assert (chain["met"], witness in chain["constant"]) == ("no", True), chain
    mixing = [r for r in rows if "uniform mixing" in r["assumption"] and r["met"] != "does not apply"]
    assert mixing
    assert all(r["met"] == "no" and witness in r["constant"] for r in mixing)
    assert {r["instance"] for r in rows} == {name}


def test_restarting_mends_the_chain_only_if_every_state_is_reached() -> None:
    assert chain_of_every_policy(absorbing_trap().mdp, restart=True).met == "yes"
    mdp = absorbing_trap().mdp
    from_trap = FiniteMDP(mdp.P, mdp.r, np.array([0.0, 0.0, 1.0]), mdp.gamma, mdp.n_actions)
    assert chain_of_every_policy(from_trap, restart=True).met == "no"
    assert restart_mixing(from_trap).value == pytest.approx(mdp.gamma, abs=1e-10)


def test_cli_prints_and_refuses() -> None:
    run = CliRunner().invoke
    done = run(app, ["assumptions", "--instance", "xor"])
    assert done.exit_code == 0
    assert "does not apply" in done.output
    unknown = run(app, ["assumptions", "--instance", "nowhere"])
    assert unknown.exit_code == 2
    assert "no instance 'nowhere'" in " ".join(unknown.output.split())


@pytest.mark.slow
def test_every_instance_has_a_table() -> None:
    done = CliRunner().invoke(app, ["assumptions", "--all", "--json"])
    rows = json.loads(done.stdout)["rows"]
    assert {r["instance"] for r in rows} == set(INSTANCES)
    assert len(rows) == len(INSTANCES) * (len(PROBLEM_CHECKS) + len(POLICY_CHECKS) * len(CLASSES))
    assert all(r["constant"] for r in rows)
    assert CliRunner().invoke(app, ["assumptions", "--all"]).exit_code == 0


# --- each check fails where it should ---------------------------------------------------------------------------
def test_problem_checks_can_fail() -> None:
    split, swap = np.eye(2)[None], np.stack([np.eye(2), SWAP])
    assert connectivity(split).met == "no"
    assert "{0}, {1}" in connectivity(split).constant
    lazy = np.stack([full_average(2), np.eye(2), np.eye(2)])
    assert connectivity(lazy).value == 3
    assert connectivity(full_average(2)[None]).value == 1
    assert weights(swap).met == "no"
    assert weights(np.array([[[0.5, 0.5], [0.6, 0.4]]])).met == "no"
    assert fixed_weights(lazy).met == "no"
    assert fixed_weights(full_average(3)[None]).value == pytest.approx(1 / 3)
    mdp = ring3().mdp
    assert nonnegative_reward(mdp).met == "no"
    assert nonnegative_reward(replace(mdp, r=mdp.r - mdp.r.min())).value == pytest.approx(np.ptp(mdp.r))
    assert bounded_reward(mdp).value == pytest.approx(np.abs(mdp.r).max())
    assert bounded_reward(replace(mdp, reward_noise="gumbel")).met == "no"
    assert feature_tables(np.eye(2), np.full((2, 1, 1), 0.5)).met == "yes"
    assert feature_tables(2 * np.eye(2), np.ones((2, 1, 1))).met == "no"
    assert "rank 1" in feature_tables(np.full((2, 2), 0.5), np.ones((2, 1, 1))).constant


def test_policy_checks_do_not_believe_an_unknown_class() -> None:
    """Scores of the quartic class grow, its probabilities vanish, its transferred error has no bound."""
    setting = on(bandit(), QuarticPolicy(), draws=20)
    for check in (support, differentiable, lipschitz_score, score_at_most_one, fisher_floor, compatible_error,
                  lipschitz_objective):  # fmt: skip
        assert check(setting).met != "yes", check.__name__
    assert score_at_most_one(setting).met == "no"
    best = J_star(setting.mdp).occupancy
    errors = [float(eps_bias(exact(setting.problem, np.array([[t]])), best)) for t in (1.0, 1.6, 2.1)]
    assert errors[0] < errors[1] < errors[2]
    assert errors[2] > 30 * errors[0]


def test_softmax_loses_uniform_mixing_where_a_limit_policy_does() -> None:
    """Two states; action 0 stays, the others move: 'always 0' has two closed classes; the circle never gets there."""
    base = bandit()
    P = np.zeros((2, 3, 2))
    P[:, 0] = np.eye(2)
    P[:, 1] = P[:, 2] = SWAP
    mdp = FiniteMDP(P, np.zeros((1, 2, 3)), np.array([1.0, 0.0]), 0.5, (3,), name="stay or move")
    problem = replace(base, mdp=mdp, policy=LogLinearPolicy.tabular(2, (3,)), features=Features.tabular(2, 3))
    names = (TABULAR, REDUCED, CIRCULAR)
    found = {name: mixing_for_every_theta(on(problem, policy_on(name, problem))) for name in names}
    assert (found[TABULAR].met, found[REDUCED].met, found[CIRCULAR].met) == ("no", "no", "yes")
    assert "2 closed classes: {0}, {1}" in found[TABULAR].constant
    witness = LogLinearPolicy.tabular(2, (3,))
    for t, least in ((5.0, 0.9), (10.0, 0.999)):  # the second eigenvalue does tend to one along that ray
        theta = t * np.tile([1.0, -0.5, -0.5], 2)[None]
        assert abs(np.sort(np.linalg.eigvals(exact(replace(problem, policy=witness), theta).P_pi).real)[0]) > least
    rng, rate = np.random.default_rng(0), found[CIRCULAR].value
    assert rate is not None
    circular = replace(problem, policy=policy_on(CIRCULAR, problem))
    for _ in range(10):
        distance, _ = tv_decay(exact(circular, 9 * rng.normal(size=(1, 2))).P_pi, 20)
        assert (distance <= rate ** (np.arange(21) - 1) + 1e-12).all()
    assert bad_limit(on(ring3(), ring3().policy)) is None


# --- the bounds hold, and are not idle ---------------------------------------------------------------------------
@pytest.mark.parametrize("seed", range(3))
def test_circular_bounds_hold_on_random_thetas(seed: int) -> None:
    rng, problem = np.random.default_rng(seed), replace(ring3(), policy=policy_on(CIRCULAR, ring3()))
    bound = fisher_floor(Setting(problem)).value
    assert bound is not None
    for _ in range(20):
        theta = 10 * rng.normal(size=(3, problem.policy.n_parameters))
        view = exact(problem, theta)
        assert view.visitation.min() >= least_visitation(problem.mdp, 0.125).min() - 1e-12
        least = np.linalg.eigvalsh(fisher(view))[0]
        assert least >= bound
        assert least <= 60 * bound  # the bound is not idle
        assert score_norm(problem.policy, theta) <= 1 + 1e-12


def test_least_visitation_is_attained_by_some_deterministic_policy() -> None:
    """Enumerate constant joint actions per state: none visits a state less, and the least is reached."""
    mdp, least = ring3().mdp, np.inf
    extremes = [0, mdp.n_joint_actions - 1]  # all push back, all push forward: the extreme kernels of ring3
    for choice in np.ndindex(2, 2, 2):
        P = np.stack([mdp.P[s, extremes[c]] for s, c in enumerate(choice)])
        d = np.linalg.solve((np.eye(3) - mdp.gamma * P).T, (1 - mdp.gamma) * mdp.initial)
        least = min(least, d.min())
    assert least == pytest.approx(least_visitation(mdp).min(), abs=1e-12)
    assert least_visitation(mdp, 1.0) == pytest.approx(exact(ring3(), np.zeros((3, 2))).visitation, abs=1e-12)
    with pytest.raises(ValueError, match=r"common is 1\.5"):
        least_visitation(mdp, 1.5)


@pytest.mark.parametrize("seed", range(4))
def test_log_linear_score_bound_is_the_supremum(seed: int) -> None:
    """Never exceeded, and approached where the farthest features' owner is certain."""
    rng = np.random.default_rng(seed)
    policy = LogLinearPolicy((rng.normal(size=(1, 4, 3)),))
    bound = score_bound(policy)
    assert bound is not None
    thetas = [spread * rng.normal(size=(1, 3)) for spread in (1, 10, 100) for _ in range(50)]
    assert max(score_norm(policy, theta) for theta in thetas) <= bound
    psi = policy.psi[0][0]
    k, _ = np.unravel_index(np.linalg.norm(psi[:, None] - psi, axis=-1).argmax(), (4, 4))
    others = np.delete(psi, k, axis=0)
    ray = psi[k] - others[np.linalg.norm(others - psi[k], axis=1).argmax()]
    assert score_norm(policy, 1e3 * ray[None]) > (1 - 1e-9) * bound


@pytest.mark.parametrize("seed", range(4))
def test_predictions_of_weighted_fits_stay_below_the_basis_constant(seed: int) -> None:
    """Random weights over 16 decades never beat it; weights on the worst basis reach it; 0.9 of it is beaten."""
    rng = np.random.default_rng(seed)
    S, A, D = 2, 3, 1
    psi = rng.normal(size=(S, A, D))
    constant = basis_constant(psi)
    X = np.concatenate([np.repeat(np.eye(S), A, axis=0), psi.reshape(S * A, D)], axis=1)
    largest = 0.0
    for _ in range(3000):
        root = 10.0 ** rng.uniform(-4, 4, size=(S * A, 1))
        hat = X @ np.linalg.pinv(root * X) * root.T
        largest = max(largest, float(np.abs(hat).sum(axis=1).max()))
    assert largest <= constant * (1 + 1e-6)
    assert largest > 0.9 * constant
    assert basis_constant(np.eye(6).reshape(2, 3, 6)) == 1.0
    assert comb(60, 33) > 20_000
    assert basis_constant(rng.normal(size=(30, 2, 3))) == np.inf


@pytest.mark.parametrize("name", [OWN_CLASS, TABULAR, REDUCED, CIRCULAR])
@pytest.mark.parametrize("build", [ring3, lambda: INSTANCES["coordination"](2)], ids=["ring3", "coordination"])
def test_compatible_errors_stay_below_their_bound(name: str, build: object) -> None:
    problem = build()  # type: ignore[operator]
    setting = on(problem, policy_on(name, problem))
    found, seen = compatible_error(setting), largest_error(setting)
    assert found.met == "yes"
    assert found.value is not None
    assert seen is not None
    assert 0 <= seen <= found.value


# --- the neural class -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("seed", range(3))
def test_neural_kinks_are_real(depth: int, seed: int) -> None:
    policy, _ = NeuralPolicy.draw(3, (3, 2), width=4, depth=depth, seed=seed)
    found = kink(policy)
    assert found is not None
    assert found.change > 1e5 * found.distance
    live, dead = (policy.probabilities(live_unit(policy, sign=sign)) for sign in (1.0, -1.0))
    assert max(np.abs(a - b).max() for a, b in zip(live, dead, strict=True)) < 1e3 * EPSILON  # pi itself is continuous


@pytest.mark.parametrize("depth", [2, 3])
def test_neural_gradients_grow_and_their_differences_agree(depth: int) -> None:
    """The gradient is that of J: a step along it, on the live side, changes J by its square."""
    policy, _ = NeuralPolicy.draw(3, (3, 3, 3), width=4, depth=depth, seed=0, logit_scale=0.35)
    problem = replace(ring3(), policy=policy)
    norms = gradient_growth(problem)
    assert norms is not None
    assert norms[2] == pytest.approx(100 * norms[0], rel=1e-3)
    theta = live_unit(policy, scale=10.0)
    gradient = exact(problem, theta).grad_J
    step = EPSILON / 1e3 / np.abs(gradient).max()
    change = (exact(problem, theta + step * gradient).J - exact(problem, theta - step * gradient).J) / (2 * step)
    assert change == pytest.approx((gradient**2).sum(), rel=1e-2)


@pytest.mark.parametrize("head", ["per-action", "action-input"])
def test_neural_scores_are_bounded_at_depth_one(head: str) -> None:
    policy, theta = NeuralPolicy.draw(3, (3, 3), width=4, depth=1, seed=2, head=head)  # type: ignore[arg-type]
    bound, rng = score_bound(policy), np.random.default_rng(0)
    assert bound is not None
    seen = max(score_norm(policy, spread * rng.normal(size=theta.shape)) for spread in (0.1, 1, 10) for _ in range(60))
    assert bound / 6 < seen <= bound
    deep = replace(policy, depth=2)
    assert score_bound(deep) is None
    with pytest.raises(ValueError, match="depth 2"):
        logit_gap(deep)
    assert lipschitz_objective(on(ring3(), policy_classes(ring3().mdp)[NEURAL[1]])).met == "yes"


# --- the critic -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("depth", "radius"), [(1, 1.0), (2, 0.5), (2, 3.0), (3, 1.0)])
def test_critic_constants_hold_in_the_ball(depth: int, radius: float) -> None:
    critic, rng = Critic.draw(xor_team().mdp, 1, depth=depth, width=5), np.random.default_rng(2)
    steepest, largest = 0.0, 0.0
    for _ in range(200):
        step = rng.normal(size=(depth, 25))
        W = critic.W + (radius * step / np.linalg.norm(step, axis=1, keepdims=True)).reshape(1, -1)
        steepest = max(steepest, float(np.linalg.norm(critic.gradient(W), axis=1).max()))
        largest = max(largest, float(np.abs(critic.values(W)).max()))
    assert critic.lipschitz(radius) / 30 < steepest <= critic.lipschitz(radius)
    assert largest <= critic.largest(radius)
    outside = 100 * critic.W  # far outside the ball its constants mean nothing
    assert depth == 1 or np.linalg.norm(critic.gradient(outside), axis=1).max() > critic.lipschitz(radius)
    assert everywhere(critic).met == ("yes" if depth == 1 else "no")


def test_critic_values_and_interpolation() -> None:
    """Values against the formula of Eq. (5) written out; a target the linearised critic meets exactly."""
    critic = Critic.draw(xor_team().mdp, 3)
    net, m = critic.network, critic.network.width
    x = net.H[0] @ net.inputs[0].reshape(-1, 4).T
    for W in critic.W.reshape(-1, m, m):
        x = np.maximum(W @ x, 0) / np.sqrt(m)
    assert critic.values(critic.W) == pytest.approx((net.b[0] @ x)[0], abs=1e-12)
    found = interpolation(critic, critic.values(critic.W) + 1e-6)
    assert found is not None
    assert found[0] < 1e-5
    assert found[1] < 1e-6
    thin = Critic.draw(garnet(n_states=4, n_agents=2).mdp, 0, depth=1, width=2)
    assert interpolation(thin, np.arange(16.0)) is None


def test_classes_that_cannot_be_built_say_why() -> None:
    assert "three actions" in str(policy_on(CIRCULAR, xor_team()))
    assert "single action" in str(policy_on(TABULAR, random_walk()))
    assert policy_on(OWN_CLASS, periodic_trap()) is not None
    with pytest.raises(KeyError, match="no policy class 'other'"):
        policy_on("other", ring3())
