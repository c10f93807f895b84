r"""Assumptions on the policy and its score: support, differentiability, bounds, Lipschitz score, Fisher information.

*Log-linear classes.* With ``delta_i(s)`` the largest distance of two feature vectors of agent i in state s, the score
``psi(s, a) - E psi`` has norm below ``delta_i(s)``, and the bound is approached: the farthest pair are vertices of the
convex hull, so a ray of thetas makes one of them certain while the other is looked at. Agents have their own thetas, so
the joint bound ``max_s (sum_i delta_i(s)^2)^(1/2)`` is approached too. The score's Jacobian is minus the covariance of
the features, at most ``delta_i(s)^2 / 4`` (Popoviciu). Along a generic ray all but equal features separate, the policy
becomes deterministic up to those, and the Fisher information tends to zero: no mu_f > 0 serves every theta.

*Neural class.* Logits are homogeneous of degree D in the weights, and have kinks: see `verify.assumptions.neural`.
"""

from __future__ import annotations

import numpy as np

from mdp.fisher import fisher_blocks, log_linear_null_space
from mdp.policies import CircularPolicy, NeuralPolicy, ReducedSoftmaxPolicy
from mdp.policy import LogLinearPolicy, Policy
from verify.assumptions.neural import growth, kink, logit_gap, singular_reason
from verify.assumptions.rows import Finding
from verify.assumptions.search import Setting, least_visitation, score_norm

SINGULAR = 1e-12
"""Least eigenvalue of a Fisher information, relative to its largest, that counts as zero; ours, rounding is 1e-15."""

IDLE = "there is one policy: the score is zero and F = 0"


def support(setting: Setting) -> Finding:
    """zhang2025 Assumption 5.2, first part (printed: pi >= 0; what irreducibility needs is pi > 0).

    Args:
        setting: the problem and the search.
    """
    policy = setting.problem.policy
    if isinstance(policy, CircularPolicy):
        return Finding("yes", f"pi >= {policy.min_probability:.4g} for every theta", policy.min_probability)
    if max(policy.n_actions) == 1:
        return Finding("yes", "pi = 1: one action", 1.0)
    if not isinstance(policy, LogLinearPolicy | ReducedSoftmaxPolicy | NeuralPolicy):
        least = min((float(t.min()) for view in setting.views for t in view.tables), default=np.inf)
        met = "no" if least <= 0 else "not proven"
        return Finding(met, f"least probability {least:.2g} seen")  # type: ignore[arg-type]
    seen = [float(t.min()) for theta in setting.thetas for t in policy.probabilities(theta)]
    return Finding("yes", "pi > 0 (softmax), not uniformly" + (f": {min(seen):.2g} seen" if seen else ""))


def differentiable(setting: Setting) -> Finding:
    """zhang2025 Assumption 5.2, first part: pi is differentiable in theta.

    Args:
        setting: the problem and the search.
    """
    policy = setting.problem.policy
    if isinstance(policy, LogLinearPolicy | ReducedSoftmaxPolicy | CircularPolicy):
        return Finding("yes", "analytic in theta")
    if isinstance(policy, NeuralPolicy):
        jump = kink(policy)
        if jump is not None:
            return Finding("no", f"ReLU kink: two thetas {jump.distance:.1g} apart have scores {jump.change:.3g} apart")
    return Finding("not proven", "no kink found")


def lipschitz_score(setting: Setting) -> Finding:
    """zeng2022 Assumption 5, whose text is in an appendix not at hand: read as a bounded and Lipschitz score.

    Args:
        setting: the problem and the search.
    """
    policy = setting.problem.policy
    if isinstance(policy, NeuralPolicy):
        return _neural_score(policy)
    bound = score_bound(policy)
    if bound is None:
        return Finding("not proven", f"score norm {_largest_score(setting):.3g} seen")
    if isinstance(policy, CircularPolicy):
        lengths = [float(np.linalg.norm(f, axis=1).max()) for f in policy.features]
        jacobian = policy.radius / (1 - policy.radius) * (policy.scale * max(lengths)) ** 2
    elif isinstance(policy, LogLinearPolicy | ReducedSoftmaxPolicy):
        jacobian = float(_gaps(policy).max()) ** 2 / 4
    else:
        return Finding("not proven", f"|score| <= {bound:.4g}; no Lipschitz constant is known", bound)
    return Finding("yes", f"|score| <= {bound:.4g}, {jacobian:.4g}-Lipschitz", bound)


