"""Chains whose support is searched: transient states, skipped actions, features of any rank; always exact."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from flint import fmpq

from mdp.fisher import null_space
from mdp.linear import rational_array
from verify.search.family import normalised_rows
from verify.zeng2022.setting.uniqueness import SupportedPoint, systems

STATES_WEIGHT, FEATURE = 3, 2
"""Largest weight of a transition or action, and largest modulus of a feature, both integers; ours."""


@dataclass(frozen=True)
class Supports:
    """Integer weights and features, so that ranks are exact at every point of the box.

    Every parameter is rounded down. A weight below one counts as zero; rows without any weight are uniform.

    Attributes:
        n_states: S.
        n_actions: A.
        features: columns of Phi, and of Psi.
    """

    n_states: int = 3
    n_actions: int = 2
    features: int = 2

    @property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Kernel and policy weights in [-3, 3], features in [-2, 2], and ten times gamma in [1, 9], flat."""
        S, A, K = self.n_states, self.n_actions, self.features
        ends = [(-STATES_WEIGHT, STATES_WEIGHT)] * (S * A * S + S * A) + [(-FEATURE, FEATURE)] * (S * K + S * A * K)
        low, high = zip(*ends, (1, 9), strict=True)
        return rational_array(low), rational_array(high)

    def build(self, parameters: np.ndarray) -> SupportedPoint | None:
        """The exact problem; None unless the chain has exactly one closed class.

        Args:
            parameters: floats or rationals, a flat vector.
        """
        S, A, K = self.n_states, self.n_actions, self.features
        whole = np.array([int(np.floor(float(Fraction(str(x))))) for x in parameters])
        cuts = np.cumsum([S * A * S, S * A, S * K, S * A * K])
        P, pi, phi, varphi, gamma = np.split(whole, cuts)
        kernel = normalised_rows(rational_array(np.maximum(P, 0)).reshape(S, A, S))
        policy = normalised_rows(rational_array(np.maximum(pi, 0)).reshape(S, A))
        closed = closed_classes(np.einsum("sa,sat->st", policy, kernel))
        if len(closed) != 1:
            return None
        return SupportedPoint(
            P=kernel, pi=policy, closed=closed[0], gamma=fmpq(int(gamma[0]), 10),
            phi_state=rational_array(phi).reshape(S, K), phi_joint=rational_array(varphi).reshape(S, A, K),
        )

    def smaller(self, parameters: np.ndarray) -> Iterator[tuple[Supports, np.ndarray]]:
        """One state, action or feature less; where the parameters are cut is left to a new search.

        Args:
            parameters: floats or rationals, a flat vector.
        """
        for name in ("n_states", "n_actions", "features"):
            if getattr(self, name) > 1:
                less = replace(self, **{name: getattr(self, name) - 1})
                low, high = less.bounds
                kept = parameters[: len(low)].copy()
                kept[-1] = parameters[-1]
                yield less, np.minimum(np.maximum(kept, low), high)

    def describe(self, instance: SupportedPoint) -> dict[str, object]:
        """The whole problem.

        Args:
            instance: the problem.
        """
        return {
            "P": instance.P, "pi": instance.pi, "mu": instance.stationary, "gamma": instance.gamma,
            "Phi": instance.phi_state, "Psi": instance.phi_joint,
        }


def reachability(chain: np.ndarray) -> np.ndarray:
    """Which states lead to which in any number of steps, none included, (S, S) of booleans.

    Args:
        chain: transition matrix, floats or rationals, (S, S).
    """
    reach = np.asarray(chain > 0, dtype=bool) | np.eye(len(chain), dtype=bool)
    for _ in range(len(chain)):
        reach = reach | (reach.astype(int) @ reach.astype(int) > 0)
    return reach


def closed_classes(chain: np.ndarray) -> list[tuple[int, ...]]:
    """Sets of states that lead to each other and to no other state.

    Args:
        chain: transition matrix, floats or rationals, (S, S).
    """
    reach = reachability(chain)
    found = {tuple(int(t) for t in np.flatnonzero(row)) for s, row in enumerate(reach) if reach[row, s].all()}
    return sorted(found)


def rank_gaps(supported: bool = True) -> Callable[[SupportedPoint], tuple[int, int]]:
    """How many of the four systems have another rank than the features on the rows with positive weight.

    Args:
        supported: whether only rows with positive weight count; the printed statement takes all of them.
    """

    def sides(point: SupportedPoint) -> tuple[int, int]:
        states = np.asarray(point.stationary > 0, dtype=bool) | (not supported)
        pairs = np.asarray(point.pairs > 0, dtype=bool) | (not supported)
        claimed = dict.fromkeys(("td_error", "bellman", "td"), _rank(point.phi_state[states]))
        claimed["lambda"] = _rank(point.phi_joint[pairs])
        return sum(_rank(matrix) != claimed[name] for name, matrix in systems(point).items()), 0

    return sides


def _rank(matrix: np.ndarray) -> int:
    return int(matrix.shape[1] - null_space(matrix).shape[1])
