"""Exact quantities of a problem at a policy: values, laws, gradients and lower-level solutions.

`exact(problem, theta)` returns an `Exact`, a view whose quantities are computed on first use and kept. The
formulas run over float64 and, unchanged, over exact rationals (`mdp.rational`), the judge of last resort.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Float

from mdp import chain
from mdp.linear import identity_like, is_exact, solve
from mdp.policy import joint_probabilities
from mdp.problem import Problem

if TYPE_CHECKING:
    from mdp.certify import Certificate, Inputs
    from mdp.mixing import Mixing

Law = Literal["stationary", "visitation"]
"""State law under which lower-level problems are posed; zeng2022 uses ``"stationary"``."""


@dataclass(frozen=True, eq=False)
class Exact:
    """Everything closed-form about an MDP under a fixed policy. Build it with `exact`.

    Attributes:
        P: original kernel, (S, A, S).
        r: local rewards, (N, S, A).
        initial: initial law, (S,).
        gamma: discount.
        tables: one (S, A_i) probability table per agent.
        scores: one (S, A_i, D) score array per agent.
        phi_state: critic features, (S, K).
        phi_joint: reward features, (S, A, L).

    All quantities are floats, or all are exact rationals, as the inputs are.
    """

    P: np.ndarray
    r: np.ndarray
    initial: np.ndarray
    gamma: float
    tables: tuple[np.ndarray, ...]
    scores: tuple[np.ndarray, ...]
    phi_state: np.ndarray
    phi_joint: np.ndarray

    # --- the chain ----------------------------------------------------------------------------------
    @cached_property
    def pi(self) -> Float[np.ndarray, "S A"]:
        """Joint policy, shape (S, A). Source: zeng2022 Sec. 2."""
        return joint_probabilities(self.tables)

    @cached_property
    def P_pi(self) -> Float[np.ndarray, "S S"]:
        """Transition matrix of the original chain under pi, shape (S, S)."""
        return np.einsum("sa,sat->st", self.pi, self.P)

    @cached_property
    def r_bar(self) -> Float[np.ndarray, "S A"]:
        """Team reward, shape (S, A)."""
        mean: np.ndarray = self.r.sum(axis=0) / self.r.shape[0]
        return mean

    @cached_property
    def r_pi(self) -> Float[np.ndarray, " S"]:
        """Expected team reward under pi, shape (S,)."""
        mean: np.ndarray = (self.pi * self.r_bar).sum(axis=1)
        return mean

    @cached_property
    def stationary(self) -> Float[np.ndarray, " S"]:
        """Stationary law mu_theta of the original chain, shape (S,), by GTH.

        Raises:
            ReducibleChainError: more than one communicating class (named).
            PeriodicChainError: period above one (cyclic classes named): the papers' sampling from mu_theta
                rests on mixing (zeng2022 Assumption 6, zhang2025 Assumption 5.2).
        """
        chain.require_irreducible(self.P_pi, "P_pi")
        chain.require_aperiodic(self.P_pi, "P_pi")
        return chain.stationary_law(self.P_pi)

    @cached_property
    def visitation(self) -> Float[np.ndarray, " S"]:
        """Normalised discounted visitation d_theta, shape (S,), by a linear solve.

        Source: zeng2022 Sec. 2; zhang2025 Lemma 4.2 calls d_theta / (1 - gamma) the visitation measure.
        """
        return solve(self._resolvent.T, (1 - self.gamma) * self.initial)

    @cached_property
    def restart_P_pi(self) -> Float[np.ndarray, "S S"]:
        """Transition matrix of the restart chain, ``gamma P_pi + (1 - gamma) initial``, shape (S, S)."""
        return self.gamma * self.P_pi + (1 - self.gamma) * self.initial[None, :]

    @cached_property
    def restart_stationary(self) -> Float[np.ndarray, " S"]:
        """Stationary law nu of the restart chain, shape (S,), by GTH on the states it can reach.

        States that the initial law never leads to have probability zero. Independent of `visitation`, so that
        zhang2025 Lemma 4.2 compares two computations.
        """
        inside = chain.reachable(self.restart_P_pi, self.initial)
        law = self.initial * 0
        block = self.restart_P_pi[np.ix_(inside, inside)]
        law[inside] = chain.stationary_law(block)
        return law

    def law(self, name: Law) -> Float[np.ndarray, " S"]:
        """The state law called `name`.

        Args:
            name: ``"stationary"`` or ``"visitation"``.

        Raises:
            ValueError: another name.
        """
        if name == "stationary":
            return self.stationary
        if name == "visitation":
            return self.visitation
        raise ValueError(f"law is {name!r}, not 'stationary' or 'visitation'")

    # --- values ---------------------------------------------------------------------------------------
    @cached_property
    def _resolvent(self) -> np.ndarray:
        return identity_like(self.P_pi, len(self.initial)) - self.gamma * self.P_pi

    @cached_property
    def V(self) -> Float[np.ndarray, " S"]:
        """State values of the team reward, shape (S,). Source: zeng2022 Eqs. (1)-(2)."""
        return solve(self._resolvent, self.r_pi)

    @cached_property
    def Q(self) -> Float[np.ndarray, "S A"]:
        """State-action values, shape (S, A). Source: zhang2025 Eq. (2)."""
        return self.r_bar + self.gamma * (self.P @ self.V)

    @cached_property
    def advantage(self) -> Float[np.ndarray, "S A"]:
        """Advantage, Q minus its mean under pi, shape (S, A). Source: zhang2025 Eq. (4)."""
        return self.Q - (self.pi * self.Q).sum(axis=1)[:, None]

    @cached_property
    def J(self) -> float:
        """Objective, the initial law's expectation of V. Source: zeng2022 Eq. (3)."""
        value: float = (self.initial * self.V).sum()
        return value

    # --- gradients ------------------------------------------------------------------------------------
    def score_expectation(self, law: np.ndarray, delta: np.ndarray) -> Float[np.ndarray, "N D"]:
        """``E_{s ~ law, a ~ pi}[delta(s, a) grad log pi_i(a_i | s)]`` for every agent.

        Args:
            law: state law (or any weights), shape (S,).
            delta: signal, shape (S, A).

        Returns:
            Array (N, D).
        """
        weight = (law[:, None] * self.pi * delta).reshape(-1, *(t.shape[1] for t in self.tables))
        rows = []
        for i, score in enumerate(self.scores):
            others = tuple(j + 1 for j in range(len(self.tables)) if j != i)
            rows.append((weight.sum(axis=others)[:, :, None] * score).sum(axis=(0, 1)))
        return np.stack(rows)

    @cached_property
    def grad_J(self) -> Float[np.ndarray, "N D"]:
        """Gradient of J by the policy-gradient theorem, shape (N, D). Source: zeng2022 Eq. (4)."""
        return self.score_expectation(self.visitation, self.Q) / (1 - self.gamma)

    @cached_property
    def grad_J_by_solve(self) -> Float[np.ndarray, "N D"]:
        """Gradient of J by differentiating ``(I - gamma P_pi) V = r_pi`` forward, shape (N, D).

        For each parameter: ``dV = (I - gamma P_pi)^{-1} (d r_pi + gamma dP_pi V)`` and ``dJ = initial . dV``.
        It uses neither the visitation nor Q, and is the test of `grad_J`.
        """
        gradient = np.stack([np.zeros(s.shape[2], dtype=self.V.dtype) for s in self.scores])
        for i, score in enumerate(self.scores):
            for k in range(score.shape[2]):
                d_tables = list(self.tables)
                d_tables[i] = self.tables[i] * score[:, :, k]
                d_pi = joint_probabilities(d_tables)
                d_r = (d_pi * self.r_bar).sum(axis=1)
                d_P = np.einsum("sa,sat->st", d_pi, self.P)
                gradient[i, k] = (self.initial * solve(self._resolvent, d_r + self.gamma * (d_P @ self.V))).sum()
        return gradient

    # --- lower level ------------------------------------------------------------------------------------
    def td_system(self, law: Law = "stationary") -> tuple[np.ndarray, np.ndarray]:
        """Mean TD(0) update: ``E[delta phi] = b + A omega``.

        Args:
            law: state law of the samples.

        Returns:
            ``A = Phi^T D (gamma P_pi - I) Phi`` of shape (K, K) and ``b = Phi^T D r_pi`` of shape (K,).

        Source: Tsitsiklis and Van Roy (1997); zeng2022 Eq. (13).
        """
        weighted = self.phi_state * self.law(law)[:, None]
        return -(weighted.T @ (self._resolvent @ self.phi_state)), weighted.T @ self.r_pi

    @cached_property
    def td_matrix(self) -> Float[np.ndarray, "K K"]:
        """``A`` of `td_system` under the stationary law, shape (K, K); negative definite there."""
        return self.td_system()[0]

    def omega_td_under(self, law: Law) -> Float[np.ndarray, " K"]:
        """TD fixed point when the critic's samples follow `law`.

        Args:
            law: state law of the samples.
        """
        A, b = self.td_system(law)
        return solve(-A, b)

    @cached_property
    def omega_td(self) -> Float[np.ndarray, " K"]:
        """TD fixed point under the stationary law, shape (K,). Source: zeng2022 Eq. (13) at rest."""
        return self.omega_td_under("stationary")

    @cached_property
    def omega_bellman(self) -> Float[np.ndarray, " K"]:
        """Minimiser of ``E_s (r_pi + gamma P_pi Phi omega - Phi omega)^2`` under mu, shape (K,).

        The expectation over a and s' is inside the square: the mean squared Bellman error in the usual sense.
        """
        design = self._resolvent @ self.phi_state
        return _least_squares(design, self.r_pi, self.stationary)

    @cached_property
    def omega_td_error(self) -> Float[np.ndarray, " K"]:
        """Minimiser of ``E_{s,a,s'} (r_bar + gamma phi(s').omega - phi(s).omega)^2`` under mu, shape (K,).

        The expectation over a and s' is outside the square. Source: zeng2022 Eq. (7a), read literally.
        """
        pair = self.stationary[:, None] * self.pi
        # the action enters the target only: actions that share (s, s') are one row, at the mean of their rewards
        weight = np.einsum("sa,sat->st", pair, self.P)
        reward = np.einsum("sa,sat->st", pair * self.r_bar, self.P)
        s, t = np.nonzero(np.asarray(weight > 0, dtype=bool))
        design = self.phi_state[s] - self.gamma * self.phi_state[t]
        return _least_squares(design, reward[s, t] / weight[s, t], weight[s, t])

    @cached_property
    def lambda_star(self) -> Float[np.ndarray, " L"]:
        """Regression of the team reward on ``phi_joint`` under mu and pi, shape (L,). Source: zeng2022 Eq. (6a)."""
        weight = (self.stationary[:, None] * self.pi).reshape(-1)
        return _least_squares(self.phi_joint.reshape(len(weight), -1), self.r_bar.reshape(-1), weight)

    # --- errors and mixing --------------------------------------------------------------------------------
    def error(self, name: str, *, inputs: Inputs = "given", **options: Any) -> Certificate:
        """Rigorous error bound of a float quantity of this view.

        Args:
            name: an attribute, such as ``"V"`` or ``"grad_J"``, or a quantity of `mdp.certify.FORMULAS`, such as
                ``"fisher"`` or ``"eps_bias"``.
            inputs: ``"given"``: the exact problem is that of the floats as they are; ``"rounded"``: any problem whose
                once-rounded data they are.
            **options: of the quantity, such as ``law="visitation"``.

        Raises:
            ValueError, TypeError, ArithmeticError: as in `mdp.certify.certificate`.

        Source: see `mdp.certify`.
        """
        # the one import against the grain: certificates are made of this module, and this is a shorthand for them
        from mdp.certify import certificate

        return certificate(self, name, inputs=inputs, **options)

    def mixing(self, method: Literal["doeblin", "spectral"] = "doeblin") -> Mixing:
        """Constants kappa and rho of geometric mixing of the original chain.

        Args:
            method: by minorisation or by the spectrum; `mdp.mixing` has more.

        Raises:
            NoMixingBoundError, ReducibleChainError, PeriodicChainError: the chain does not mix, or the method
                finds no bound.

        Source: zhang2025 Lemma 5.4; see `mdp.mixing`.
        """
        from mdp import mixing

        return (mixing.doeblin_mixing if method == "doeblin" else mixing.spectral_mixing)(self.P_pi)

    def value_residual(self) -> float:
        """A bound on ``max_s |V - V_true|`` for floats: ``||r_pi - (I - gamma P_pi) V||_inf / (1 - gamma)``.

        The Bellman operator is a gamma-contraction in the sup norm, so the residual bounds the error (up to
        the rounding of the residual itself; ``error("V")`` accounts for that too).
        """
        residual = self.r_pi - self._resolvent @ self.V
        return float(max(abs(x) for x in residual) / (1 - self.gamma))


def exact(problem: Problem, theta: Float[np.ndarray, "N D"]) -> Exact:
    """Exact quantities of `problem` at policy parameters `theta`.

    Args:
        problem: the MDP with its policy class and features.
        theta: parameters, shape (N, H + G).

    Returns:
        A lazy view; quantities that need a stationary law raise only when asked for.

    Raises:
        ValueError: theta has another shape or a NaN.
    """
    mdp = problem.mdp
    return Exact(
        P=mdp.P,
        r=mdp.r,
        initial=mdp.initial,
        gamma=mdp.gamma,
        tables=tuple(problem.policy.probabilities(theta)),
        scores=tuple(problem.policy.log_jacobian(theta)),
        phi_state=problem.features.phi_state,
        phi_joint=problem.features.phi_joint,
    )


def _least_squares(design: np.ndarray, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Weighted least squares: by orthogonal factorisation over floats, by normal equations over rationals."""
    if is_exact(design):
        weighted = design * weight[:, None]
        return solve(weighted.T @ design, weighted.T @ target)
    root = np.sqrt(weight)
    solution: np.ndarray = np.linalg.lstsq(design * root[:, None], target * root, rcond=None)[0]
    return solution
