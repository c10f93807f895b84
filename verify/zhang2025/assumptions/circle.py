r"""One agent on a circle: a small class that meets zhang2025 Assumptions 5.2, 5.3 and 5.5, constants known.

A bandit with three arms, rewards (1, 0, 0) and the circular class ``pi_k = (1 + c cos(t - 2 pi k/3))/3`` at the angle
``t = s theta`` (`mdp.policies.CircularPolicy`). Then, with ``h = 1/(1 - gamma)``,

``J(theta) = h (1 + c cos t)/3``, ``|J'| <= L = s c h/3`` and ``|J''| <= K = s L``, all attained;

the score is at most one where ``s^2 c^2 <= 1 - c^2``; the Fisher information is at least ``s^2 I_min`` with
``I_min = 1 - w (1 + Z)/(1 - Z)``, ``w^2 = 1 - c^2``, ``Z = ((1 - w)/c)^3``; and the compatible error of Assumption 5.6,
``(1 - p_0 - p_0'^2/(p_0 I))^2``, is largest at the worst angle pi, where it is ``((2 + c)/3)^2``.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import sqrt


def cosine_bounds(x: Fraction) -> tuple[Fraction, Fraction]:
    """Rational bounds on ``cos x`` from its Taylor series: ``1 - x^2/2`` and ``1 - x^2/2 + x^4/24``.

    Args:
        x: any rational.

    Returns:
        Lower and upper bound, true for every real x.
    """
    return 1 - x**2 / 2, 1 - x**2 / 2 + x**4 / 24


@dataclass(frozen=True)
class Circle:
    """The class above (attributes as there).

    Attributes:
        c: radius, in (0, 1).
        s: radians per unit of theta.
        gamma: discount.

    Raises:
        ValueError: on construction, c outside (0, 1), s not positive, gamma outside [0, 1), or a score above one.
    """

    c: Fraction
    s: Fraction
    gamma: Fraction

    def __post_init__(self) -> None:
        if not 0 < self.c < 1:
            raise ValueError(f"c is {self.c}; it lies in (0, 1)")
        if not self.s > 0:
            raise ValueError(f"s is {self.s}; it is positive")
        if not 0 <= self.gamma < 1:
            raise ValueError(f"gamma is {self.gamma}; it lies in [0, 1)")
        if self.s**2 * self.c**2 > 1 - self.c**2:
            raise ValueError(f"s is {self.s}; the score exceeds one in Assumption 5.5 for c = {self.c}")

    @property
    def lipschitz(self) -> Fraction:
        """Least Lipschitz constant of J, the L_J of Assumption 5.8."""
        return self.s * self.c / (3 * (1 - self.gamma))

    @property
    def smoothness(self) -> Fraction:
        """Least Lipschitz constant of the gradient."""
        return self.s * self.lipschitz

    @property
    def worst_gap(self) -> Fraction:
        """``J* - J`` at the worst angle, with J* over all policies; also ``sqrt(eps_bias)/(1 - gamma)``."""
        return (2 + self.c) / (3 * (1 - self.gamma))

    @property
    def information(self) -> float:
        """mu_f: the Fisher information's least value over theta."""
        w = sqrt(1 - self.c**2)
        Z = ((1 - w) / float(self.c)) ** 3
        return float(self.s) ** 2 * (1 - w * (1 + Z) / (1 - Z))
