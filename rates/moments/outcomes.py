"""What one sample does to a linear recursion: every outcome (s, a, s') with its weight and its rank-one update.

All lower-level updates of zeng2022 are ``omega_i <- (W omega)_i + beta g (r_i + h . omega_i)`` with one sample for all
agents: ``g = phi(s), h = gamma phi(s') - phi(s)`` for the critic (Eq. (13)), ``g = -h = varphi(s, a)`` for the reward
model (Eq. (12)). The rows of `Outcomes` are the values that (g, h, r) can take.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from flint import arb, arb_mat

from mdp.linear import is_exact, solve
from mdp.validate import as_float_array

Kind = Literal["critic", "reward"]
"""Which recursion: zeng2022 Eq. (13) or Eq. (12)."""

Sampling = Literal["iid", "markov"]
"""Fresh tuples from one law at every step, or one trajectory of the chain under pi."""

LAW_TOLERANCE = 1e-12
"""Largest deviation of a law's sum from one; that of `mdp.validate`."""


@dataclass(frozen=True, eq=False)
class Outcomes:
    """The outcomes of one sample, as rows; over floats or over `flint.arb`.

    Under i.i.d. sampling there is a single mode. Under Markovian sampling the mode is the state of the chain, and the
    weights are conditional on it.

    Attributes:
        mode: (O,), mode in which the outcome can occur.
        next_mode: (O,), mode it leads to.
        weight: (O,), probability given the mode.
        direction: (O, K), the vector g.
        sensitivity: (O, K), the vector h.
        reward: (O, N), local rewards.
        noise_variance: variance of the independent reward noise of each agent.
        chain: (Z, Z), transition matrix of the modes; its diagonal counts as one minus the rest of the row.
        stationary: (Z,), its stationary law.
        start: (Z,), law of the first mode.
    """

    mode: np.ndarray
    next_mode: np.ndarray
    weight: np.ndarray
    direction: np.ndarray
    sensitivity: np.ndarray
    reward: np.ndarray
    noise_variance: Any
    chain: np.ndarray
    stationary: np.ndarray
    start: np.ndarray

    @property
    def n_modes(self) -> int:
        """Z, number of modes."""
        return len(self.stationary)

    @property
    def n_agents(self) -> int:
        """N."""
        return int(self.reward.shape[1])

    @property
    def long_run_weight(self) -> np.ndarray:
        """Weights of the outcomes in the long run, (O,)."""
        weight: np.ndarray = self.stationary[self.mode] * self.weight
        return weight

    @property
    def mean_matrix(self) -> np.ndarray:
        """``A = E[g h^T]`` in the long run, (K, K)."""
        return weighted_gram(self.long_run_weight, self.direction, self.sensitivity)

    @property
    def team_reward(self) -> np.ndarray:
        """Mean of the local rewards, (O,)."""
        mean: np.ndarray = self.reward.sum(axis=1) / (self.reward[0, 0] * 0 + self.n_agents)
        return mean

    def fixed_point(self) -> np.ndarray:
        """Where the mean update of the average agent vanishes: ``A x + E[g r_bar] = 0``, shape (K,).

        Raises:
            ValueError: the mean matrix is singular.
        """
        b = weighted_gram(self.long_run_weight, self.direction, self.team_reward[:, None])
        try:
            return solve_any(-self.mean_matrix, b)[:, 0]
        except (np.linalg.LinAlgError, ZeroDivisionError) as error:
            raise ValueError("the mean matrix is singular: the law does not excite every feature") from error


