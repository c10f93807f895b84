r"""The actor's signal of zhang2025 Algorithm 1, line 9: as printed, and repaired.

Printed, ``delta = Q(s, a) - r - gamma Q(s', a')``: given (s, a) its mean with the exact Q is zero, by the Bellman
equation that defines Q, and so is that of the direction, whatever the policy (`verify.zhang2025.listing.direction`).

Repaired, ``delta = r + gamma V(s') - V(s)`` with the original kernel's s': given (s, a) its mean with the exact V is
the advantage. With V in place of Q the critic needs no sum over the responses that could have been given, which are
too many for a language model. States have to follow the discounted visitation: with dialogues of fixed length the
turn h (from 0) carries the weight gamma^h, and the directions of one dialogue add up to a mean of

.. math:: \sum_{h < H} \gamma^h E[\text{Adv}(s_h, a_h) \psi_h] = \nabla J_{\text{dialogue}} = (1 - \gamma^H) \nabla J;

along the restart kernel no weight is needed and the mean is ``(1 - gamma) grad J`` per step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

Direction = Literal["printed", "repaired", "flipped"]


@dataclass(frozen=True)
class Rule:
    """A signal and the data it needs.

    Attributes:
        name: for tables.
        form: ``"q"``: values of state and responses; ``"v"``: of states.
        sign: +1 for ``value - r - gamma next``, -1 for its negative.
        target: where s' of the signal comes from: ``"data"``: wherever the dialogue went on, restarts included, as
            Sec. 3.1 defines P; ``"original"``: the kernel without restarts.
        discounted: whether dialogues of fixed length weigh turn h by gamma^h.
    """

    name: str
    form: Literal["q", "v"]
    sign: float
    target: Literal["data", "original"]
    discounted: bool


PRINTED = Rule("printed", "q", 1.0, "data", False)
"""Line 9 as it stands."""

REPAIRED = Rule("repaired", "v", -1.0, "original", True)
"""The nearest form whose mean is along grad J and which needs no sum over responses."""

FLIPPED = Rule("flipped", "q", -1.0, "data", False)
"""Line 9 with its sign reversed: the mean is zero as well."""

RULES: dict[str, Rule] = {rule.name: rule for rule in (PRINTED, REPAIRED, FLIPPED)}
"""Rules by name."""


def rule_of(direction: str) -> Rule:
    """The rule with that name.

    Args:
        direction: a key of `RULES`.

    Raises:
        ValueError: an unknown name.
    """
    if direction not in RULES:
        raise ValueError(f"direction is {direction!r}, not one of {', '.join(map(repr, RULES))}")
    return RULES[direction]


def signal(
    rule: Rule,
    gamma: float,
    values: Float[np.ndarray, "N B"],
    rewards: Float[np.ndarray, "N B"],
    after: Float[np.ndarray, "N B"],
) -> Float[np.ndarray, "N B"]:
    """Line 9, for every agent and dialogue, before gossip.

    Args:
        rule: which form and sign.
        gamma: discount factor.
        values: every agent's critic at (s, a), or at s.
        rewards: local rewards.
        after: every agent's critic at (s', a'), or at s'.

    Source: zhang2025 Algorithm 1, line 9.
    """
    delta: np.ndarray = rule.sign * (values - rewards - gamma * after)
    return delta
