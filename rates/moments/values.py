"""Second moments at a time or on average, read as errors against any target.

Source: ours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

import numpy as np
from flint import ctx

Target = str | np.ndarray
"""A name (see `rates.moments.linear.TARGETS`), ``"fixed_point"``, or an array (K,)."""


def _at_precision(method: Callable[..., Any]) -> Callable[..., Any]:
    """Run a method at the working precision of the value's balls, whatever the caller's is."""

    @wraps(method)
    def run(self: MomentValue, *arguments: Any, **named: Any) -> Any:
        with ctx.workprec(self.bits or ctx.prec):
            return method(self, *arguments, **named)

    return run


@dataclass(frozen=True, eq=False)
class MomentValue:
    """Moments of ``e = mean_i x_i - centre`` and ``d_i = x_i - mean`` (i < N - 1), floats or balls.

    Attributes:
        when: the time, in words.
        centre: fixed point of the mean update, (K,).
        mean_first: E e, (K,).
        mean_second: E e e^T, (K, K).
        disagreement_first: E d, (N - 1, K); the last agent's is minus the sum.
        disagreement_second: E d d^T over the stacked d, ((N - 1) K, (N - 1) K).
        cross: E e d^T, (K, (N - 1) K).
        n_agents: N.
        bits: working precision, or None over floats.
        resolve: finds a target by name.
    """

    when: str
    centre: np.ndarray
    mean_first: np.ndarray
    mean_second: np.ndarray
    disagreement_first: np.ndarray
    disagreement_second: np.ndarray
    cross: np.ndarray
    n_agents: int
    bits: int | None
    resolve: Callable[[Target], np.ndarray] = field(repr=False)

    @_at_precision
    def total(self, target: Target = "fixed_point") -> Any:
        """``E sum_i ||x_i - target||^2``.

        Args:
            target: name or array (K,).
        """
        return self.mean_part(target) + self.disagreement

    @_at_precision
    def mean_part(self, target: Target = "fixed_point") -> Any:
        """``N E ||mean_i x_i - target||^2``.

        Args:
            target: name or array (K,).
        """
        return self.floor(target) + self._moving(target)

    @_at_precision
    def excess(self, target: Target = "fixed_point") -> Any:
        """`total` minus `floor`, without a subtraction; negative where the iterates are nearer than their centre.

        Args:
            target: name or array (K,).
        """
        return self._moving(target) + self.disagreement

    @_at_precision
    def floor(self, target: Target = "fixed_point") -> Any:
        """``N ||centre - target||^2``: what is left as the step size tends to zero (and beta T to infinity).

        Args:
            target: name or array (K,).
        """
        offset = self._offset(target)
        return self.n_agents * (offset @ offset)

    @property
    @_at_precision
    def disagreement(self) -> Any:
        """``E sum_i ||x_i - mean_j x_j||^2``."""
        if self.n_agents == 1:
            return self.mean_first[0] * 0
        K = len(self.centre)
        blocks = self.disagreement_second.reshape(self.n_agents - 1, K, self.n_agents - 1, K)
        traces = np.stack([[blocks[i, :, j].diagonal().sum() for j in range(len(blocks))] for i in range(len(blocks))])
        return traces.diagonal().sum() + traces.sum()

    @_at_precision
    def per_agent(self, target: Target = "fixed_point") -> np.ndarray:
        """``E ||x_i - target||^2`` for every agent, (N,).

        Args:
            target: name or array (K,).
        """
        second, first = self.stacked()
        N, K = self.n_agents, len(self.centre)
        offset, blocks = self._offset(target), second.reshape(N, K, N, K)
        return np.array(
            [
                blocks[i, :, i].diagonal().sum() + 2 * (first[i * K : (i + 1) * K] @ offset) + offset @ offset
                for i in range(N)
            ]
        )

    @_at_precision
    def stacked(self) -> tuple[np.ndarray, np.ndarray]:
        """Second moment (NK, NK) and first moment (NK,) of the agents stacked, each minus the centre."""
        N, K = self.n_agents, len(self.centre)
        unit, eye = self.mean_first[0] * 0 + 1, np.eye(K, dtype=int)
        deviations = np.concatenate([np.eye(N - 1, dtype=int), -np.ones((1, N - 1), dtype=int)])
        B = np.kron(np.concatenate([np.ones((N, 1), dtype=int), deviations], axis=1), eye) * unit
        inner = np.block([[self.mean_second, self.cross], [self.cross.T, self.disagreement_second]])
        return B @ inner @ B.T, B @ np.concatenate([self.mean_first, self.disagreement_first.reshape(-1)])

    def _offset(self, target: Target) -> np.ndarray:
        offset: np.ndarray = self.centre - self.resolve(target)
        return offset

    def _moving(self, target: Target) -> Any:
        return self.n_agents * (self.mean_second.diagonal().sum() + 2 * (self._offset(target) @ self.mean_first))
