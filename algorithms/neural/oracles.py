"""Exact moments in place of samples: what the batch, the gossip and the critic do to the direction, one at a time.

zhang2025 Theorem 5.10 adds up the errors of a Markovian batch (term 4), of gossip (term 5) and of the critic (term 7).
Each obeys finite linear algebra on the chain of pairs z = (s, a), so that its mean square is computed and not
simulated, for any M or t_gossip (here) and K (`algorithms.neural.critic_moments`). `algorithms.neural.Oracles` switches
the same ingredients on inside a run.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from algorithms.neural.readings import Reading
from mdp.exact import Exact


@dataclass(frozen=True, eq=False)
class BatchLaw:
    """A stationary batch of vectors ``x_l = x(z_l, z_{l+1})`` along a chain.

    Attributes:
        kernel: transition matrix of the pairs, (Z, Z).
        law: its stationary law, (Z,).
        samples: x from a pair to the next, (Z, Z, n).

    Raises:
        ValueError: on construction, shapes that do not fit.
    """

    kernel: Float[np.ndarray, "Z Z"]
    law: Float[np.ndarray, " Z"]
    samples: Float[np.ndarray, "Z Z n"]

    def __post_init__(self) -> None:
        Z = len(self.law)
        if self.kernel.shape != (Z, Z) or self.samples.shape[:2] != (Z, Z) or self.samples.ndim != 3:
            raise ValueError(
                f"kernel has shape {self.kernel.shape} and samples {self.samples.shape}; the law asks for ({Z}, {Z}) "
                f"and ({Z}, {Z}, n)"
            )

    @cached_property
    def mean(self) -> Float[np.ndarray, " n"]:
        """``E x``."""
        value: np.ndarray = np.einsum("z,zt,ztn->n", self.law, self.kernel, self.samples)
        return value

    def autocovariance(self, lag: int) -> float:
        """``E <x_0 - E x, x_lag - E x>``.

        Args:
            lag: at least zero.

        Raises:
            ValueError: the lag is negative.
        """
        if lag < 0:
            raise ValueError(f"lag is {lag}; it is at least 0")
        if lag == 0:
            return float(np.einsum("z,zt,ztn->", self.law, self.kernel, (self.samples - self.mean) ** 2))
        before, after = self._ends
        return float((before * (np.linalg.matrix_power(self._deviation, lag - 1) @ after)).sum())

    def variance(self, size: int) -> float:
        """``E ||(x_0 + ... + x_{M-1})/M - E x||^2``.

        Args:
            size: M, at least one.

        Raises:
            ValueError: the size is below one.
        """
        if size < 1:
            raise ValueError(f"size is {size}; a batch has at least one sample")
        Z, (before, after) = len(self.law), self._ends
        # sum over lags of (M - lag) K^(lag-1), a double sum of powers, read off a power of a block matrix
        one, zero = np.eye(Z), np.zeros((Z, Z))
        block = np.block([[self._deviation, one, zero], [zero, one, one], [zero, zero, one]])
        weights = np.linalg.matrix_power(block, size)[:Z, 2 * Z :]
        return float((size * self.autocovariance(0) + 2 * (before * (weights @ after)).sum()) / size**2)

    def mean_square(self, size: int, target: Float[np.ndarray, " n"] | float = 0.0) -> float:
        """``E ||(x_0 + ... + x_{M-1})/M - target||^2``.

        Args:
            size: M, at least one.
            target: vector to compare with.

        Raises:
            ValueError: the size is below one.
        """
        return self.variance(size) + float(((self.mean - target) ** 2).sum())

    def limit(self) -> float:
        """Limit of ``M variance(M)``: the asymptotic variance of the batch."""
        before, after = self._ends
        fundamental = np.linalg.solve(np.eye(len(self.law)) - self._deviation, after)
        return self.autocovariance(0) + 2 * float((before * fundamental).sum())

    def expected_maximum(self, table: Float[np.ndarray, "Z Z"], size: int) -> float:
        """``E max_l f(z_l, z_{l+1})`` over a batch, from the probabilities that f stays below each of its values.

        Args:
            table: f, (Z, Z).
            size: M, at least one.
        """
        levels = np.unique(table[(self.law[:, None] * self.kernel) > 0])
        total, below = 0.0, 0.0
        for level in levels:
            masked = self.kernel * (table <= level)
            here = float(self.law @ np.linalg.matrix_power(masked, size).sum(axis=1))
            total, below = total + level * (here - below), here
        return float(total)

    @property
    def _deviation(self) -> np.ndarray:
        deviation: np.ndarray = self.kernel - self.law[None, :]
        return deviation

    @cached_property
    def _ends(self) -> tuple[np.ndarray, np.ndarray]:
        """``E[x_0; z_1]`` and ``E[x_1 | z_1]``, centred, both (Z, n)."""
        centred = self.samples - self.mean
        before = np.einsum("z,zt,ztn->tn", self.law, self.kernel, centred)
        return before, np.einsum("zt,ztn->zn", self.kernel, centred)


def pair_chain(view: Exact, restart: Exact, reading: Reading) -> tuple[np.ndarray, np.ndarray]:
    """Transition matrix of the pairs that the actor sees, (Z, Z), and its stationary law, (Z,).

    Args:
        view: quantities of the original kernel.
        restart: quantities of the restart kernel at the same policy.
        reading: its data kernel.
    """
    data = restart if reading.data_kernel == "restart" else view
    law = view.restart_stationary if reading.data_kernel == "restart" else view.stationary
    Z = view.pi.size
    kernel = (data.P.reshape(Z, -1)[:, :, None] * view.pi[None]).reshape(Z, Z)
    return kernel, (law[:, None] * view.pi).reshape(-1)


def signals(
    values: Float[np.ndarray, "N S A"], view: Exact, restart: Exact, reading: Reading
) -> Float[np.ndarray, "N Z Z"]:
    """Every agent's TD error from a pair to the next one, before gossip.

    Args:
        values: every agent's critic.
        view: quantities of the original kernel.
        restart: quantities of the restart kernel at the same policy.
        reading: the reading.

    Raises:
        ValueError: a reading whose successor is not the data's, so that the TD error is no function of two pairs.

    Source: zhang2025 Algorithm 1, line 9.
    """
    N, S, A = values.shape
    Z, gamma = S * A, float(view.gamma)
    Q, state = np.asarray(values).reshape(N, Z), np.repeat(np.arange(S), A)
    V = (view.pi * values).sum(axis=2)[:, state]
    r = np.asarray(view.r).reshape(N, Z)
    form = reading.td_form if reading.actor_signal == "td" else "value"
    if form == "value":
        delta = np.repeat(Q[:, :, None], Z, axis=2)
    elif form == "advantage":
        delta = np.repeat((Q - V)[:, :, None], Z, axis=2)
    elif form == "undiscounted":
        _same(reading.data_kernel == "restart", reading)
        delta = r[:, :, None] + V[:, None, :] - V[:, :, None]
    else:
        _same(reading.data_kernel == reading.target_kernel, reading)
        own, then = (Q, Q) if form == "q" else (V, V)
        delta = own[:, :, None] - r[:, :, None] - gamma * then[:, None, :]
    return -delta if reading.flipped else delta


def _same(same: bool, reading: Reading) -> None:
    if not same:
        raise ValueError(f"reading {reading.label!r} draws the TD error's successor apart from the data's")


def agent_scores(view: Exact) -> Float[np.ndarray, "N Z P"]:
    """Scores of every agent at every pair.

    Args:
        view: exact quantities; agent 0's action is the slowest index of a joint action.
    """
    widths = [score.shape[1] for score in view.scores]
    S, rows = view.pi.shape[0], []
    for i, score in enumerate(view.scores):
        P = score.shape[2]
        shape = (S, *(w if j == i else 1 for j, w in enumerate(widths)), P)
        rows.append(np.broadcast_to(np.asarray(score).reshape(shape), (S, *widths, P)).reshape(-1, P))
    return np.stack(rows)


def batch_law(
    delta: Float[np.ndarray, "N Z Z"], view: Exact, restart: Exact, reading: Reading,
    mixing: Float[np.ndarray, "N N"] | None = None,
) -> BatchLaw:  # fmt: skip
    """Law of the batch ``sum_j mixing_ij delta^j(z, z') psi^i(z)``, agents and parameters in one vector.

    Args:
        delta: signal of every agent from a pair to the next.
        view: quantities of the original kernel.
        restart: quantities of the restart kernel at the same policy.
        reading: its data kernel.
        mixing: ``A^t_gossip``, the average, or their difference; None for no mixing.

    Source: zhang2025 Algorithm 1, lines 12-16.
    """
    kernel, law = pair_chain(view, restart, reading)
    mixed = delta if mixing is None else np.tensordot(mixing, delta, axes=1)
    x = mixed[:, :, :, None] * agent_scores(view)[:, :, None, :]
    Z = len(law)
    return BatchLaw(kernel, law, np.ascontiguousarray(x.transpose(1, 2, 0, 3)).reshape(Z, Z, -1))
