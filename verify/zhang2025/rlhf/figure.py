"""zhang2025 Section 6.2, Figure 4: three language models paid by three reward models, from recorded runs."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Float

from verify.claim import Variant, control, out_of_scope, printed, reading, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor
from verify.experiments.coordination.summary import student_interval
from verify.experiments.rlhf.record import Recorded, read
from verify.experiments.rlhf.runs import GOSSIP, Budget, Line, Source, one_run
from verify.experiments.rlhf.summary import ends

VISIBLE = 0.1
"""Reward that a reader of the figure could see; ours: scaled scores of untrained answers have a spread of about one."""

PRINTED, DESCENT, REPAIRED = (Line(direction) for direction in ("printed", "flipped", "repaired"))
"""Line 17 as listed, with its sign reversed (the text's "gradient descent"), and the repaired direction."""

THREE = (1, 2, 3)
"""The agents."""


@statement("zhang2025", "figure-4", uses=("algorithm-1-direction", "algorithm-2-gossip"))
def figure_4() -> tuple[Variant, ...]:
    r"""Multi-agent RLHF with three language models: the average reward rises for all agents.

    .. math:: \text{reward}^i(\text{last episodes}) > \text{reward}^i(\text{first episodes}), \qquad i = 1, 2, 3

    *What is decided.* The curves of Fig. 4 belong to models of 1 to 8 billion parameters, one opening question and one
    run; they are not at hand, and that part is out of scope. What Algorithms 1 and 2 do in this setting is decided from
    runs with small language models: three actors with adapters of rank 8, a user model, three reward models with the
    scaling of Table 2, critics with m = 256 and D = 3, Adam at 1e-4, gamma = 0.5, K = M = 1, three turns, t_gossip = 20
    or none (`lemmata experiment rlhf` runs the same). The runs are recorded with their seeds; their statistics are
    computed here. The layers and scale of the adapters and the number of episodes were chosen after trial runs, seed 0
    among them, and the second control after the runs.

    *The sign.* Line 9 has ``Q - r - gamma Q'`` and line 17 ``theta + alpha d``; Sections 4 and D.1 say that theta is
    "updated using the gradient descent method", which is ``theta - alpha d``. As listed the reward falls, for every
    agent; by descent it rises, as in Fig. 4. With the exact Q the mean of either direction is zero
    (algorithm-1-direction). Our explanation, which no run isolates: the critic that has just begun to learn does not
    know yet how the reward depends on the response, so Q - r is on average the reward with its sign reversed, and both
    readings live on the critic's error.

    *Repaired*, with ``r + gamma V(s') - V(s)`` weighted by gamma^turn, whose mean with the exact V is the gradient, the
    reward rises for every agent.

    *Gossip*, to which the text gives the credit (reading): the paper has no run without it. Here rewards rise without
    gossip too, and more. A likely reason: an agent's response acts on its own score at once and on the others' only
    through the user's next question, so the average of three TD errors carries a third of its own signal, and the noise
    of the other two.

    Hypotheses: none of the theorems' (language models are not the network of Eq. (5), actions are sequences of tokens).
    First and last tenth of 150 episodes are compared; what could be seen in a figure is 0.1.

    Consequence: none for the theorem. If the figure's runs were like these, they took the step of the words and not
    that of the listing, and owe nothing to gossip.
    """
    return (
        out_of_scope(
            "the curves of Fig. 4",
            "they need the paper's language models, reward models and random numbers. Repeated runs with and without "
            "gossip on those models would decide (lemmata experiment rlhf --actor ... runs them from local folders).",
            "its own models", "its own models",
        ),
        printed(lambda c: _rises(PRINTED), "small models, line 17 as listed: the mean reward rises", "listed, mean",
                "mean"),
        printed(lambda c: _rises(DESCENT), "small models, gradient descent: the mean reward rises", "descent, mean",
                "mean"),
        printed(lambda c: _all_rise(PRINTED), "small models, line 17 as listed: every agent's reward rises",
                "listed, every agent", "every agent"),
        printed(lambda c: _all_rise(DESCENT), "small models, gradient descent: every agent's reward rises",
                "descent, every agent", "every agent"),
        reading(lambda c: _thanks_to_gossip(DESCENT), "small models, gradient descent: less without gossip",
                "descent, thanks to gossip"),
        reading(lambda c: _thanks_to_gossip(REPAIRED), "small models, repaired: the reward rises less without gossip",
                "repaired, thanks to gossip"),
        repaired(lambda c: (_rises(REPAIRED), *_all_rise(REPAIRED), *_again(c)),
                 "small models, r + gamma V(s') - V(s): the reward rises in the mean and for every agent"),
        repaired(lambda c: (_rises(_alone(REPAIRED)), *_all_rise(_alone(REPAIRED))),
                 "small models, repaired: the reward rises without any gossip", "without gossip"),
        control(lambda c: _rises(REPAIRED, backwards=True), "the repaired runs, read backwards, rise", "backwards"),
        control(lambda c: _rises(REPAIRED, least=15 * VISIBLE), "the repaired runs rise by 1.5",
                "fifteen times as much"),
    )  # fmt: skip


@cache
def recorded() -> Recorded:
    """The recorded runs of this project."""
    return read()


def _alone(line: Line) -> Line:
    return Line(line.direction, 0)


def gains(line: Line, agents: tuple[int, ...] = THREE, *, backwards: bool = False) -> Float[np.ndarray, " R"]:
    """Mean reward over the last tenth of the episodes minus that over the first tenth, by run.

    Args:
        line: one of the recorded ones.
        agents: 1 to 3; their rewards are averaged.
        backwards: whether to turn time round.
    """
    curves = recorded().of(line)[:, :, [i - 1 for i in agents]].mean(axis=2)
    start, end = ends(curves[:, ::-1] if backwards else curves)
    return np.asarray(end - start)


def _mean(quantity: str, values: Float[np.ndarray, " R"], note: str = "", least: float = VISIBLE) -> Evidence:
    mean, half = (float(x) for x in student_interval(values))
    return Evidence(
        quantity, mean, mean - half, mean + half, least, Relation.AT_LEAST, Rigor.STATISTICAL, instances=len(values),
        note=note, sample=tuple(float(x) for x in values), sample_quantity=quantity,
    )


def _rises(line: Line, *, backwards: bool = False, least: float = VISIBLE) -> Evidence:
    return _mean(f"gain in mean reward per turn, {line.label}", gains(line, backwards=backwards), least=least)


def _all_rise(line: Line) -> tuple[Evidence, ...]:
    return tuple(_mean(f"gain in reward per turn of agent {i}, {line.label}", gains(line, (i,))) for i in THREE)


def _thanks_to_gossip(line: Line) -> Evidence:
    return _mean(
        f"gain with t_gossip = {GOSSIP} minus gain without gossip, {line.label}", gains(line) - gains(_alone(line)),
        "paired by seed",
    )


def _again(context: Context) -> tuple[Evidence, ...]:
    """In the full profile, where the extra is installed: the first episodes of one seed, run again, to the last bit.

    Nothing on another processor or with other versions, where sums are rounded in another order.
    """
    from algorithms.deep.rlhf import MissingExtraError, require_extra

    try:
        require_extra()
    except MissingExtraError:
        return ()
    if context.profile.name != "full":
        return ()
    from verify.experiments.rlhf.record import about_of

    data = recorded()
    with tempfile.TemporaryDirectory() as place:
        source = Source(Path(place) / "models")
        budget = Budget(2, data.first.shape[2])
        now, then = about_of(source, REPAIRED, budget), data.about
        if any(now[name] != then[name] for name in ("versions", "processor")):
            return ()
        lines = (PRINTED, REPAIRED)
        apart = [one_run(source, line, budget, data.seeds[0]) - data.first[data.lines.index(line), 0] for line in lines]
    worst = float(np.abs(apart).max())
    return (
        Evidence(
            f"largest difference of the first {budget.episodes} episodes of seed {data.seeds[0]}, run again",
            worst, worst, worst, 0, Relation.EQUAL, Rigor.FLOAT, instances=len(lines), corroborates=True,
        ),
    )
