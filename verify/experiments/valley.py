"""Exact normalised gradient steps alpha/t where their rate is known: a valley (1/T) and a circle (faster)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Real = float | np.ndarray
"""One number, or one per instance."""


@dataclass(frozen=True)
class Valley:
    r"""Two states drawn at random, one with an optimum at infinity, one with an optimum inside: the gap falls as 1/T.

    State A has logits (x, 0, 0) and rewards (1, 0, 0), state B logits (y, 0, -y) and rewards (0, 1, 0); A is drawn with
    probability `weight`, and gamma = 0. The gap to the best of the class is

    ``weight 2/(2 + e^(a x)) + (1 - weight) (1/3 - 1/(1 + 2 cosh(b y)))``.

    Exact normalised gradient steps ``alpha/t`` overshoot y = 0 by about ``alpha/(2t)``, so that ``dJ/dy`` is about
    ``(1 - weight) (2/9) b^2 alpha/(2t)`` and takes the whole step, and x creeps: with u the first part of the gap,
    ``u_{t+1} - u_t ~ -u^2 a^2 / ((1 - weight) b^2/9)``, hence ``t u -> (1 - weight) b^2 / (9 a^2)``, whatever alpha is.

    Attributes:
        weight: probability of state A; an array for several instances at once.
        a: scale of the logit x.
        b: scale of the logit y.
    """

    weight: Real = 0.5
    a: Real = 1.0
    b: Real = 1.0

    @property
    def smoothness(self) -> Real:
        """Lipschitz constant of the gradient: the Hessian is diagonal.

        ``|(p(1-p))'| <= 1/(6 sqrt 3)`` for the logistic curve p, and ``2/9`` at y = 0 for ``1/(1 + 2 cosh y)``.
        """
        return np.maximum(self.weight * self.a**2 / (6 * np.sqrt(3)), (1 - self.weight) * self.b**2 * 2 / 9)

    def gap(self, x: Real, y: Real) -> np.ndarray:
        """Gap to the best of the class, one number per instance.

        Args:
            x: parameter of state A.
            y: parameter of state B.
        """
        inside = 1 / 3 - 1 / (1 + 2 * np.cosh(self.b * y))
        return np.asarray(self.weight * 2 / (2 + np.exp(self.a * x)) + (1 - self.weight) * inside)

    def gradient(self, x: Real, y: Real) -> tuple[np.ndarray, np.ndarray]:
        """Derivatives of J in x and in y, each in the common shape of what it depends on.

        Args:
            x: parameter of state A.
            y: parameter of state B.
        """
        tail = np.exp(-self.a * x)
        along = self.weight * self.a * 2 * tail / (1 + 2 * tail) ** 2
        across = -(1 - self.weight) * self.b * 2 * np.sinh(self.b * y) / (1 + 2 * np.cosh(self.b * y)) ** 2
        return np.asarray(along), np.asarray(across)


@dataclass(frozen=True, eq=False)
class Descent:
    """A run of exact normalised gradient steps ``alpha/t``.

    Attributes:
        times: t at which the gap is reported (before step t).
        gaps: there.
        domination: least ``||grad J|| / gap`` along the run: sqrt(mu) of Lemma 5.7 with eps' = 0.
    """

    times: np.ndarray
    gaps: np.ndarray
    domination: np.ndarray


def descend(
    valley: Valley, alpha: Real, start: tuple[Real, Real], first: int, times: Sequence[int]
) -> Descent:
    """Exact gradient, line 17's step, from time `first` on; parameters of `valley` may be arrays of one shape.

    Args:
        valley: the instance, or several of them.
        alpha: actor scale.
        start: x and y at time `first`.
        first: first t.
        times: increasing, from `first` on.

    Raises:
        ValueError: times not increasing from `first`.
    """
    if list(times) != sorted(set(times)) or times[0] < first:
        raise ValueError(f"times is {list(times)}; it increases from at least first = {first}")
    x, y = (np.asarray(v, dtype=float) for v in start)
    wanted, gaps, least = set(times), [], np.asarray(np.inf)
    for t in range(first, times[-1] + 1):
        gap = valley.gap(x, y)
        if t in wanted:
            gaps.append(gap)
        along, across = valley.gradient(x, y)
        norm = np.sqrt(along**2 + across**2)
        least = np.minimum(least, norm / gap)
        x, y = x + alpha / t * along / norm, y + alpha / t * across / norm
    return Descent(np.asarray(times), np.asarray(gaps), least)


def circle_gaps(alpha: float, start: float, first: int, times: Sequence[int]) -> Descent:
    """The same on one circle, ``gap = (1 - cos t)/6`` at the angle t: three arms, c = 1/2, gamma = 0.

    Args:
        alpha: angle times t of step t.
        start: angle at time `first`.
        first: first t.
        times: increasing, from `first` on.
    """
    angle, gaps, least, wanted = start, [], np.inf, set(times)
    for t in range(first, times[-1] + 1):
        gap = 2 * np.sin(angle / 2) ** 2 / 6
        if t in wanted:
            gaps.append(gap)
        least = min(least, abs(np.sin(angle)) / 6 / gap) if gap > 0 else least
        angle -= alpha / t * np.sign(np.sin(angle))
    return Descent(np.asarray(times), np.asarray(gaps), np.asarray(least))
