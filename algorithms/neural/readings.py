"""Readings of zhang2025 Algorithms 1 and 2: what the listing leaves open, and what it would take to be right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Kernel = Literal["original", "restart"]
Form = Literal["q", "v", "advantage", "undiscounted"]
Normalisation = Literal["agent", "stacked", "none"]
Signal = Literal["td", "q"]
Start = Literal["initial", "previous"]
HandOver = Literal["penultimate", "last"]

CHOICES: dict[str, tuple[str, ...]] = {
    "data_kernel": get_args(Kernel),
    "target_kernel": get_args(Kernel),
    "td_form": get_args(Form),
    "normalisation": get_args(Normalisation),
    "actor_signal": get_args(Signal),
    "critic_start": get_args(Start),
    "hand_over": get_args(HandOver),
}
"""Allowed values of the fields of `Reading`."""


@dataclass(frozen=True)
class Reading:
    r"""One reading of Algorithms 1 and 2.

    Attributes:
        data_kernel: kernel along which states move.
        target_kernel: kernel that draws s' of TD errors, hence the kernel whose Q the critic aims at. Where it
            differs from `data_kernel`, s' is drawn once by the original kernel and the restart is applied to one use.
        td_form: the actor's TD error. ``"q"``: ``Q(s,a) - r - gamma Q(s',a')``; ``"v"``: the same with
            ``V = E_pi Q`` in place of Q; ``"advantage"``: ``Q - E_pi Q``; ``"undiscounted"``: ``r + V(s') - V(s)``
            with s' of the *restart* kernel whatever `target_kernel` is (the restart is what discounts).
        flipped: whether the actor's TD error has its sign reversed.
        normalisation: step along ``d_i / ||d_i||`` (line 17), ``d / ||d||`` stacked over agents (as in the proof of
            Theorem 5.10), or d itself.
        actor_signal: ``"td"``, or ``"q"`` for Remark 1: the agent's own ``Q(s,a)``, not gossiped.
        critic_start: whether Algorithm 2 begins each outer iteration at W(0), as its line 2 says, or at what the last
            one returned. The ball stays around W(0).
        hand_over: the state that Algorithm 2 hands to Algorithm 1: s_{K-1}, as its line 13 says, which a simulator can
            go back to, or the last one, s_K.

    Raises:
        ValueError: on construction: a value outside `CHOICES`, named.

    Source: zhang2025 Algorithms 1 and 2, Sec. 3.1, Remark 1.
    """

    data_kernel: Kernel = "restart"
    target_kernel: Kernel = "restart"
    td_form: Form = "q"
    flipped: bool = False
    normalisation: Normalisation = "agent"
    actor_signal: Signal = "td"
    critic_start: Start = "initial"
    hand_over: HandOver = "penultimate"

    def __post_init__(self) -> None:
        for name, allowed in CHOICES.items():
            value = getattr(self, name)
            if value not in allowed:
                raise ValueError(f"{name} is {value!r}, not one of {', '.join(map(repr, allowed))}")

    @property
    def label(self) -> str:
        """Every field in a few words, for tables."""
        sign = ", flipped" if self.flipped else ""
        signal = self.td_form if self.actor_signal == "td" else "Q-value"
        kernels = f"{self.data_kernel} data, {self.target_kernel} target"
        return f"{signal}, {kernels}{sign}, {self.normalisation} norm, critic from {self.critic_start}"


PRINTED = Reading()
r"""As listed. P is the restart kernel (Sec. 3.1 defines P so), for data and target; line 9's sign and form; line 17's
normalisation. Its expected direction with an exact critic is exactly zero: ``E[delta | s, a] = Q - r - gamma E Q = 0``
is the Bellman equation that defines Q. `mdp.direction` has the directions of every reading."""

REPAIRED = Reading(target_kernel="original", td_form="advantage")
r"""The nearest reading whose expected direction is parallel to grad J: ``Q - E_pi Q`` of the *original* kernel on
restart data, exactly ``(1 - gamma) grad J`` with an exact critic, before normalisation. It departs from `PRINTED`
twice. (1) The critic's target uses the original kernel: the Q of the restart kernel discounts twice, and its advantage
is not that of J. (2) The advantage takes the place of the TD error, whose mean given (s, a) is zero and not the
advantage. The price is V = E_pi Q, a sum over joint actions. Per-agent normalisation is kept: it rescales each agent's
block by a positive number, so a step along E[d] still ascends, but it is not the stacked step of the proof."""

UNDISCOUNTED = Reading(target_kernel="original", td_form="undiscounted")
r"""The other repair: ``r + V(s') - V(s)`` with the original V on restart data, again exactly ``(1 - gamma) grad J`` in
expectation, as ``E[r + V(s') | s, a] = r + gamma P V + (1 - gamma) E_initial V = Q + const``."""

READINGS: dict[str, Reading] = {"printed": PRINTED, "repaired": REPAIRED, "undiscounted": UNDISCOUNTED}
"""Readings by name."""


def reading_of(reading: Reading | str) -> Reading:
    """A reading, or the one with that name.

    Args:
        reading: a `Reading` or a key of `READINGS`.

    Raises:
        ValueError: an unknown name.
    """
    if isinstance(reading, Reading):
        return reading
    if reading not in READINGS:
        raise ValueError(f"reading is {reading!r}, not a Reading or one of {', '.join(map(repr, READINGS))}")
    return READINGS[reading]
