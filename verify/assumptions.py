"""Which policy class meets which assumption of the papers, with constants, on one MDP.

Bounds that hold for every theta come from the classes' own proofs (`mdp.policies`, `mdp.smoothness`, `mdp.mixing`);
where there is none, a search over theta reports the worst value seen, and a null direction of the Fisher information
is exhibited where the class has one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mdp.compatible import eps_bias
from mdp.exact import exact
from mdp.fisher import fisher
from mdp.instances import ring3, ring3_mdp
from mdp.mixing import NoMixingBoundError, uniform_mixing
from mdp.model import FiniteMDP
from mdp.optimal import J_star
from mdp.policies import CircularPolicy, NeuralPolicy, ReducedSoftmaxPolicy
from mdp.policy import LogLinearPolicy, Policy
from mdp.problem import Problem
from mdp.smoothness import policy_constants, smoothness

SPREADS = (0.3, 1.0, 3.0, 10.0)
"""Standard deviations of theta in the searches; ours: from nearly uniform to nearly deterministic policies."""

SINGULAR = 1e-12
"""Least eigenvalue of a Fisher information, relative to its largest, that counts as zero; ours, rounding is 1e-15."""


@dataclass(frozen=True)
class AssumptionRow:
    """One assumption on one policy class.

    Attributes:
        policy_class: name of the class.
        assumption: paper and number.
        met: ``yes`` (proven for every theta), ``no`` (a theta or a direction contradicts it), or ``not proven``.
        constant: the constant, or what contradicts it.
    """

    policy_class: str
    assumption: str
    met: str
    constant: str


def policy_classes(mdp: FiniteMDP, seed: int = 0) -> dict[str, Policy]:
    """The bundled classes on an MDP whose agents have three or more, equally many, actions.

    Args:
        mdp: the MDP.
        seed: of the neural class's fixed layers.
    """
    S, n_actions = mdp.n_states, mdp.n_actions
    neural, _ = NeuralPolicy.draw(S, n_actions, width=4, depth=2, seed=seed, logit_scale=1 / np.sqrt(8))
    return {
        "tabular softmax": LogLinearPolicy.tabular(S, n_actions),
        "log-linear (ring3)": ring3().policy,
        "reduced softmax": ReducedSoftmaxPolicy(S, n_actions),
        "circular": CircularPolicy.tabular(S, n_actions).normalised(),
        "neural, D = 2, m = 4": neural,
    }


def assumption_table(draws: int = 40, seed: int = 0) -> list[AssumptionRow]:
    """Every class against every assumption, on the MDP of ring3.

    Args:
        draws: thetas per class and spread in the searches.
        seed: of the searches.

    Returns:
        Rows grouped by assumption.
    """
    mdp = ring3_mdp()
    classes = policy_classes(mdp, seed)
    rows: list[AssumptionRow] = []
    for assumption, check in CHECKS.items():
        for name, policy in classes.items():
            problem = Problem(mdp, policy, ring3().features, ring3().schedule)
            met, constant = check(problem, np.random.default_rng(seed), draws)
            rows.append(AssumptionRow(name, assumption, met, constant))
    return rows


def _full_support(problem: Problem, rng: np.random.Generator, draws: int) -> tuple[str, str]:
    policy = problem.policy
    if isinstance(policy, CircularPolicy):
        return "yes", f"pi >= {policy.min_probability:.4g} for every theta"
    least = min(float(t.min()) for theta in _thetas(problem, rng, draws) for t in policy.probabilities(theta))
    return "yes", f"pi > 0 (softmax), not uniformly: {least:.2g} seen"


def _mixing(problem: Problem, rng: np.random.Generator, draws: int) -> tuple[str, str]:
    try:
        mixing = uniform_mixing(problem.mdp.P)
    except NoMixingBoundError as error:
        return "not proven", str(error)
    return "yes", f"kappa = {mixing.kappa:.4g}, rho = {mixing.rho:.4g} for every policy (minorisation)"


def _lipschitz(problem: Problem, rng: np.random.Generator, draws: int) -> tuple[str, str]:
    try:
        constants = policy_constants(problem.policy)
    except TypeError:
        worst = max(_score_norm(problem, theta) for theta in _thetas(problem, rng, draws))
        return "not proven", f"score norm {worst:.3g} seen; ReLU kinks, so no Lipschitz score"
    J = smoothness(problem.mdp, constants)
    return "yes", (
        f"sum |pi'| <= {constants.first:.3g}, sum |pi''| <= {constants.second:.3g}; J: {J.lipschitz:.3g}-Lipschitz, "
        f"{J.smooth:.3g}-smooth"
    )


def _score_at_most_one(problem: Problem, rng: np.random.Generator, draws: int) -> tuple[str, str]:
    policy = problem.policy
    if isinstance(policy, CircularPolicy):
        return "yes", f"joint score norm at most {policy.score_bound():.4g} for every theta"
    worst = max(_score_norm(problem, theta) for theta in _thetas(problem, rng, draws))
    return ("no" if worst > 1 else "not proven"), f"joint score norm {worst:.4g} seen"


def _fisher_floor(problem: Problem, rng: np.random.Generator, draws: int) -> tuple[str, str]:
    policy, mdp = problem.policy, problem.mdp
    if isinstance(policy, CircularPolicy):
        # d(s) >= (1 - gamma) initial(s) is zero off the start, so bound the visitation over all policies instead
        floor = _least_visitation(mdp)
        bound = policy.fisher_bound(floor)
        return "yes", f"mu_f >= {bound:.3g}, from d(s) >= {floor:.3g} for every policy"
    least, singular = np.inf, False
    for theta in _thetas(problem, rng, draws):
        eigenvalues = np.linalg.eigvalsh(fisher(exact(problem, theta)))
        least = min(least, float(eigenvalues[0]))
        singular = singular or eigenvalues[0] <= SINGULAR * eigenvalues[-1]
    if singular and np.linalg.eigvalsh(fisher(exact(problem, _theta(problem, rng, 0.3))))[0] <= SINGULAR:
        return "no", "singular already near the uniform policy: an idle direction"
    return "no", f"positive, but tends to 0 with deterministic policies: {max(least, 0):.2g} seen"


def _compatible(problem: Problem, rng: np.random.Generator, draws: int) -> tuple[str, str]:
    """A Fisher information bounded below and bounded scores bound the error; without the former nothing does.

    The fitted advantage is accurate under the policy itself and is asked for under the optimal policy, where actions
    that the policy has given up may weigh.
    """
    best = J_star(problem.mdp)
    worst = max(float(eps_bias(exact(problem, t), best.occupancy)) for t in _thetas(problem, rng, max(1, draws // 4)))
    met = "yes" if isinstance(problem.policy, CircularPolicy) else "not proven"
    return met, f"eps_bias = {worst:.3g} seen, against an optimal policy of all policies"


def _lipschitz_J(problem: Problem, rng: np.random.Generator, draws: int) -> tuple[str, str]:
    try:
        J = smoothness(problem.mdp, policy_constants(problem.policy))
    except TypeError:
        worst = max(float(np.linalg.norm(exact(problem, t).grad_J)) for t in _thetas(problem, rng, draws))
        return "not proven", f"gradient norm {worst:.3g} seen"
    return "yes", f"L_J = {J.lipschitz:.3g}; the descent lemma needs the smoothness instead, {J.smooth:.3g}"


def _least_visitation(mdp: FiniteMDP) -> float:
    """Least visitation of any state over all policies: minimise each state's occupancy by value iteration."""
    least = np.inf
    for s in range(mdp.n_states):
        V = np.zeros(mdp.n_states)
        for _ in range(int(np.ceil(40 / (1 - mdp.gamma)))):  # gamma^k below 1e-17
            V = (np.eye(mdp.n_states)[s][:, None] + mdp.gamma * (mdp.P @ V)).min(axis=1)
        least = min(least, float((1 - mdp.gamma) * mdp.initial @ V))
    return least