def score_at_most_one(setting: Setting) -> Finding:
    """zhang2025 Assumption 5.5, first part: the joint score has norm at most one.

    Args:
        setting: the problem and the search.
    """
    policy = setting.problem.policy
    bound = score_bound(policy)
    if bound is not None and bound <= 1:
        return Finding("yes", f"joint score norm at most {bound:.4g} for every theta", bound)
    if bound is not None and not isinstance(policy, CircularPolicy | NeuralPolicy):
        return Finding("no", f"supremum {bound:.4g} over theta (met by features divided by it)", bound)
    if isinstance(policy, NeuralPolicy) and bound is None:
        return _neural_score(policy)
    seen = _largest_score(setting)
    return Finding("no" if seen > 1 else "not proven", f"joint score norm {seen:.4g} seen")


def fisher_floor(setting: Setting) -> Finding:
    """zhang2025 Assumption 5.5, second part: Fisher information under nu at least mu_f I, one mu_f for all theta.

    Args:
        setting: the problem and the search.
    """
    policy, mdp = setting.problem.policy, setting.mdp
    if max(policy.n_actions) == 1:
        return Finding("no", IDLE)
    if isinstance(policy, CircularPolicy):
        # visitation over all policies that keep the class's least probabilities; the start alone would give zero
        least = least_visitation(mdp, (1 - policy.radius) ** mdp.n_agents)
        if least.min() <= 0:
            return Finding("no", f"no policy need visit state {int(least.argmin())}, whose angle is then idle")
        bound = policy.fisher_bound(float(least.min()))
        return Finding("yes", f"mu_f >= {bound:.3g}, from d(s) >= {least.min():.3g} for every theta", bound)
    if isinstance(policy, LogLinearPolicy | ReducedSoftmaxPolicy):
        idle = [log_linear_null_space(psi).shape[1] for psi in policy.psi]
        if max(idle):
            return Finding("no", f"singular at every theta: {sum(idle)} idle directions", 0.0)
        seen = _least_eigenvalue(setting)
        return Finding("no", "positive definite, but tends to 0 with deterministic policies"
                       + ("" if seen is None else f": {max(seen, 0):.2g} seen"), 0.0)  # fmt: skip
    if isinstance(policy, NeuralPolicy):
        return Finding("no", singular_reason(policy), 0.0)
    seen = _least_eigenvalue(setting)
    met = "no" if seen is not None and seen <= SINGULAR else "not proven"
    return Finding(met, "not searched" if seen is None else f"least eigenvalue {seen:.2g} seen")  # type: ignore[arg-type]


def score_bound(policy: Policy) -> float | None:
    """A bound on the norm of the joint score for every theta, or None where none is known.

    Sharp for log-linear classes.

    Args:
        policy: the policy class.
    """
    if isinstance(policy, CircularPolicy):
        return policy.score_bound()
    if isinstance(policy, LogLinearPolicy | ReducedSoftmaxPolicy):
        return float(np.sqrt((_gaps(policy) ** 2).sum(axis=0)).max())
    if isinstance(policy, NeuralPolicy) and policy.depth == 1 and policy.trainable == "W":
        return float(np.sqrt((logit_gap(policy) ** 2).sum(axis=0)).max())
    return None


def _neural_score(policy: NeuralPolicy) -> Finding:
    if score_bound(policy) is None:
        seen = growth(policy)
        if seen is not None:
            norms = ", ".join(f"{norm:.3g}" for norm in seen)
            return Finding("no", f"unbounded: score norm {norms} at W_1 times 1, 10, 100")
    jump = kink(policy)
    if jump is None:
        return Finding("not proven", "no kink found")
    apart = f"two thetas {jump.distance:.1g} apart have scores {jump.change:.3g} apart"
    return Finding("no", f"not Lipschitz: ReLU kink, {apart}")


def _gaps(policy: LogLinearPolicy | ReducedSoftmaxPolicy) -> np.ndarray:
    """Largest distance of two feature vectors, by agent and state, (N, S)."""
    return np.array([[_diameter(rows) for rows in psi] for psi in policy.psi])


def _diameter(rows: np.ndarray) -> float:
    return float(np.linalg.norm(rows[:, None] - rows[None], axis=-1).max())


def _largest_score(setting: Setting) -> float:
    return max((score_norm(setting.problem.policy, theta) for theta in setting.thetas), default=0.0)


def _least_eigenvalue(setting: Setting) -> float | None:
    """Least eigenvalue seen, relative to the largest of the same block."""
    seen = []
    for view in setting.views:
        for block in fisher_blocks(view):
            values = np.linalg.eigvalsh(block)
            seen.append(float(values[0]))
    return min(seen, default=None)
