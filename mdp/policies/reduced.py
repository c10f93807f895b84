"""Reduced softmax: tabular softmax with the last logit of every state fixed to zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from mdp.policy import softmax_score
from mdp.validate import as_float_array, require_shape


@dataclass(frozen=True, eq=False)
class ReducedSoftmaxPolicy:
    r"""Tabular softmax made identifiable: ``pi_i(a | s)`` is proportional to ``exp(theta_i[s, a])``, last logit 0.

    Two thetas give the same policy only if they are equal, so no direction of the parameters is idle. With
    ``p`` the probabilities in a state, the Fisher information of the first A - 1 logits is
    ``diag(p) - p p^T`` (last entry left out). Its determinant is ``p_1 ... p_A`` and its inverse is
    ``diag(1/p) + 1 1^T / p_A``: it is positive definite for *every* theta. It is not *uniformly* so: the k-th
    diagonal entry is ``p_k (1 - p_k)``, and ``1^T F 1 = p_A (1 - p_A)``, so the least eigenvalue tends to zero
    whenever any probability does. zhang2025 Assumption 5.5 asks for one constant for all theta, and this class
    has none; on a bounded set of thetas `fisher_bound` gives one.

    Attributes:
        n_states: S.
        n_actions: actions per agent, all equal (one parameter shape), at least two.
        shared: whether the logits are shared by consensus.

    Raises:
        ValueError: on construction: no states, no agents, unequal or too few actions.

    Source: the class is the logistic model with a reference category, Agresti (2013), Categorical Data Analysis,
    3rd ed., Sec. 8.1; the inverse is the Sherman-Morrison formula.
    """

    n_states: int
    n_actions: tuple[int, ...]
    shared: bool = False

    def __post_init__(self) -> None:
        n_actions = tuple(int(k) for k in self.n_actions)
        if int(self.n_states) < 1:
            raise ValueError(f"n_states is {self.n_states}; a policy needs at least one state")
        if len(set(n_actions)) != 1:
            raise ValueError(f"n_actions is {n_actions}; reduced softmax needs equal action counts, at least one agent")
        if n_actions[0] < 2:
            raise ValueError(f"n_actions is {n_actions}; with one action there is nothing to parameterise")
        object.__setattr__(self, "n_actions", n_actions)

    @property
    def n_parameters(self) -> int:
        """Number of parameters of one agent, S (A_i - 1)."""
        return self.n_states * (self.n_actions[0] - 1)

    @property
    def n_shared(self) -> int:
        """Number of shared parameters: all or none."""
        return self.n_parameters if self.shared else 0

    @property
    def psi(self) -> tuple[np.ndarray, ...]:
        """The class as log-linear features, (S, A_i, S (A_i - 1)) per agent, for `mdp.rational.RationalPoint`."""
        free = self.n_actions[0] - 1
        table = np.zeros((self.n_states, free + 1, self.n_parameters))
        table[:, :free] = np.eye(self.n_parameters).reshape(self.n_states, free, -1)
        return (table,) * len(self.n_actions)

    def probabilities(self, theta: Float[np.ndarray, "N D"]) -> list[np.ndarray]:
        """Tables pi_i(a_i | s).

        Args:
            theta: logits of all actions but the last, state by state, shape (N, S (A_i - 1)).

        Returns:
            One (S, A_i) array per agent.

        Raises:
            ValueError: theta has another shape or a NaN.
        """
        return [self._table(row) for row in self._check(theta)]

    def log_jacobian(self, theta: Float[np.ndarray, "N D"]) -> list[np.ndarray]:
        """Scores: ``1{a = b} - pi_i(b | s)`` for the logit of b in s, zero for other states.

        Args:
            theta: parameters, shape (N, S (A_i - 1)).

        Returns:
            One (S, A_i, S (A_i - 1)) array per agent.

        Raises:
            ValueError: theta has another shape or a NaN.
        """
        return [softmax_score(psi, table) for psi, table in zip(self.psi, self.probabilities(theta), strict=True)]

    def theta_of(self, tables: list[np.ndarray]) -> Float[np.ndarray, "N D"]:
        """The one theta whose probabilities are `tables`: log-ratios to the last action.

        Args:
            tables: one (S, A_i) array of positive probabilities per agent.

        Raises:
            ValueError: a probability that is not positive.
        """
        rows = []
        for i, table in enumerate(tables):
            if not (np.asarray(table) > 0).all():
                raise ValueError(f"tables[{i}] has a probability {np.min(table):g}; softmax probabilities are positive")
            rows.append((np.log(table[:, :-1]) - np.log(table[:, -1:])).ravel())
        return np.stack(rows)

    def fisher_bound(
        self, theta: Float[np.ndarray, "N D"], law: Float[np.ndarray, " S"]
    ) -> float:
        """A positive lower bound on the least eigenvalue of the Fisher information at theta.

        ``min_s law(s) min_i 1 / trace(F_{i,s}^{-1})`` with ``trace F^{-1} = sum_{k<A} 1/p_k + (A-1)/p_A``: the
        least eigenvalue is at least the reciprocal of the inverse's trace. Stacked parameters; the consensual
        information is no smaller (see `mdp.fisher`).

        Args:
            theta: parameters, shape (N, S (A_i - 1)).
            law: state law (or lower bounds on it), shape (S,).

        Raises:
            ValueError: theta or law has another shape or a NaN.
        """
        law = as_float_array("law", law, 1)
        require_shape("law", law, (self.n_states,), "(S,)")
        bounds = []
        for table in self.probabilities(theta):
            with np.errstate(divide="ignore"):  # a probability that underflows gives the bound 0
                trace = (1 / table[:, :-1]).sum(axis=1) + (table.shape[1] - 1) / table[:, -1]
            bounds.append((law / trace).min())
        return float(min(bounds))

    def _table(self, row: np.ndarray) -> np.ndarray:
        logits = np.zeros((self.n_states, self.n_actions[0]), dtype=row.dtype)
        logits[:, :-1] = row.reshape(self.n_states, -1)
        weights = np.exp(logits - logits.real.max(axis=1, keepdims=True))
        table: np.ndarray = weights / weights.sum(axis=1, keepdims=True)
        return table

    def _check(self, theta: Any) -> np.ndarray:
        array = as_float_array("theta", theta, 2)
        require_shape("theta", array, (len(self.n_actions), self.n_parameters), "(N, S (A_i - 1))")
        return array
