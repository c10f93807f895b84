"""Settings of a multi-agent RLHF run: the numbers of zhang2025 Appendix D.2, and what the text leaves open."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Literal, get_args

Data = Literal["episodes", "restart"]
Shown = Literal["all", "one"]
Scored = Literal["exchange", "dialogue"]
Optimiser = Literal["adam", "normalised", "plain"]
CriticStart = Literal["previous", "initial"]
CriticKind = Literal["mlp", "equation-5"]

CHOICES: dict[str, tuple[str, ...]] = {
    "data": get_args(Data),
    "shown": get_args(Shown),
    "scored": get_args(Scored),
    "optimiser": get_args(Optimiser),
    "critic_start": get_args(CriticStart),
    "critic": get_args(CriticKind),
}
"""Allowed values of the fields of `Settings` that are words."""

LEAST = {
    "episodes": 1, "turns": 1, "dialogues": 1, "response_tokens": 1, "user_tokens": 1, "lora_rank": 1, "width": 1,
    "depth": 1, "gossip_rounds": 0, "checkpoint_every": 1,
}  # fmt: skip
"""Least values of the whole numbers."""


@dataclass(frozen=True)
class Settings:
    r"""Settings of one run; the defaults are the printed ones where there are any.

    The joint action at a prompt is the triple of responses. Agent i is paid for its own by its own reward model:
    ``r^i(s, a^i)`` of Sec. 3.1 and Fig. 3. What the text leaves open, and what we take:

    - *State.* The whole dialogue so far, ending with the user's last message. "Prompt (global state)" of Sec. 6.2
      could mean that message alone, which is no state: the number of turns left is part of the future's law.
    - *Aggregation.* "All local responses are aggregated into a final response and then shown to the prompting
      module": the user model reads all responses one after another (``shown="all"``) or one of them, drawn evenly
      (``"one"``). The dialogue goes on with what was shown.
    - *What is scored.* The user's last message with the agent's own response, as reward models are trained
      (``scored="exchange"``), or the whole dialogue with that response at its end (``"dialogue"``).
    - *Learning step.* One turn is one outer iteration. With K = M = 1 the critic's and the actor's sample are one
      and the same tuple ("more synchronous"): the listing's a_{t,0}, never drawn there, is the critic's a_k.
    - *After the last turn* the next state is the opening question, with probability one under the original kernel and
      the restart kernel alike, so that Eq. (1) is that of dialogues without end, ``J = J_dialogue / (1 - gamma^3)``.
    - *Restarts.* The dialogues of D.2 have three turns each (``data="episodes"``); ``"restart"`` moves by the restart
      kernel of Sec. 3.1 instead and begins anew with probability 1 - gamma after each turn.
    - *Steps.* Adam, as D.2 says; ``"normalised"``: alpha d / ||d||, line 17 of Algorithm 1; ``"plain"``: alpha d.
    - *Critic between iterations.* Line 2 of Algorithm 2 would take it back to W(0) each time and Adam with it;
      ``"previous"`` goes on from what it knows. Line 9's running average halves one step at K = 1 and is left to
      Adam; no B is given, so there is no projection.
    - *Critic network.* ``"mlp"``: an input layer, D hidden layers of width m, all trained, from the usual uniform
      start; ``"equation-5"``: that of Eq. (5), whose values start with standard deviation sqrt(2 m), 23 here.
    - *LoRA.* Scale and layers are not given; 16 and the projections of queries and values, as Hu et al. (2021).

    Attributes:
        episodes: dialogues, one after another.
        turns: prompt-response exchanges of a dialogue.
        dialogues: how many run side by side; a step averages over them. 1 is printed (M = 1).
        gamma: discount factor, in [0, 1).
        alpha: actor step, not negative.
        beta: critic step, not negative.
        gossip_rounds: t_gossip.
        lora_rank: rank of the adapters.
        lora_scale: LoRA's alpha; the update of a weight is ``lora_scale / lora_rank B A``.
        lora_layers: names of the adapted layers.
        width: m.
        depth: D.
        response_tokens: most tokens of a response; ours.
        user_tokens: most tokens of a user's message; ours.
        data: see above.
        shown: see above.
        scored: see above.
        optimiser: see above.
        critic_start: see above.
        critic: see above.
        checkpoint_every: episodes between two checkpoints.

    Raises:
        ValueError: on construction, naming the field and its value.

    Source: zhang2025 Sec. 6.2, Appendix D.2, Algorithms 1 and 2.
    """

    episodes: int = 100
    turns: int = 3
    dialogues: int = 1
    gamma: float = 0.5
    alpha: float = 1e-4
    beta: float = 1e-4
    gossip_rounds: int = 20
    lora_rank: int = 8
    lora_scale: float = 16.0
    lora_layers: tuple[str, ...] = ("q_proj", "v_proj")
    width: int = 256
    depth: int = 3
    response_tokens: int = 12
    user_tokens: int = 12
    data: Data = "episodes"
    shown: Shown = "all"
    scored: Scored = "exchange"
    optimiser: Optimiser = "adam"
    critic_start: CriticStart = "previous"
    critic: CriticKind = "mlp"
    checkpoint_every: int = 20

    def __post_init__(self) -> None:
        for name, least in LEAST.items():
            value = getattr(self, name)
            if not isfinite(value) or value != int(value) or value < least:
                raise ValueError(f"{name} is {value}; it is a whole number of at least {least}")
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is {getattr(self, name)!r}, not one of {', '.join(map(repr, allowed))}")
        for name in ("alpha", "beta"):
            value = getattr(self, name)
            if not isfinite(value) or value < 0:
                raise ValueError(f"{name} is {value:g}; a step is finite and not negative")
        if not 0.0 <= self.gamma < 1.0:
            raise ValueError(f"gamma is {self.gamma:g}; the discount lies in [0, 1)")
        if not (isfinite(self.lora_scale) and self.lora_scale > 0):
            raise ValueError(f"lora_scale is {self.lora_scale:g}; it is finite and positive")
        if not self.lora_layers or isinstance(self.lora_layers, str):
            raise ValueError(f"lora_layers is {self.lora_layers!r}; it is a tuple of one or more names of layers")
        object.__setattr__(self, "lora_layers", tuple(self.lora_layers))

    @property
    def steps(self) -> int:
        """Outer iterations in all: one per turn."""
        return self.episodes * self.turns