def weighted_gram(weight: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """``sum_o weight_o left_o right_o^T`` over floats or balls, shape (a, b).

    Args:
        weight: (O,).
        left: (O, a).
        right: (O, b).
    """
    total: np.ndarray = (left * weight[:, None]).T @ right
    return total


def solve_any(matrix: np.ndarray, rhs: np.ndarray) -> np.ndarray:
    """Solve ``matrix @ x = rhs`` over floats, rationals or balls.

    Args:
        matrix: (n, n).
        rhs: (n, m).

    Raises:
        numpy.linalg.LinAlgError, ZeroDivisionError: a singular matrix, or one whose balls contain a singular one.
    """
    if matrix.dtype != object or not any(isinstance(x, arb) for x in matrix.ravel()):
        return solve(matrix, rhs)
    out = np.empty(rhs.shape, dtype=object)
    out[...] = np.array(arb_mat(matrix.tolist()).solve(arb_mat(rhs.tolist())).tolist(), dtype=object)
    return out


def outcomes(view: Any, kind: Kind, sampling: Sampling, law: Any, noise_variance: Any) -> Outcomes:
    """The outcomes of one sample at a policy.

    Args:
        view: `mdp.exact.Exact` over floats, or `mdp.enclose.BallView`.
        kind: ``"critic"`` or ``"reward"``.
        sampling: ``"iid"`` or ``"markov"``.
        law: ``"stationary"``, ``"visitation"``, a state law (S,) or (i.i.d. only) a law of (s, a, s'), (S, A, S), of
            the view's arithmetic; under Markovian sampling it is the law of the first state.
        noise_variance: of the reward noise of each agent.
    """
    state_law = getattr(view, law) if isinstance(law, str) else law
    S, A, _ = view.P.shape
    conditional = view.pi[:, :, None] * view.P
    if sampling == "markov":
        weight = conditional
    else:
        weight = state_law if np.ndim(state_law) == 3 else state_law[:, None, None] * conditional
    s, a, t = (index.ravel() for index in np.indices((S, A, S)))
    weight = weight.ravel()
    if kind == "reward" and sampling == "iid":  # nothing depends on the next state
        weight = weight.reshape(S * A, S).sum(axis=1)
        s, a, t = s[::S], a[::S], t[::S]
    seen = weight != 0 if weight.dtype != object else np.array([not x.is_zero() for x in weight])
    s, a, t, weight = s[seen], a[seen], t[seen], weight[seen]
    here = view.phi_state[s] if kind == "critic" else view.phi_joint[s, a]
    sensitivity = view.gamma * view.phi_state[t] - here if kind == "critic" else -here
    one = np.array([weight[0] * 0 + 1])
    markov = sampling == "markov"
    return Outcomes(
        mode=s if markov else s * 0,
        next_mode=t if markov else t * 0,
        weight=weight,
        direction=here,
        sensitivity=sensitivity,
        reward=view.r[:, s, a].T,
        noise_variance=noise_variance,
        chain=view.P_pi if markov else one[:, None],
        stationary=view.stationary if markov else one,
        start=state_law if markov else one,
    )


def require_law(law: Any, shape: tuple[int, int, int], sampling: Sampling) -> Any:
    """The law as it is if it is a name, a checked array otherwise.

    Args:
        law: see `outcomes`.
        shape: (S, A, S).
        sampling: three-dimensional laws are for ``"iid"`` only.

    Raises:
        ValueError: an unknown name, a wrong shape, a negative entry, or a sum off one.
    """
    if isinstance(law, str):
        if law not in ("stationary", "visitation"):
            raise ValueError(f"law is {law!r}, not 'stationary', 'visitation' or an array")
        return law
    array = np.asarray(law)
    if not is_exact(array):
        array = as_float_array("law", law, array.ndim)
    allowed = [(shape[0],), shape] if sampling == "iid" else [(shape[0],)]
    if array.shape not in allowed:
        shapes = " or ".join(map(str, allowed))
        raise ValueError(f"law has shape {array.shape}; with {sampling} sampling it may be {shapes}")
    negative = np.argwhere(np.asarray(array < 0, dtype=bool))
    if negative.size:
        where = tuple(int(k) for k in negative[0])
        raise ValueError(f"law[{', '.join(map(str, where))}] is {array[where]}; probabilities are not negative")
    total = array.sum()
    if total != 1 if is_exact(array) else abs(total - 1) > LAW_TOLERANCE:
        raise ValueError(f"law sums to {total}, not 1")
    return array
