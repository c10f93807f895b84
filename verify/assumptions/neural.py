r"""What contradicts the papers' assumptions on the neural class of zhang2025 Eq. (5), as explicit thetas.

*One live unit.* Give the last layer ``W_D`` one row ``eps 1^T`` and all other rows ``-1^T``, with the layers below
as they are. Their output x is nonnegative for D >= 2, so only the first unit is live; its output, and every logit, is
of order eps: the policy is uniform to that order. Its derivative in the live row is ``b[a, 0] x / sqrt(m)`` all the
same, whatever eps. Hence

- *Kink.* With ``-eps`` instead the unit is dead and the derivative 0: two thetas ``2 eps sqrt(m)`` apart whose scores
  differ by a fixed amount. The score is not Lipschitz, and the policy not differentiable between them.
- *Growth.* Multiply W_1 by c and eps by 1/c: x grows like c, the policy stays uniform to order eps, and the score in
  the live row grows like c. So for D >= 2 scores are unbounded, and grad J with them (unless the sum
  ``sum_{s,a} d(s) b[a, 0] x(s) Adv(s, a)`` vanishes): J is not Lipschitz.

For D = 1 the layer below is ``H x``, of either sign; the row is then aimed at one state's ``H x`` and the others are
dead there, and scores are bounded: the derivative in row k is ``b[a, k] H x / sqrt(m)`` or 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mdp.exact import exact
from mdp.policies import NeuralPolicy
from mdp.problem import Problem
from verify.assumptions.search import score_norm

EPSILON = 1e-9
"""Preactivation of the live unit; ours: logits below 1e-8 at any scale used, derivatives unchanged."""

SCALES = (1.0, 10.0, 100.0)
"""Factors on W_1; ours: a degree of growth is visible, and nothing overflows."""

GROWTH = 8.0
"""Growth per factor 10 that counts as unbounded; ours: it is 10 up to the other agents' and layers' part."""


@dataclass(frozen=True)
class Kink:
    """Two thetas on either side of a kink.

    Attributes:
        distance: Euclidean distance of the thetas.
        change: largest change of an entry of the scores.
    """

    distance: float
    change: float


def live_unit(policy: NeuralPolicy, *, sign: float = 1.0, scale: float = 1.0) -> np.ndarray:
    """Thetas of the construction above, the same random lower layers for every sign and scale.

    Args:
        policy: the neural class with ``trainable = "W"``.
        sign: +1 for the live side, -1 for the dead one.
        scale: factor on W_1, compensated in the live row (for D >= 2).

    Returns:
        Array (N, D m^2).

    Raises:
        ValueError: other layers are trained too.
    """
    if policy.trainable != "W":
        raise ValueError(f"trainable is {policy.trainable!r}; the construction moves the layers W alone")
    m, rng = policy.width, np.random.default_rng(0)
    rows = []
    for i in range(len(policy.n_actions)):
        W = np.abs(rng.normal(size=(policy.depth, m, m)))
        first = policy.inputs[i].reshape(-1, policy.inputs[i].shape[-1])[0] @ policy.H[i].T
        towards = np.ones(m) if policy.depth > 1 else first / np.linalg.norm(first)
        if policy.depth > 1:
            W[0] = np.where(first > 0, 1.0, -1.0) * W[0] * scale  # every unit live at the first state
        W[-1] = -towards
        W[-1, 0] = sign * EPSILON * towards / scale
        rows.append(W.ravel())
    return np.stack(rows)


def kink(policy: NeuralPolicy) -> Kink | None:
    """Two close thetas with different scores.

    Args:
        policy: the neural class.

    Returns:
        The pair's distance and the change; None if every unit of the construction happens to be dead.
    """
    if policy.trainable != "W":
        return None
    live, dead = live_unit(policy), live_unit(policy, sign=-1.0)
    pairs = zip(policy.log_jacobian(live), policy.log_jacobian(dead), strict=True)
    change = max(float(np.abs(one - other).max()) for one, other in pairs)
    return Kink(float(np.linalg.norm(live - dead)), change) if change > 1e3 * EPSILON else None


def growth(policy: NeuralPolicy) -> tuple[float, float, float] | None:
    """Score norms of `live_unit` at `SCALES`, if they grow in proportion.

    Args:
        policy: the neural class.
    """
    if policy.trainable != "W" or policy.depth < 2:
        return None
    one, ten, hundred = (score_norm(policy, live_unit(policy, scale=scale)) for scale in SCALES)
    return (one, ten, hundred) if one > 0 and min(ten / one, hundred / ten) > GROWTH else None


def gradient_growth(problem: Problem) -> tuple[float, float, float] | None:
    """Norms of grad J at the same thetas, if they grow in proportion.

    Args:
        problem: a problem with the neural class.
    """
    policy = problem.policy
    if not isinstance(policy, NeuralPolicy) or policy.trainable != "W" or policy.depth < 2:
        return None
    norms = [float(np.linalg.norm(exact(problem, live_unit(policy, scale=c)).grad_J)) for c in SCALES]
    one, ten, hundred = norms
    rounding = 1e-10 * max(1.0, float(np.abs(problem.mdp.r).max()))
    return (one, ten, hundred) if one > rounding and min(ten / one, hundred / ten) > GROWTH else None


def logit_gap(policy: NeuralPolicy) -> np.ndarray:
    """Bound on the norm of each agent's score at depth one: ``logit_scale |H x(s)| max |b_a - b_b| / sqrt(m)``.

    Units that are dead only remove terms. For the head with action inputs the bound is by the triangle inequality.

    Args:
        policy: the neural class with ``depth = 1`` and ``trainable = "W"``.

    Returns:
        Array (N, S).

    Raises:
        ValueError: another depth or other trained layers.
    """
    if policy.depth != 1 or policy.trainable != "W":
        raise ValueError(f"depth {policy.depth} and trainable {policy.trainable!r}; scores are bounded for 1 and 'W'")
    gaps = []
    for inputs, H, b in zip(policy.inputs, policy.H, policy.b, strict=True):
        lengths = np.linalg.norm(inputs @ H.T, axis=-1)
        if inputs.ndim == 3:  # one output: both actions' derivatives, each at most |b|_inf |H x|
            per_state = 2 * np.abs(b).max() * lengths.max(axis=1)
        else:  # the score is a mean over b of differences of rows of b, times H x, less the dead units' rows
            per_state = np.sqrt(((b[:, None] - b[None]) ** 2).sum(axis=2).max()) * lengths
        gaps.append(policy.logit_scale * per_state / np.sqrt(policy.width))
    return np.array(gaps)


def singular_reason(policy: NeuralPolicy) -> str:
    """Why the Fisher information has no positive lower bound.

    Args:
        policy: the neural class.
    """
    most = policy.n_states * (max(policy.n_actions) - 1)
    if policy.depth > 1:
        return "singular at every theta: (W_h, -W_{h+1}) are idle, as outputs are homogeneous in each layer"
    if policy.n_parameters > most:
        return f"singular at every theta: rank at most S (A_i - 1) = {most}, below {policy.n_parameters} parameters"
    return "tends to 0 along t theta: the policy becomes deterministic, scores stay bounded"

