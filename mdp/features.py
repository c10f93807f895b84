"""Linear features of the critic and of the reward model (zeng2022 Assumption 4)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mdp.validate import as_float_array, require_full_column_rank

NORM_TOLERANCE = 1e-12
"""Slack for feature norms that are one up to rounding."""


@dataclass(frozen=True, eq=False)
class Features:
    """Features ``phi_state`` of the critic and ``phi_joint`` of the reward model.

    Attributes:
        phi_state: (S, K), rows phi(s).
        phi_joint: (S, A, L), rows varphi(s, a).
        norm_bound: largest allowed Euclidean norm of a feature vector; 1 in the paper.

    Raises:
        ValueError: on construction: shapes, NaN, a feature vector longer than `norm_bound` (with its index),
            columns that are linearly dependent (with a null vector).

    Source: zeng2022 Assumption 4.
    """

    phi_state: Float[np.ndarray, "S K"]
    phi_joint: Float[np.ndarray, "S A L"]
    norm_bound: float = 1.0

    def __post_init__(self) -> None:
        phi_state = as_float_array("phi_state", self.phi_state, 2)
        phi_joint = as_float_array("phi_joint", self.phi_joint, 3)
        if phi_joint.shape[0] != phi_state.shape[0]:
            raise ValueError(
                f"phi_joint has {phi_joint.shape[0]} states and phi_state has {phi_state.shape[0]}"
            )
        for name, table in (("phi_state", phi_state), ("phi_joint", phi_joint)):
            norms = np.linalg.norm(table, axis=-1)
            if norms.max() > self.norm_bound + NORM_TOLERANCE:
                where = tuple(int(k) for k in np.unravel_index(norms.argmax(), norms.shape))
                raise ValueError(
                    f"{name}[{', '.join(map(str, where))}] has norm {norms[where]:.6g}, above {self.norm_bound:g}"
                )
            require_full_column_rank(name, table.reshape(-1, table.shape[-1]))
        object.__setattr__(self, "phi_state", phi_state)
        object.__setattr__(self, "phi_joint", phi_joint)

    @classmethod
    def tabular(cls, n_states: int, n_joint_actions: int) -> Features:
        """One indicator per state and one per pair: everything is representable.

        Args:
            n_states: S.
            n_joint_actions: A.
        """
        pairs = n_states * n_joint_actions
        return cls(np.eye(n_states), np.eye(pairs).reshape(n_states, n_joint_actions, pairs))
