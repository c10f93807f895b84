"""Finite multi-agent MDPs, and the glossary used everywhere in lemmata.

Glossary (code name, papers' letters, shape). The papers share letters for different things (eta, A, P, W);
the code never does.

=====================  ======================  ==============  ==================================================
code                   papers                  shape           meaning
=====================  ======================  ==============  ==================================================
``P``                  P(s'|s,a)               (S, A, S)       original kernel; A is the joint action, agent 0
                                                               slowest
``r``                  r_i(s,a)                (N, S, A)       local rewards (means, if rewards are noisy)
``r_bar``              r-bar                   (S, A)          mean over agents of ``r``
``initial``            eta(s), or s0           (S,)            initial distribution
``stationary``         mu_theta                (S,)            stationary law of the original chain under pi
``visitation``         d_theta, (1-g) eta_B    (S,)            normalised discounted visitation
``restart_stationary`` nu                      (S,)            stationary law of the restart chain
``V, Q, advantage``                            (S,), (S, A)    values of the team reward
``phi_state``          phi(s)                  (S, K)          critic features
``phi_joint``          varphi(s,a)             (S, A, L)       reward features
``omega_td``           omega*                  (K,)            TD fixed point
``omega_bellman``      omega*                  (K,)            minimiser of the mean squared Bellman residual
``omega_td_error``     omega*                  (K,)            minimiser of zeng2022 Eq. (7a) as printed
``lambda_star``        lambda*                 (L,)            reward regression
``W``                  W_t, or A               (N, N)          consensus matrix
``min_weight``         c, or eta               scalar          least positive entry of the consensus matrices
``theta``              theta                   (N, H + G)      policy parameters, H shared then G personal
=====================  ======================  ==============  ==================================================
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import prod
from typing import Literal

import numpy as np
from jaxtyping import Float

from mdp.validate import as_float_array, require_discount, require_probability_rows, require_shape

RewardNoise = Literal["none", "gumbel"]


@dataclass(frozen=True, eq=False)
class FiniteMDP:
    """A finite multi-agent MDP with an exact transition matrix.

    Attributes:
        P: original kernel, shape (S, A, S); ``P[s, a, t]`` is the probability of t after joint action a in s.
        r: mean local rewards, shape (N, S, A), in reward units.
        initial: initial distribution, shape (S,).
        gamma: discount factor in [0, 1).
        n_actions: number of actions of each agent; their product is A, agent 0 slowest.
        reward_noise: ``"none"``, or ``"gumbel"`` for an additive, independent, *centred* standard Gumbel
            variable per agent and step (the mean stays in `r`).
        name: for messages and figures.

    Raises:
        ValueError: on construction, naming the entry: wrong shapes, NaN, negative probabilities, rows that
            do not sum to one, gamma outside [0, 1).

    Source: zeng2022 Sec. 2; zhang2025 Sec. 3.1.
    """

    P: Float[np.ndarray, "S A S"]
    r: Float[np.ndarray, "N S A"]
    initial: Float[np.ndarray, " S"]
    gamma: float
    n_actions: tuple[int, ...]
    reward_noise: RewardNoise = "none"
    name: str = field(default="")

    def __post_init__(self) -> None:
        P = as_float_array("P", self.P, 3)
        r = as_float_array("r", self.r, 3)
        initial = as_float_array("initial", self.initial, 1)
        n_actions = tuple(int(n) for n in self.n_actions)
        if not n_actions or min(n_actions) < 1:
            raise ValueError(f"n_actions is {n_actions}; every agent needs at least one action")
        S, A = P.shape[0], prod(n_actions)
        require_shape("P", P, (S, A, S), f"(S, A, S) with A = prod{n_actions}")
        require_shape("r", r, (len(n_actions), S, A), "(N, S, A)")
        require_shape("initial", initial, (S,), "(S,)")
        require_probability_rows("P", P)
        require_probability_rows("initial", initial)
        if self.reward_noise not in ("none", "gumbel"):
            raise ValueError(f"reward_noise is {self.reward_noise!r}, not 'none' or 'gumbel'")
        for name, value in (("P", P), ("r", r), ("initial", initial), ("n_actions", n_actions)):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "gamma", require_discount(self.gamma))

    @property
    def n_states(self) -> int:
        """Number of states, S."""
        return int(self.P.shape[0])

    @property
    def n_joint_actions(self) -> int:
        """Number of joint actions, A."""
        return int(self.P.shape[1])

    @property
    def n_agents(self) -> int:
        """Number of agents, N."""
        return len(self.n_actions)

    @property
    def r_bar(self) -> Float[np.ndarray, "S A"]:
        """Team reward, the mean over agents of `r`, shape (S, A). Source: zeng2022 Eq. (1)."""
        mean: np.ndarray = self.r.mean(axis=0)
        return mean

    def restart(self) -> FiniteMDP:
        """The restart MDP: kernel ``gamma P + (1 - gamma) initial``, same rewards and discount.

        The papers restart in one state s0; a general initial law contains that as a point mass.

        Source: zhang2025 Sec. 3.1, the kernel P(s, a, s').
        """
        kernel = self.gamma * self.P + (1.0 - self.gamma) * self.initial
        kernel /= kernel.sum(axis=-1, keepdims=True)
        return replace(self, P=kernel, name=f"{self.name} (restart)".strip())
