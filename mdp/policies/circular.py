r"""The circular class: probabilities run round a circle inside the simplex, so no theta is ever saturated.

Softmax classes lose their Fisher information at infinity. Here theta enters through an angle, the probabilities
stay at least ``p_min > 0``, and the Fisher information of the angle is bounded below by the same constant for
every theta: the setting in which zhang2025 Assumption 5.5 can be met.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from mdp.validate import as_float_array, require_shape


@dataclass(frozen=True, eq=False)
class CircularPolicy:
    r"""``pi_i(k | s) = (1 + c cos(t - 2 pi k / A_i)) / A_i`` at the angle ``t = scale features_i[s] . theta_i``.

    Write ``x_k = t - 2 pi k / A``, ``w = sqrt(1 - c^2)``, ``q = (1 - w) / c`` and ``Z = q^A``, with 0 < c < 1 and
    A >= 3. The constants, per unit of the angle t, and their proofs:

    1. *Probabilities.* ``sum_k exp(i x_k) = 0`` for A >= 2, so the row sums to one, and
       ``(1 - c)/A <= pi <= (1 + c)/A``. For A >= 3 also ``sum_k exp(2 i x_k) = 0``, so the points lie on a circle of
       radius ``c / sqrt(2 A)`` about the uniform law.
    2. *Score.* ``d log pi / dt = -c sin x / (1 + c cos x)``. Its derivative ``-c (c + cos x) / (1 + c cos x)^2``
       vanishes where ``cos x = -c``, and there the modulus is ``c / w``: ``|score| <= c / w``, and it is attained.
    3. *Fisher information.* ``c^2 sin^2 x / (1 + c cos x) = (1 - c cos x) - w^2 / (1 + c cos x)``. The mean over k
       of the first part is 1. For the second, ``1 + c cos x = |1 + q e^{ix}|^2 c / (2 q)`` (q solves
       ``c q^2 - 2 q + c = 0``), so a geometric series gives the Poisson kernel
       ``1 / (1 + c cos x) = (1 + 2 sum_n (-q)^n cos n x) / w``, and the mean over k keeps the n divisible by A.
       With ``z = (-q)^A``,

       ``I(t) = 1 - w (1 - Z^2) / (1 - 2 z cos(A t) + Z^2)``.

       Hence ``I_min <= I(t) <= I_max`` with ``I_min = 1 - w (1 + Z)/(1 - Z)`` and ``I_max = 1 - w (1 - Z)/(1 + Z)``;
       both are attained. As ``(1 + q^2)/(1 - q^2) = 1/w`` and ``(1 + y)/(1 - y)`` increases in y, ``I_min = 0``
       for A = 2 (the curve is a segment run to and fro) and ``I_min > 0`` for A >= 3.
       A weaker bound without the series: ``sum_k p_k'^2 / p_k >= sum_k p_k'^2 / max p = c^2 / (2 (1 + c))``.
    4. *Score derivative.* ``|c (c + cos x) / (1 + c cos x)^2| <= c / (1 - c)``, attained at ``cos x = -1``: as a
       function of ``u = cos x`` it is ``-c/(1-c)`` at -1, ``c/(1+c)`` at 1, and its one stationary value
       ``1/(4 w^2)``, inside [-1, 1] only for c >= 1/2, is then below ``c/(1-c)``.

    With features, everything carries over by the chain rule: scores gain a factor ``scale |features_i[s]|``, and
    agent i's Fisher information under a state law d is ``scale^2 sum_s d(s) I(t_s) f_s f_s^T``, hence at least
    ``scale^2 min_s d(s) I_min lambda_min(sum_s f_s f_s^T)``. Agents act independently given the state and scores
    have mean zero, so the joint information is block diagonal over agents.

    Attributes:
        n_actions: actions per agent, at least three each.
        features: one array (S, H + G) per agent; the identity gives one angle per state.
        radius: c, in (0, 1).
        scale: radians per unit of ``features . theta``.
        n_shared: H.

    Raises:
        ValueError: on construction: fewer than three actions, shapes, NaN, c outside (0, 1), scale not positive.

    Source: ours; zhang2025 Assumption 5.5 is what it is for.
    """

    n_actions: tuple[int, ...]
    features: tuple[np.ndarray, ...]
    radius: float = 0.5
    scale: float = 1.0
    n_shared: int = 0

    def __post_init__(self) -> None:
        n_actions = tuple(int(k) for k in self.n_actions)
        if not n_actions or min(n_actions) < 3:
            raise ValueError(f"n_actions is {n_actions}; a circle needs at least three actions for every agent")
        if len(self.features) != len(n_actions):
            raise ValueError(f"features has {len(self.features)} tables for {len(n_actions)} agents")
        features = tuple(as_float_array(f"features[{i}]", table, 2) for i, table in enumerate(self.features))
        for i, table in enumerate(features):
            require_shape(f"features[{i}]", table, features[0].shape, "(S, H + G)")
        if not 0 < self.radius < 1:
            raise ValueError(f"radius is {self.radius}; probabilities stay positive for radius in (0, 1)")
        if not (np.isfinite(self.scale) and self.scale > 0):
            raise ValueError(f"scale is {self.scale}; it is positive and finite")
        if not 0 <= self.n_shared <= features[0].shape[1]:
            raise ValueError(f"n_shared is {self.n_shared}; it lies between 0 and H + G = {features[0].shape[1]}")
        object.__setattr__(self, "n_actions", n_actions)
        object.__setattr__(self, "features", features)

    @classmethod
    def tabular(
        cls, n_states: int, n_actions: Sequence[int], *, radius: float = 0.5, shared: bool = False
    ) -> CircularPolicy:
        """One angle per state and agent, all shared or all personal.

        Args:
            n_states: S.
            n_actions: actions per agent, at least three each; they may differ.
            radius: c, in (0, 1).
            shared: whether the angles are shared by consensus.

        Raises:
            ValueError: fewer than three actions, or c outside (0, 1).
        """
        angles = (np.eye(n_states),) * len(n_actions)
        return cls(tuple(n_actions), angles, radius, n_shared=n_states if shared else 0)

    def normalised(self, *, consensual: bool = False) -> CircularPolicy:
        """The same class at the largest scale for which the joint score norm is proven to be at most one.

        Args:
            consensual: norm in the coordinates where the shared part is common to all agents (see `score_bound`).

        Source: zhang2025 Assumption 5.5, first part.
        """
        return replace(self, scale=self.scale / self.score_bound(consensual=consensual))

    @property
    def n_states(self) -> int:
        """Number of states, S."""
        return int(self.features[0].shape[0])

    @property
    def n_parameters(self) -> int:
        """Number of parameters of one agent, H + G."""
        return int(self.features[0].shape[1])

    @property
    def min_probability(self) -> float:
        """Least probability of any action at any theta: ``min_i (1 - c)/A_i``."""
        return (1 - self.radius) / max(self.n_actions)

    def probabilities(self, theta: Float[np.ndarray, "N D"]) -> list[np.ndarray]:
        """Tables pi_i(a_i | s).

        Args:
            theta: parameters, shape (N, H + G).

        Returns:
            One (S, A_i) array per agent.

        Raises:
            ValueError: theta has another shape or a NaN.
        """
        return [self._table(i, row) for i, row in enumerate(self._check(theta))]

    def log_jacobian(self, theta: Float[np.ndarray, "N D"]) -> list[np.ndarray]:
        """Scores: ``-c sin x / (1 + c cos x) scale features_i[s]``.

        Args:
            theta: parameters, shape (N, H + G).

        Returns:
            One (S, A_i, H + G) array per agent.

        Raises:
            ValueError: theta has another shape or a NaN.
        """
        scores = []
        for i, row in enumerate(self._check(theta)):
            x = self._phases(i, row)
            angle_score = -self.radius * np.sin(x) / (1 + self.radius * np.cos(x))
            scores.append(angle_score[:, :, None] * self.scale * self.features[i][:, None, :])
        return scores

    def angle_information(self, agent: int) -> tuple[float, float]:
        """``(I_min, I_max)``: exact range of the Fisher information of the angle, over all angles.

        Args:
            agent: index of the agent (only its number of actions matters).
        """
        w = float(np.sqrt(1 - self.radius**2))
        Z = (self.radius / (1 + w)) ** self.n_actions[agent]
        # 1 - w (1 + Z)/(1 - Z) cancels for small c; with 1 - w = c^2/(1 + w) the numerator is exact to rounding
        rest = self.radius**2 / (1 + w)
        return float((rest - Z * (1 + w)) / (1 - Z)), float((rest + Z * (1 + w)) / (1 + Z))

    def score_bound(self, *, consensual: bool = False) -> float:
        """Proven bound on the norm of the joint score, for every theta, state and joint action.

        ``scale (c / w) max_s (sum_i |f_i[s]|^2)^(1/2)`` for stacked parameters. With a common shared part the shared
        scores add up: ``(sum_i |f_i^shared|)^2 + sum_i |f_i^personal|^2`` takes the place of the sum.

        Args:
            consensual: whether the shared part is one vector common to all agents rather than stacked.
        """
        H = self.n_shared if consensual else 0
        shared = np.stack([np.linalg.norm(f[:, :H], axis=1) for f in self.features]).sum(axis=0)
        personal = np.stack([np.linalg.norm(f[:, H:], axis=1) for f in self.features])
        per_state = np.sqrt(shared**2 + (personal**2).sum(axis=0))
        return float(self.scale * self.radius / np.sqrt(1 - self.radius**2) * per_state.max())

    def fisher_bound(self, min_state_probability: float) -> float:
        """Proven lower bound on the least eigenvalue of the joint Fisher information, for every theta.

        ``scale^2 min_state_probability min_i I_min,i lambda_min(sum_s f_i[s] f_i[s]^T)``; it holds for stacked
        parameters, and for a common shared part too (`mdp.fisher.fisher_consensual`).

        Args:
            min_state_probability: a lower bound, for every theta, on the state law. For the visitation
                ``(1 - gamma) min_s initial(s)`` will do; for the stationary law, ``min P``.

        Raises:
            ValueError: the bound is not in [0, 1].
        """
        if not 0 <= min_state_probability <= 1:
            raise ValueError(f"min_state_probability is {min_state_probability}; it lies in [0, 1]")
        per_agent = [
            self.angle_information(i)[0] * max(float(np.linalg.eigvalsh(f.T @ f)[0]), 0.0)
            for i, f in enumerate(self.features)
        ]
        return self.scale**2 * min_state_probability * min(per_agent)

    def _phases(self, agent: int, row: np.ndarray) -> np.ndarray:
        angles = self.scale * (self.features[agent] @ row)
        A = self.n_actions[agent]
        phases: np.ndarray = angles[:, None] - 2 * np.pi * np.arange(A) / A
        return phases

    def _table(self, agent: int, row: np.ndarray) -> np.ndarray:
        table: np.ndarray = (1 + self.radius * np.cos(self._phases(agent, row))) / self.n_actions[agent]
        return table

    def _check(self, theta: Any) -> np.ndarray:
        array = as_float_array("theta", theta, 2)
        require_shape("theta", array, (len(self.n_actions), self.n_parameters), "(N, H + G)")
        return array
