r"""Assumptions on the objective: transferred compatible error and Lipschitz J.

*Compatible error of log-linear classes is bounded for every theta.* Given the state the agents are independent, so the
least-squares fit of the advantage by the joint score is the sum over agents of the fits of
``b_i(s, a_i) = E[Adv | s, a_i]`` by ``psi_i(s, a_i) . w + c(s)`` with free intercepts c(s), under the weights
``d(s) pi_i(a_i|s) > 0``. The matrix X_i of that fit (indicators of states beside the features) does not depend on
theta. A weighted least-squares solution is a convex combination of basic solutions ``X_I^{-1} b_I`` over the row sets
I that are bases (Ben-Tal and Teboulle 1990; bounded, as Stewart 1989 and Todd 1990 show), so a prediction is at most
``kappa_i max |b_i|`` with ``kappa_i = max_{j, I} |x_j X_I^{-1}|_1``, whatever the weights. With R the span of the team
reward ``|Adv| <= R / (1 - gamma)``, hence ``eps_bias <= (R / (1 - gamma))^2 (1 + sum_i kappa_i)^2``. For tabular
features kappa_i = 1: the fit is b_i itself. (States that no policy reaches have weight zero in the fit, and no weight
under the optimal policy either.)

*Classes with a Fisher bound.* The fit is ``w = F^{-1} E[score Adv]`` and ``|F^{-1/2} E[score Adv]|^2 <= E Adv^2``, so
with scores at most B and F at least mu_f, ``eps_bias <= (R / (1 - gamma))^2 (1 + B / sqrt(mu_f))^2``.
"""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
from jaxtyping import Float

from mdp.compatible import eps_bias
from mdp.optimal import J_star
from mdp.policies import CircularPolicy, NeuralPolicy, ReducedSoftmaxPolicy
from mdp.policy import LogLinearPolicy
from mdp.smoothness import PolicyConstants, policy_constants, smoothness
from verify.assumptions.neural import gradient_growth
from verify.assumptions.rows import Finding
from verify.assumptions.scores import fisher_floor, score_bound
from verify.assumptions.search import Setting

MOST_BASES = 20_000
"""Row sets that are enumerated for kappa_i; ours: a second. Beyond, the bound is known to exist and not computed."""

LEAST_PROBABILITY = 1e-10
"""Least joint probability at which a fit is trusted; ours: its weights are square roots, rounding is 1e-16."""


def compatible_error(setting: Setting) -> Finding:
    """zhang2025 Assumption 5.6: one bound on the compatible error, transferred to an optimal policy, for all theta.

    Args:
        setting: the problem and the search.
    """
    seen = largest_error(setting)
    shown = "not searched" if seen is None else f"{seen:.3g} seen"
    factor = transfer_factor(setting)
    if factor is None:
        return Finding("not proven", f"eps_bias: {shown}; no bound for all theta is known")
    if not np.isfinite(factor):
        return Finding("yes", f"eps_bias is bounded for all theta (constant not enumerated); {shown}")
    largest = float(np.ptp(setting.mdp.r_bar)) / (1 - setting.mdp.gamma)
    bound = (largest * (1 + factor)) ** 2
    return Finding("yes", f"eps_bias <= {bound:.3g} for every theta; {shown}", bound)


def largest_error(setting: Setting) -> float | None:
    """Largest compatible error seen, at thetas whose policies are not too near the boundary.

    Args:
        setting: the problem and the search.

    Returns:
        The value; None if there was no theta to look at.
    """
    if not setting.views:
        return None
    best = J_star(setting.mdp)
    inside = [view for view in setting.views if view.pi.min() >= LEAST_PROBABILITY]
    return max((float(eps_bias(view, best.occupancy)) for view in inside), default=None)


def transfer_factor(setting: Setting) -> float | None:
    """Largest prediction of the advantage, over its largest entry: infinite if finite but not computed.

    Args:
        setting: the problem and the search.

    Returns:
        ``sum_i kappa_i``, ``B / sqrt(mu_f)``, or None where nothing is proven.
    """
    policy = setting.problem.policy
    if isinstance(policy, LogLinearPolicy | ReducedSoftmaxPolicy):
        return float(sum(basis_constant(psi) for psi in policy.psi))
    if isinstance(policy, CircularPolicy):
        least, bound = fisher_floor(setting).value, score_bound(policy)
        return None if not least or bound is None else bound / float(np.sqrt(least))
    return None


def basis_constant(psi: Float[np.ndarray, "S A D"]) -> float:
    """``max_{j, I} |x_j X_I^{-1}|_1`` of one agent's fit; infinite when there are too many bases to enumerate.

    Args:
        psi: the agent's features, (S, A_i, D).
    """
    S, A, D = psi.shape
    rows = np.concatenate([np.repeat(np.eye(S), A, axis=0), psi.reshape(S * A, D)], axis=1)
    left, values, _ = np.linalg.svd(rows, full_matrices=False)
    rank = int((values > values[0] * max(rows.shape) * np.finfo(float).eps).sum())
    if rank == S * A:
        return 1.0  # every function of (s, a_i) is fitted exactly
    if comb(S * A, rank) > MOST_BASES:
        return float("inf")
    X = left[:, :rank]  # x_j X_I^{-1} does not change with the basis of the columns
    sets = np.array(list(combinations(range(S * A), rank)))
    blocks = X[sets]
    regular = np.abs(np.linalg.det(blocks)) > 1e-12 * np.abs(np.linalg.det(blocks)).max()
    predictions = X[None] @ np.linalg.inv(blocks[regular])
    return float(np.abs(predictions).sum(axis=2).max())


def lipschitz_objective(setting: Setting) -> Finding:
    """zhang2025 Assumption 5.8, first part: J is Lipschitz; the descent lemma needs smoothness instead.

    Args:
        setting: the problem and the search.
    """
    policy = setting.problem.policy
    if isinstance(policy, NeuralPolicy):
        return _neural_objective(setting)
    try:
        J = smoothness(setting.mdp, policy_constants(policy))
    except TypeError:
        seen = [float(np.linalg.norm(view.grad_J)) for view in setting.views]
        return Finding("not proven", f"gradient norm {max(seen):.3g} seen" if seen else "not searched")
    return Finding("yes", f"L_J = {J.lipschitz:.4g}; the descent lemma needs the smoothness instead, {J.smooth:.4g}",
                   J.lipschitz)  # fmt: skip


def _neural_objective(setting: Setting) -> Finding:
    seen = gradient_growth(setting.problem)
    if seen is not None:
        return Finding("no", f"|grad J| = {seen[0]:.3g}, {seen[1]:.3g}, {seen[2]:.3g} at W_1 times 1, 10, 100")
    bound = score_bound(setting.problem.policy)
    if bound is None:
        return Finding("not proven", "no growth of the gradient found")
    # piecewise smooth and continuous: the bound on the gradient where it exists is a Lipschitz constant
    J = smoothness(setting.mdp, PolicyConstants(bound, 0.0, "score bound"))
    return Finding("yes", f"L_J = {J.lipschitz:.4g}; not smooth (kinks), as the descent lemma needs", J.lipschitz)
