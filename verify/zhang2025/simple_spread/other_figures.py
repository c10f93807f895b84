"""zhang2025 Appendix D.1 and Sec. 6.1: Figures 6 to 10 and 2, run again; the module `runs` says what counts as seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from algorithms.neural.spread import SpreadSettings
from verify.claim import Variant, control, printed, reading, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Witness, exact_evidence
from verify.experiments.simple_spread.runs import levels
from verify.zhang2025.simple_spread.runs import (
    DEEPEST,
    DEFAULTS,
    EXACT,
    gap,
    learns,
    mean,
    more,
    most_learn,
    paired,
    runs,
    same,
)


@statement("zhang2025", "figure-6", uses=("theorem-5.10",))
def figure_6() -> tuple[Variant, ...]:
    r"""The width of the networks has little effect.

    .. math:: J(m = 10) \approx J(m = 20) \approx J(m = 40)

    Agrees with the runs, for a reason that is not the theorem's: nothing is learnt at any width. With K = 1 every
    critic is half a TD step away from W(0) whenever the actor asks it, and line 17 divides by the norm, so that at M
    = 1 only the sign of that critic's TD error matters. "Little effect" is read as a difference below a twentieth of
    the gap between uniform policies and the optimum. The control puts the exact Q in place of the network: that has
    an effect, and this check sees it.

    Hypotheses: Appendix D.1; actors with a logit per own cell and move, so that m is the critics', as in Theorem 5.10.

    Consequence: neither m^(1/32) nor m^(-1/24) of Theorem 5.10 is tested by a study in which the critic has no
    say.
    """
    wide, narrow = replace(DEFAULTS, width=40), replace(DEFAULTS, width=10)
    return (
        printed(
            lambda c: (
                *same(c, wide, DEFAULTS, "m = 40 minus 20", 2), *same(c, narrow, DEFAULTS, "m = 10 minus 20", 2)
            ),
            "differences between widths are too small to be seen",
        ),
        control(
            lambda c: same(c, EXACT, DEFAULTS, "exact critic minus a network of width 20"),
            "an exact critic in a sound direction makes no difference that is seen", "exact critic",
        ),
    )  # fmt: skip


@statement("zhang2025", "figure-7", uses=("theorem-5.10", "remark-5"))
def figure_7() -> tuple[Variant, ...]:
    r"""Deeper networks give more reward.

    .. math:: J(D = 40) > J(D = 20) > J(D = 5)

    *Visibly*: refuted. The intervals of the differences between D = 5, 20 and 40 exclude a twentieth of the gap
    between uniform policies and the optimum; the repaired form says so. *At all*: D = 40 ends higher than D = 5, by
    less than a fiftieth of that gap, and not because it learns: no depth gains anything that is seen over uniform
    policies, D = 5 loses a little, and D = 40 loses less. Hence ambiguous. Deep critics of Eq. (5) start at values
    whose size varies by orders of magnitude between draws (a product of D random factors); a critic that returns to
    W(0) in every iteration stays there.

    The reading shows what the same check finds when the critic is right: the exact Q with the repaired
    direction gains visibly over the network.

    Hypotheses: Appendix D.1; actors with a logit per own cell and move, so that D is the critics', as in Theorem 5.10.

    Consequence: no support for the negative exponents of D in Theorem 5.10, nor for Remark 5's advice to deepen.
    """
    middle, deep = replace(DEFAULTS, depth=20), DEEPEST
    return (
        printed(lambda c: more(c, deep, DEFAULTS, "D = 40 minus 5"), "D = 40 gives visibly more than D = 5", "visibly"),
        printed(lambda c: more(c, deep, DEFAULTS, "D = 40 minus 5", 0.0), "D = 40 gives more than D = 5, even a little",
                "at all"),
        repaired(
            lambda c: (*same(c, deep, DEFAULTS, "D = 40 minus 5", 2), *same(c, middle, DEFAULTS, "D = 20 minus 5", 2)),
            "differences between depths are too small to be seen",
        ),
        reading(lambda c: more(c, EXACT, DEFAULTS, "exact critic minus a network of depth 5"),
                "an exact critic in the repaired direction gives visibly more than D = 5", "exact critic"),
        control(lambda c: more(c, DEFAULTS, EXACT, "a network of depth 5 minus the exact critic"),
                "D = 5 gives visibly more than an exact critic", "network above exact"),
        control(lambda c: same(c, EXACT, DEFAULTS, "exact critic minus a network of depth 5"),
                "an exact critic makes no difference that is seen", "exact critic unseen"),
    )  # fmt: skip


@statement("zhang2025", "figure-8", uses=("theorem-5.10",))
def figure_8() -> tuple[Variant, ...]:
    r"""More agents give more regret against the globally optimal policy.

    .. math:: J^*_N - J_N(\theta_T) \text{ increases in } N \in \{2, 3, 4\}

    Agrees with the runs, and with no run at all: uniform policies, before the first step, already have regrets that
    increase (in rationals for two, three and four agents), because the reward is a sum over N landmarks. Per landmark
    the regret *falls* from two to three agents and again to four. The optimum is exact, for four agents too: rewards
    are whole numbers and the best joint move is found agent by agent, so that 17.9 million joint positions with 625
    joint actions take seconds; the rewards of policies in the own cell are exact for any N, since such agents are
    independent between resets (`verify.experiments.simple_spread.exact`).

    Second opinion: generic backward recursion over joint actions gives the same optimum for two and three agents, and
    for four agents on a small board; bounds without a table over positions enclose that of four (in the tests).

    Hypotheses: Appendix D.1, with regret in the reward per step of episodes of ten; one draw of landmarks per N.

    Consequence: the figure shows a property of the reward, and says nothing of the exponents of N in Theorem 5.10.
    """
    return (
        printed(lambda c: _regret(c, lambda N: Fraction(1)), "regret increases from two to three to four agents"),
        reading(lambda c: _uniform_regret(lambda N: Fraction(1)), "so does that of uniform policies, without learning",
                "uniform policies"),
        reading(lambda c: _uniform_regret(lambda N: Fraction(1, N)), "regret per landmark of uniform policies rises",
                "per landmark", recheck=lambda c: _uniform_regret(lambda N: Fraction(1, N), (2, 3))),
        control(lambda c: _regret(c, lambda N: Fraction(-1)), "regret decreases", "decreases"),
    )  # fmt: skip


def _regret(context: Context, weight: Callable[[int], Fraction]) -> tuple[Evidence, ...]:
    """Differences of weighted regrets, of exact rewards of the last policies."""
    regrets = {
        N: float(weight(N)) * (float(levels(N).best) - runs(context, DEFAULTS, N)["exact"].values[0, :, -1])
        for N in (2, 3, 4)
    }
    return tuple(
        mean(f"regret with {N + 1} agents minus that with {N}", paired(regrets[N + 1], regrets[N]), 0.0,
             Relation.AT_LEAST, family=2) for N in (2, 3)
    )  # fmt: skip


def _uniform_regret(weight: Callable[[int], Fraction], agents: tuple[int, ...] = (2, 3, 4)) -> tuple[Evidence, ...]:
    regrets = [weight(N) * gap(N) for N in agents]
    return tuple(
        exact_evidence(
            f"weighted regret of uniform policies, {N + 1} agents minus {N}", after - before, 0, Relation.AT_LEAST,
            instances=2,
            witness=Witness("exact weighted regrets", {f"{N} agents": before, f"{N + 1} agents": after}),
        )
        for N, before, after in zip(agents, regrets, regrets[1:], strict=False)
    )


@statement("zhang2025", "figure-9", uses=("theorem-5.10",))
def figure_9() -> tuple[Variant, ...]:
    r"""More critic iterations K or a larger batch M give more reward.

    .. math:: J(K = 5, M = 1) > J(1, 1), \qquad J(K = 1, M = 5) > J(1, 1)

    Refuted for anything that a figure could show, for each of the two: five critic steps of size 0.001 from W(0)
    leave the critic where it was, and a batch of five averages five TD errors of a critic that knows nothing (a
    larger batch ends lower, so that M fails at all; K = 5 is undecided below a twentieth). The intervals exclude a
    gain of a twentieth of the gap. With the exact critic and the repaired direction the same check sees a gain at K =
    M = 1.

    Hypotheses: Appendix D.1; actors with a logit per own cell and move. Runs are compared at equal T, so K = 5 and
    M = 5 have three times the samples.

    Consequence: no support for terms (4) and (7) of Theorem 5.10; what is missing is not samples.
    """
    more_k, more_m = replace(DEFAULTS, critic_iterations=5), replace(DEFAULTS, batch=5)
    return (
        printed(lambda c: more(c, more_k, DEFAULTS, "K = 5 minus 1"), "K = 5 gives visibly more", "K", part="K"),
        printed(lambda c: more(c, more_m, DEFAULTS, "M = 5 minus 1"), "M = 5 gives visibly more", "M", part="M"),
        printed(lambda c: more(c, more_m, DEFAULTS, "M = 5 minus 1", 0.0), "M = 5 gives more, however little",
                "M, at all", part="M"),
        repaired(
            lambda c: (*same(c, more_k, DEFAULTS, "K = 5 minus 1", 2), *same(c, more_m, DEFAULTS, "M = 5 minus 1", 2)),
            "differences are too small to be seen",
        ),
        reading(lambda c: more(c, EXACT, DEFAULTS, "exact critic minus K = M = 1"),
                "an exact critic in the repaired direction gives visibly more", "exact critic"),
        control(lambda c: same(c, EXACT, DEFAULTS, "exact critic minus K = M = 1"),
                "an exact critic makes no difference that is seen", "exact critic unseen"),
    )  # fmt: skip


@statement("zhang2025", "figure-2-10", uses=("algorithm-1-direction",))
def figure_2_10() -> tuple[Variant, ...]:
    r"""The form with TD errors learns; the form with Q-values does not.

    .. math:: J_{TD}(\theta_T) > J_{TD}(\theta_0), \qquad J_Q(\theta_T) \le J_Q(\theta_0)

    *TD errors*: refuted at the printed settings with actors that have a logit per own cell and move. At M = 1 line 17
    leaves of the signal only its sign, and a critic that is W(0) but for half a step knows nothing of the rewards;
    neither the printed sign nor the other one gains a twentieth of the gap, nor does the printed signal with the
    exact Q in place of the critic (its mean given (s, a) is the Bellman residual, zero). Networks of the
    state, the actors of Sec. 3.2, start nearly deterministic and freeze within two thousand iterations (reading, a
    tenth of T): of 100 runs 26 gain visibly and 38 lose visibly, and the mean gain is -0.34, 95 % interval -0.55 to
    -0.12. Why: rewards are negative, so that W(0)'s TD error is positive for nine pairs in ten, and whatever was
    sampled is made more likely, good or bad.
    *Q-values*: true, they do not learn. *The difference* between the two is not visible (with 100 repetitions it has
    the other sign: the Q form ends 0.04 higher, 95 % interval 0.03 to 0.05).

    *Repaired*: the advantage of the exact Q of the original kernel (a sound direction, see
    `algorithms.neural.REPAIRED`) learns at the same step sizes and T. With that exact critic the contrast of the
    figure is real (reading): rewards are negative, so Q is, and a normalised step along a signal of one sign carries
    no information at M = 1. The Q-value form fails by the normalisation, not by a lack of gossip.

    Hypotheses: Appendix D.1. "Learns" is read as a gain of at least a twentieth of the gap between uniform policies and
    the optimum.

    Consequence: Figures 2 and 10 cannot have come from the listing at its defaults. They are no evidence
    against Q-values in general, as Remark 1 and Sec. 6.1 take them to be.
    """
    value = replace(DEFAULTS, reading="printed, Q-value")
    exact_value = replace(EXACT, reading="repaired, Q-value")
    return (
        printed(lambda c: learns(c, DEFAULTS, "TD error, softmax actors"), "the TD form learns",
                "TD", part="TD"),
        printed(lambda c: learns(c, DEFAULTS, "TD error, softmax actors", share=0.0), "the TD form gains at all",
                "TD, at all", part="TD"),
        reading(lambda c: most_learn(c, SpreadSettings()), "most runs with network actors learn", "network actors"),
        reading(lambda c: learns(c, replace(DEFAULTS, critic="exact"), "printed TD error of the exact Q"),
                "the printed TD form with an exact critic learns", "printed, exact critic"),
        printed(lambda c: learns(c, value, "Q-value, softmax actors", Relation.AT_MOST), "the Q form does not learn",
                "Q", part="Q"),
        printed(lambda c: more(c, DEFAULTS, value, "TD minus Q"), "the TD form gains visibly more than the Q form",
                "TD above Q", part="difference"),
        reading(lambda c: learns(c, replace(DEFAULTS, reading="printed, flipped"), "TD error, other sign"),
                "the TD form with the other sign learns", "flipped"),
        repaired(lambda c: learns(c, EXACT, "advantage of the exact Q"),
                 "the repaired form with an exact critic learns"),
        reading(lambda c: more(c, EXACT, exact_value, "advantage minus Q-value, exact critic"),
                "with an exact critic the advantage gains visibly more than the Q-value", "exact critic"),
        control(lambda c: learns(c, value, "Q-value, softmax actors"), "the Q form learns", "Q learns"),
        control(lambda c: learns(c, EXACT, "advantage of the exact Q", Relation.AT_MOST),
                "the repaired form with an exact critic does not learn", "exact does not learn"),
    )  # fmt: skip
