"""Exact quantities of a large MDP at a policy, with error bounds: `SparseExact`.

No (S, S) or (S, A, D) array is ever formed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
from jaxtyping import Float
from scipy.sparse import csr_array

from mdp.large._kernels import _contract, _marginal_values
from mdp.large.blocks import state_blocks
from mdp.large.operator import MatrixOperator, PolicyOperator
from mdp.large.policy import LogLinear
from mdp.large.protocol import LargeMDP, over_pairs
from mdp.large.solvers import EPSILON, Solution, solve_discounted
from mdp.large.stationary import solve_stationary
from mdp.policy import joint_probabilities

MEAN_ADDITIONS = 64
"""Additions behind one term of a NumPy sum: pairwise below blocks of 128; enough for 2^40 terms. Source: Higham
(1993), The accuracy of floating point summation, SIAM J. Sci. Comput. 14(4)."""


@dataclass(frozen=True, eq=False)
class SparseExact:
    """Quantities of a large MDP at a policy, each computed on first use. Build it with `sparse_exact`.

    Attributes:
        mdp: the problem.
        pi: agents' tables side by side, (S, sum A_i).
        policy: the log-linear class, or None if only tables were given.
        tolerance: error asked of the two linear solves, relative to ``max |r_pi| / (1 - gamma)`` for V and to 1
            for the visitation.
        workers: number of threads; no result depends on it.
    """

    mdp: LargeMDP
    pi: Float[np.ndarray, "S sum_A_i"]
    policy: LogLinear | None
    tolerance: float
    workers: int

    @property
    def tables(self) -> tuple[np.ndarray, ...]:
        """The agents' tables, one (S, A_i) view each."""
        return tuple(np.split(self.pi, np.cumsum(self.mdp.n_actions)[:-1], axis=1))

    @cached_property
    def operator(self) -> PolicyOperator:
        """``P_pi`` as a linear map on columns and rows."""
        return self.mdp.operator(self.pi, self.workers)

    @property
    def P_pi(self) -> csr_array:
        """``P_pi`` as CSR, (S, S).

        Raises:
            ValueError: the problem computes its successors and has no stored kernel; use its ``sparse()`` first.
        """
        if not isinstance(self.operator, MatrixOperator):
            raise ValueError("this MDP stores no kernel, so P_pi is matrix-free; take its sparse() for a CSR P_pi")
        return self.operator.matrix

    def over_pairs(self, task: Callable[[np.ndarray, int], None], values: np.ndarray | None) -> None:
        """Call ``task(q, low)`` on blocks of ``q = r_bar + gamma P values`` (of `r_bar` if None), in threads.

        Args:
            task: may overwrite `q`, (B, A), whose first row belongs to state `low`.
            values: next values, (S,).
        """
        over_pairs(self.mdp, task, values, self.workers)

    @cached_property
    def r_pi(self) -> Float[np.ndarray, " S"]:
        """Expected team reward under pi, shape (S,)."""
        out, widths = np.empty(self.mdp.n_states), np.array(self.mdp.n_actions)
        self.over_pairs(lambda q, low: _contract(q, self.pi, widths, out, low), None)
        return out

    # --- the two solves
    @cached_property
    def value_solution(self) -> Solution:
        """V with its residual and the bound on ``max_s |V - V_true|``."""
        additions, _ = self.operator.additions
        return solve_discounted(
            self.operator.apply, self.r_pi, self.mdp.gamma, norm="sup", tolerance=self.tolerance,
            additions=additions,
        )  # fmt: skip

    @cached_property
    def visitation_solution(self) -> Solution:
        """Visitation with its residual and the bound on ``sum_s |d - d_true|``."""
        _, additions = self.operator.additions
        gamma = self.mdp.gamma
        return solve_discounted(
            self.operator.apply_transposed, (1.0 - gamma) * self.mdp.initial, gamma, norm="sum",
            tolerance=self.tolerance, additions=additions,
        )  # fmt: skip

    @property
    def V(self) -> Float[np.ndarray, " S"]:
        """State values of the team reward, shape (S,). Source: zeng2022 Eqs. (1)-(2)."""
        return self.value_solution.x

    @property
    def visitation(self) -> Float[np.ndarray, " S"]:
        """Normalised discounted visitation, shape (S,). Source: zeng2022 Sec. 2; zhang2025 Lemma 4.2."""
        return self.visitation_solution.x

    def stationary_solution(self, *, tolerance: float = 1e-13, max_products: int = 20_000) -> Solution:
        """Stationary law mu of the *original* chain with a bound on ``sum_s |mu - mu_true|``.

        Args:
            tolerance: sum norm of ``mu P_pi - mu`` to reach.
            max_products: limit on products with P_pi.

        Raises:
            ConvergenceError: the chain is periodic, reducible, or mixes too slowly.

        Source: zeng2022 Sec. 2 for mu_theta; `mdp.large.stationary` for the certificate.
        """
        size = self.mdp.n_states
        forward, backward = self.operator.additions
        return solve_stationary(
            self.operator.apply, self.operator.apply_transposed, np.full(size, 1.0 / size), max(forward, backward),
            tolerance=tolerance, max_products=max_products,
        )  # fmt: skip

    @cached_property
    def stationary(self) -> Float[np.ndarray, " S"]:
        """Stationary law mu of the original chain, shape (S,); `stationary_solution` has its error bound.

        Raises:
            ConvergenceError: the chain is periodic, reducible, or mixes too slowly.
        """
        return self.stationary_solution().x

    @property
    def restart_stationary(self) -> Float[np.ndarray, " S"]:
        """Stationary law of the restart chain, shape (S,): the visitation, by zhang2025 Lemma 4.2.

        `restart_residual` checks it in the restart chain itself.
        """
        return self.visitation

    def restart_residual(self) -> float:
        """``sum_s |nu K - nu|`` for the restart chain K, by plain NumPy or SciPy block by block.

        It shares no code with the solve. K has the Doeblin constant 1 - gamma, so this residual over 1 - gamma
        bounds ``sum_s |nu - nu_true|`` once nu sums to one; a defect of the sum is added to what is returned.
        """
        law, mdp = self.restart_stationary, self.mdp
        image = (1.0 - mdp.gamma) * law.sum() * mdp.initial
        for low, high in _pairs_of(state_blocks(mdp.n_states)):
            joint = joint_probabilities([table[low:high] for table in self.tables])
            image = image + mdp.gamma * mdp.flow(law[low:high, None] * joint, low)
        return float(np.abs(image - law).sum() + abs(law.sum() - 1.0))

    # --- values and gradient
    @cached_property
    def J(self) -> float:
        """Objective, the initial law's expectation of V. Source: zeng2022 Eq. (3)."""
        return float((self.mdp.initial * self.V).sum())

    @property
    def J_error(self) -> float:
        """Bound on ``|J - J_true|``: that of V, plus the rounding of the mean."""
        return self.value_solution.error + MEAN_ADDITIONS * EPSILON * float(np.abs(self.V).max())

    @cached_property
    def J_by_visitation(self) -> float:
        """``sum_s d(s) r_pi(s) / (1 - gamma)``: J from the other solve."""
        return float((self.visitation * self.r_pi).sum() / (1.0 - self.mdp.gamma))

    @cached_property
    def Q(self) -> Float[np.ndarray, "S A"]:
        """State-action values, shape (S, A); the largest array here, made only when asked for."""
        out = np.empty((self.mdp.n_states, prod(self.mdp.n_actions)))

        def store(q: np.ndarray, low: int) -> None:
            out[low : low + len(q)] = q

        self.over_pairs(store, self.V)
        return out

    @cached_property
    def restart_V(self) -> Float[np.ndarray, " S"]:
        """Values when the restart kernel itself is taken for the MDP and discounted once more, shape (S,).

        ``V' = r_pi + gamma (gamma P_pi + (1 - gamma) 1 initial) V'`` is a rank-one change: with ``U`` the values at
        discount gamma^2 and ``c = initial . V'``, ``V' = U + gamma (1 - gamma) c / (1 - gamma^2)``, hence
        ``c = (1 + gamma) initial . U`` and ``V' = U + gamma initial . U``.
        """
        additions, _ = self.operator.additions
        gamma = self.mdp.gamma
        once = solve_discounted(
            self.operator.apply, self.r_pi, gamma**2, norm="sup", tolerance=self.tolerance,
            additions=additions,
        ).x  # fmt: skip
        values: np.ndarray = once + gamma * (self.mdp.initial * once).sum()
        return values

    @cached_property
    def agent_advantage(self) -> tuple[np.ndarray, ...]:
        """``E[Q | s, a_i] - V(s)`` for each agent, (S, A_i): the other agents follow pi."""
        out, widths = np.empty_like(self.pi), np.array(self.mdp.n_actions)
        self.over_pairs(lambda q, low: _marginal_values(q, self.pi, widths, out, low), self.V)
        values = np.split(out, np.cumsum(self.mdp.n_actions)[:-1], axis=1)
        return tuple(q - (table * q).sum(axis=1, keepdims=True) for q, table in zip(values, self.tables, strict=True))

    @cached_property
    def logit_gradient(self) -> tuple[np.ndarray, ...]:
        """Gradient of J in the logit of every (s, a_i), (S, A_i): ``d pi_i A_i / (1 - gamma)``.

        It is grad J of tabular softmax, and every log-linear gradient is its sum against the features.
        """
        occupancy = self.visitation[:, None] / (1.0 - self.mdp.gamma)
        return tuple(
            occupancy * table * advantage for table, advantage in zip(self.tables, self.agent_advantage, strict=True)
        )

    @cached_property
    def grad_J(self) -> Float[np.ndarray, "N D"]:
        """Gradient of J by the policy-gradient theorem, shape (N, D). Source: zeng2022 Eq. (4).

        The score is ``psi - E_pi psi`` and the weights ``d pi_i A_i`` of a state sum to zero, so the mean drops
        out and only ``sum weight psi`` remains: features are read once, never stored.

        Raises:
            ValueError: the view was built from tables; there is no parameter to differentiate in.
        """
        if self.policy is None:
            raise ValueError("grad_J needs a policy class: use sparse_exact(mdp, policy, theta), or logit_gradient")
        rows = [self.policy.feature_sum(i, weight) for i, weight in enumerate(self.logit_gradient)]
        return np.stack(rows)

    @property
    def grad_J_error(self) -> float:
        """Bound on every entry of ``grad_J - grad_J_true`` from the two solves (rounding of the sum aside).

        With ``b`` the largest feature, a score entry is at most 2 b: ``2 b (e_d max_s E|A_i| + gamma e_V) /
        (1 - gamma)``, where e_d and e_V are the errors of visitation (sum norm) and V (sup norm).

        Raises:
            ValueError: the view was built from tables.
        """
        if self.policy is None:
            raise ValueError("grad_J needs a policy class: use sparse_exact(mdp, policy, theta)")
        pairs = zip(self.tables, self.agent_advantage, strict=True)
        spread = max(float((table * np.abs(advantage)).sum(axis=1).max()) for table, advantage in pairs)
        through = self.visitation_solution.error * spread + self.mdp.gamma * self.value_solution.error
        return 2.0 * self.policy.feature_bound() * through / (1.0 - self.mdp.gamma)


def _pairs_of(bounds: np.ndarray) -> list[tuple[int, int]]:
    return list(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True))
