"""A large MDP with a stored kernel: `SparseMDP`."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csr_array, issparse

from mdp.large._kernels import _csr_rows, _first_bad_row
from mdp.large.blocks import unsigned
from mdp.large.operator import MatrixOperator, mix_kernel
from mdp.large.rewards import broadcast_rewards, mean_reward
from mdp.model import FiniteMDP
from mdp.validate import (
    ROW_SUM_TOLERANCE,
    as_float_array,
    require_discount,
    require_probability_rows,
    require_shape,
)

DENSE_LIMIT = 50_000_000
"""Most entries a kernel may have to be made dense; ours: 400 MB of doubles."""


@dataclass(frozen=True, eq=False)
class SparseMDP:
    """A finite multi-agent MDP with a CSR kernel. Neither the kernel nor the rewards are copied.

    Attributes:
        P: kernel as CSR, shape (S A, S); row ``s A + a`` is the law of the successor.
        r: mean local rewards, shape (N, S, A), or broadcastable to it: axes of length one stay views.
        initial: initial law, shape (S,).
        gamma: discount factor in [0, 1).
        n_actions: number of actions of each agent; their product is A, agent 0 slowest.
        name: for messages and figures.

    Raises:
        ValueError: on construction, naming the entry, as in ``P[s=1, a=0] sums to 1.1, not 1``: column out of
            range, NaN, negative probability, row sum, wrong shapes, gamma outside [0, 1).

    Source: zeng2022 Sec. 2; zhang2025 Sec. 3.1.
    """

    P: csr_array
    r: Float[np.ndarray, "N S A"]
    initial: Float[np.ndarray, " S"]
    gamma: float
    n_actions: tuple[int, ...]
    name: str = field(default="")

    def __post_init__(self) -> None:
        n_actions = tuple(int(n) for n in self.n_actions)
        if not n_actions or min(n_actions) < 1:
            raise ValueError(f"n_actions is {n_actions}; every agent needs at least one action")
        P = _csr_view(self.P)
        A = prod(n_actions)
        if P.shape[0] != P.shape[1] * A or not P.shape[1]:
            raise ValueError(f"P has shape {P.shape}, not (S A, S) with A = prod{n_actions} = {A}")
        _require_kernel(P, A)
        S = P.shape[1]
        initial = as_float_array("initial", self.initial, 1)
        require_shape("initial", initial, (S,), "(S,)")
        require_probability_rows("initial", initial)
        object.__setattr__(self, "r", broadcast_rewards(self.r, (len(n_actions), S, A)))
        for name, value in (("P", P), ("initial", initial), ("n_actions", n_actions)):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "gamma", require_discount(self.gamma))

    @classmethod
    def from_dense(cls, mdp: FiniteMDP) -> SparseMDP:
        """The same MDP with a CSR kernel (zero probabilities are dropped).

        Args:
            mdp: a dense MDP without reward noise.

        Raises:
            ValueError: the rewards are noisy; a sparse MDP has no noise model.
        """
        if mdp.reward_noise != "none":
            raise ValueError(f"reward_noise is {mdp.reward_noise!r}; a SparseMDP has mean rewards only")
        kernel = csr_array(mdp.P.reshape(-1, mdp.n_states))
        return cls(kernel, mdp.r, mdp.initial, mdp.gamma, mdp.n_actions, name=mdp.name)

    def to_dense(self) -> FiniteMDP:
        """The same MDP with a dense kernel.

        Raises:
            ValueError: more than `DENSE_LIMIT` entries.
        """
        size = self.P.shape[0] * self.P.shape[1]
        if size > DENSE_LIMIT:
            raise ValueError(f"the dense kernel has {size:,} entries, above the limit of {DENSE_LIMIT:,}")
        P = self.P.toarray().reshape(self.n_states, -1, self.n_states)
        return FiniteMDP(P, self.r, self.initial, self.gamma, self.n_actions, name=self.name)

    @property
    def n_states(self) -> int:
        """Number of states, S."""
        return int(self.P.shape[1])

    @property
    def n_joint_actions(self) -> int:
        """Number of joint actions, A."""
        return prod(self.n_actions)

    @property
    def n_agents(self) -> int:
        """Number of agents, N."""
        return len(self.n_actions)

    @cached_property
    def r_bar(self) -> Float[np.ndarray, "S A"]:
        """Team reward, shape (S, A), a broadcast view where `r` is one. Source: zeng2022 Eq. (1)."""
        return mean_reward(self.r)

    @cached_property
    def row_width(self) -> int:
        """Most successors of a pair (s, a)."""
        return int(np.diff(self.P.indptr).max())

    def pair_rows(self, x: Float[np.ndarray, " S"], low: int, out: Float[np.ndarray, "B A"]) -> None:
        """``out[i, a] = sum_t P(t | low + i, a) x(t)``.

        Args:
            x: vector over states, (S,).
            low: first state.
            out: filled, (B, A), C-ordered.
        """
        flat = out.reshape(-1)
        _csr_rows(self.P.indptr, unsigned(self.P.indices), self.P.data, x, flat, low * self.n_joint_actions)

    def operator(self, pi: np.ndarray, workers: int) -> MatrixOperator:
        """Assembled ``P_pi``.

        Args:
            pi: agents' tables side by side, (S, sum A_i).
            workers: number of threads.
        """
        matrix = mix_kernel(self.P, pi, np.array(self.n_actions), workers)
        return MatrixOperator(matrix, workers, self.P.shape[0])

    def flow(self, weight: Float[np.ndarray, "B A"], low: int) -> Float[np.ndarray, " S"]:
        """``sum_{s, a} weight[s - low, a] P(. | s, a)`` by SciPy.

        Args:
            weight: mass of the pairs, (B, A).
            low: first state.
        """
        A = self.n_joint_actions
        rows = self.P[low * A : (low + len(weight)) * A]
        total: np.ndarray = rows.T @ weight.reshape(-1)
        return total

    def chosen(self, actions: Int[np.ndarray, " S"]) -> csr_array:
        """Transition matrix of a deterministic joint policy, (S, S).

        Args:
            actions: joint action of each state, (S,).
        """
        rows = np.arange(self.n_states) * self.n_joint_actions + actions
        if self.row_width > 1:
            return self.P[rows]
        parts = self.P.data[rows], self.P.indices[rows], np.arange(self.n_states + 1)  # one entry per row
        return csr_array(parts, shape=(self.n_states, self.n_states))


def _csr_view(P: Any) -> csr_array:
    """Read-only view of a CSR matrix with float64 data; anything else is refused rather than converted."""
    if not (issparse(P) and P.format == "csr"):
        kind = f"a sparse {P.format} matrix" if issparse(P) else f"a {type(P).__name__}"
        raise ValueError(f"P is {kind}, not scipy CSR of shape (S A, S)")
    if P.dtype != np.float64:
        raise ValueError(f"P has dtype {P.dtype}, not float64")
    parts = [np.asarray(part).view() for part in (P.data, P.indices, P.indptr)]
    for part in parts:
        part.setflags(write=False)
    if len(parts[2]) != P.shape[0] + 1 or parts[2][0] != 0 or parts[2][-1] > min(len(parts[0]), len(parts[1])):
        raise ValueError("P.indptr does not fit P.data: it starts at 0, has S A + 1 entries and ends at their number")
    view = csr_array(P.shape, dtype=np.float64)
    view.data, view.indices, view.indptr = parts
    return view


def _require_kernel(P: csr_array, n_joint: int) -> None:
    """Raise at the first row that is no probability vector; one pass, nothing allocated."""
    fault, row, position, value = _first_bad_row(P.indptr, P.indices, P.data, P.shape[1], ROW_SUM_TOLERANCE)
    if not fault:
        return
    pair = f"s={row // n_joint}, a={row % n_joint}"
    if fault == 1:
        raise ValueError(f"P[{pair}] has column {value:.0f}; successors lie between 0 and {P.shape[1] - 1}")
    if fault == 4:
        raise ValueError(f"P[{pair}] sums to {value:.15g}, not 1")
    if fault == 5:
        raise ValueError(f"P[{pair}] has a negative length: P.indptr decreases")
    where = f"P[{pair}, t={P.indices[position]}]"
    if fault == 2:
        raise ValueError(f"{where} is {value}, not a finite number")
    raise ValueError(f"{where} is {value:g}; probabilities are not negative")