def _thetas(problem: Problem, rng: np.random.Generator, draws: int) -> list[np.ndarray]:
    return [_theta(problem, rng, spread) for spread in SPREADS for _ in range(draws)]


def _theta(problem: Problem, rng: np.random.Generator, spread: float) -> np.ndarray:
    return spread * rng.normal(size=(problem.mdp.n_agents, problem.policy.n_parameters))


def _score_norm(problem: Problem, theta: np.ndarray) -> float:
    """Largest norm of the joint score over states and actions: agents' scores are orthogonal blocks."""
    squares = [(score**2).sum(axis=2).max(axis=1) for score in problem.policy.log_jacobian(theta)]
    return float(np.sqrt(np.sum(squares, axis=0).max()))


Check = Callable[[Problem, np.random.Generator, int], tuple[str, str]]

CHECKS: dict[str, Check] = {
    "zeng2022 Assumption 5 (bounded, Lipschitz score)": _lipschitz,
    "zeng2022 Assumption 6, zhang2025 Lemma 5.4 (uniform mixing)": _mixing,
    "zhang2025 Assumption 5.2 (support)": _full_support,
    "zhang2025 Assumption 5.5, score norm at most 1": _score_at_most_one,
    "zhang2025 Assumption 5.5, Fisher at least mu_f I": _fisher_floor,
    "zhang2025 Assumption 5.6 (compatible error)": _compatible,
    "zhang2025 Assumption 5.8 (J Lipschitz)": _lipschitz_J,
}
"""Checks by assumption, in paper order."""
