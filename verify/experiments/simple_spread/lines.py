"""What the figures of zhang2025's Simple Spread study show: one line per setting, as printed and repaired."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from typing import Any

from algorithms.neural.spread import Actor, Rewards, SpreadSettings

HORIZON = 20_000
"""T. Source: zhang2025 Appendix D.1."""

PAPER_RUNS = 100
"""Repetitions. Source: zhang2025 Appendix D.1."""

RADIUS = 10.0
"""B of the repaired runs; ours, the paper gives none. Without a ball their TD steps leave the floating point range."""

OPEN = (
    "learning rates are bounds (alpha <= 0.005, beta <= 0.001): taken constant, at their bounds",
    "the projection radius B, landmarks' places, and whether a reward is that of the positions before or after the "
    "move: not in the text; no ball (printed) or B = 10 (repaired), one draw of landmarks, after the move",
    "inputs of the networks: the state (Sec. 3.2) and, for critics, the joint action; every cell and move one-hot. "
    "--actor cell-network shows an actor its own cell only, --actor softmax is a logit per own cell and move (networks "
    "of Eq. 5 are nearly deterministic at the start)",
    "one outer iteration draws K + M tuples, and all of them count towards the ten steps of an episode",
    "the optimum may see all positions and the step within the episode; actors see neither other agents (but for "
    "networks of the state) nor the step",
)
"""What the text leaves open, and what was taken."""

FIGURES = ("5", "6", "7", "8", "9", "2")
"""Figures by their numbers; Figure 10 shows the same comparison as Figure 2."""

TITLES = {
    "5": "gossip rounds",
    "6": "width of the networks",
    "7": "depth of the networks",
    "8": "number of agents",
    "9": "critic iterations K and batch M",
    "2": "TD error against Q-value",
}
"""What a figure varies."""

EXACT = "exact critic"
"""Label of the repaired direction with the exact Q in place of a network, beside the repaired lines of two agents."""


@dataclass(frozen=True)
class Line:
    """One line of a figure.

    Attributes:
        label: panel (reading, and rewards where they are local), a colon, and what is varied, as the legend shows it.
        settings: the algorithm's.
        agents: N.
    """

    label: str
    settings: SpreadSettings
    agents: int = 2

    @property
    def slug(self) -> str:
        """Name of the folder of its runs: N and every setting that is not the default."""
        default = SpreadSettings()
        parts = [f"N-{self.agents}"]
        for field in fields(SpreadSettings):
            value = getattr(self.settings, field.name)
            if value != getattr(default, field.name):
                parts.append(f"{field.name}-{value}")
        return re.sub(r"[^A-Za-z0-9.]+", "-", "-".join(parts)).strip("-")


def lines_of(figure: str, actor: Actor = "network", rewards: Rewards = "shared") -> tuple[Line, ...]:
    """The lines of a figure: as printed, then repaired. Figure 5 has both kinds of rewards, whatever is asked for.

    Args:
        figure: one of `FIGURES`.
        actor: the policy class.
        rewards: of the other figures.

    Raises:
        ValueError: an unknown figure.
    """
    if figure not in FIGURES:
        raise ValueError(f"figure is {figure!r}, not one of {', '.join(FIGURES)}")
    kinds: tuple[Rewards, ...] = ("shared", "local") if figure == "5" else (rewards,)
    printed = SpreadSettings(actor=actor)
    repaired = replace(printed, reading="repaired", radius=RADIUS)
    found: list[Line] = []
    for name, base in (("printed", printed), ("repaired", repaired)):
        for kind in kinds:
            panel = name if kind == "shared" else f"{name}, local"
            here = replace(base, rewards=kind)
            if figure == "2":
                found += _signals(panel, name, here)
                continue
            for label, change, agents in _ablation(figure):
                found.append(Line(f"{panel}: {label}", replace(here, **change), agents))
            if name == "repaired" and kind == kinds[0]:  # it is the Q of the team reward, whatever agents earn
                label = f"N = 2, {EXACT}" if figure == "8" else EXACT
                found.append(Line(f"{panel}: {label}", replace(here, critic="exact")))
    return tuple(found)


def _signals(panel: str, name: str, base: SpreadSettings) -> list[Line]:
    """TD error and Q-value, each of the network and of the exact Q; and the printed TD error with the other sign."""
    q = replace(base, reading=f"{name}, Q-value")
    found = [Line(f"{panel}: TD", base), Line(f"{panel}: Q", q)]
    if name == "printed":
        found.append(Line(f"{panel}: TD, other sign", replace(base, reading="printed, flipped")))
    return [
        *found,
        Line(f"{panel}: TD, {EXACT}", replace(base, critic="exact")),
        Line(f"{panel}: Q, {EXACT}", replace(q, critic="exact")),
    ]


def _ablation(figure: str) -> list[tuple[str, dict[str, Any], int]]:
    """Labels, changed settings and N. Source: zhang2025 Appendix D.1."""
    if figure == "5":
        return [(f"t_gossip = {k}", {"gossip_rounds": k}, 2) for k in (0, 10, 20)]
    if figure == "6":
        return [(f"m = {m}", {"width": m}, 2) for m in (10, 20, 40)]
    if figure == "7":
        return [(f"D = {D}", {"depth": D}, 2) for D in (5, 20, 40)]
    if figure == "8":
        return [(f"N = {N}", {}, N) for N in (2, 3, 4)]
    return [
        (f"(K, M) = ({K}, {M})", {"critic_iterations": K, "batch": M}, 2) for K, M in ((1, 1), (1, 5), (5, 1))
    ]
