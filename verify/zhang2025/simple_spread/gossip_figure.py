"""zhang2025 Appendix D.1: the defaults of the Simple Spread study against Theorem 5.10, and gossip (Fig. 5)."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from flint import fmpq

from algorithms.neural.spread import SpreadSettings, spread_run
from mdp.networks.schedule import full_average
from verify.claim import Variant, control, printed, reading, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor, Witness, exact_evidence
from verify.experiments.simple_spread.lines import HORIZON
from verify.experiments.simple_spread.runs import game_of
from verify.zhang2025.simple_spread.runs import DEFAULTS, more
from verify.zhang2025.simple_spread.tapes import changed, random_tape


@statement("zhang2025", "d1-defaults", uses=("theorem-5.10", "assumption-5.5", "restart-kernel"))
def d1_defaults() -> tuple[Variant, ...]:
    r"""The defaults of the ablation study against the conditions of Theorem 5.10.

    .. math:: \alpha = \frac{7}{2\sqrt{\mu}}, \quad \beta = \frac{1}{\sqrt{K}}, \quad
        m = \Omega(d^3 D^{-11/2}), \quad K = \Omega(D^4)

    Defaults: T = 20000, N = 2, gamma = 0.99, m = 20, D = 5, K = M = 1, alpha at most 0.005, beta at most 0.001,
    t_gossip = 10, and a reset to random positions every ten steps.

    *Actor step.* Assumption 5.5 has scores of norm at most one and E[score score^T] >= mu_f I, so mu_f is at most the
    trace over the dimension, at most 1. With mu = mu_f^2 / 2 the theorem's alpha^2 is 49 / (2 mu_f^2), at least 49/2,
    whatever the policy class; the default's is at most 1/40000. *Critic step.* 1 / sqrt(K) is 1 at K = 1.
    *Iterations.* D^4 is 625 at the default depth and 2.56 million at D = 40, with K = 1 in both: with constant one K
    misses by those factors, and no constant is fit for the ablation in D, along which K does not grow at all.
    *Kernel.* The theorem is about the restart kernel of Sec. 3.1: a restart to the initial law with probability 1 -
    gamma, every 100 steps on average; the study resets every ten. *Width.* With constant one 20 is enough for inputs
    of dimension up to 51; the text does not say what the inputs are (coordinates of two agents and one-hot moves: 14,
    all one-hot: 140). *B* is not among the defaults; m^(1/32) D^-6 is 0.00007. Without a ball nothing bounds W, and the
    listing has no rule for a TD error that is not finite: here such a run stops, is counted, and leaves the means of
    its figure (none of the printed settings does so). With alpha / t as the theorem has it
    and alpha = 0.005, the parameters would travel 0.0524 at most in the whole run (reading; by hand: the 1 / t from a
    power of two to the next sum to at most one, and 15 such blocks go beyond 20000, hence at most 15 / 200).

    Second opinion: the same conditions are written as inequalities between integers in the test.

    Hypotheses: none beyond the two lists of numbers; constants hidden in Omega are taken as one.

    Consequence: the experiments of Appendix D.1 do not test Theorem 5.10; they run another algorithm than the one it
    is about, on another kernel.
    """
    return (
        printed(lambda c: _actor_step(Fraction(1, 200)), "alpha is 7 / (2 sqrt mu)", "actor step", part="alpha"),
        printed(lambda c: _critic_step(Fraction(1, 1000), 1), "beta is 1 / sqrt K", "critic step", part="beta"),
        printed(lambda c: _iterations(1, 5), "K is at least D^4", "iterations", part="K"),
        printed(lambda c: _kernel(10), "as often random positions as the restart kernel", "kernel", part="kernel"),
        printed(lambda c: _width(20, 5, 2 * (65 + 5)), "m^2 D^11 is at least d^6, all one-hot", "one-hot", part="m"),
        printed(lambda c: _width(20, 5, 2 * (2 + 5)), "m^2 D^11 is at least d^6, coordinates and one-hot moves",
                "coordinates", part="m"),
        reading(lambda c: _path(), "alpha / t with alpha = 0.005 can move the parameters by one", "path"),
        repaired(
            lambda c: (_actor_step(Fraction(5)), _critic_step(Fraction(1, 25), 625), _iterations(625, 5), _kernel(100),
                       _width(100, 5, 2 * (2 + 5))),
            "alpha = 5, K = 625, beta = 1/25, m = 100, restarts every hundred steps on average meet all of them for "
            "the largest mu_f",
        ),
        control(lambda c: _iterations(624, 5), "K = 624 is at least D^4", "K = 624"),
        control(lambda c: _critic_step(Fraction(1, 25), 624), "1/25 is 1 / sqrt(624)", "beta at K = 624"),
        control(lambda c: _width(20, 5, 52), "m = 20 is enough for inputs of dimension 52", "d = 52"),
    )  # fmt: skip


def _actor_step(alpha: Fraction) -> Evidence:
    """mu_f <= 1, so alpha^2 = 49 / (2 mu_f^2) >= 49 / 2; the step is met for one mu_f <= 1 if alpha^2 >= 49 / 2."""
    return exact_evidence(
        "alpha squared, against the least 49 / (2 mu_f^2) for mu_f at most 1", alpha**2, Fraction(49, 2),
        Relation.AT_LEAST, instances=1, witness=Witness("the default step", {"alpha": alpha, "largest mu_f": 1}),
    )


def _critic_step(beta: Fraction, iterations: int) -> Evidence:
    return exact_evidence(
        "beta^2 K", beta**2 * iterations, 1, Relation.EQUAL, instances=1,
        witness=Witness("critic step and iterations", {"beta": beta, "K": iterations}),
    )


def _iterations(iterations: int, depth: int) -> Evidence:
    return exact_evidence(
        "K over D^4", Fraction(iterations, depth**4), 1, Relation.AT_LEAST, instances=1,
        witness=Witness("iterations and depth", {"K": iterations, "D": depth}),
    )


def _kernel(steps: int) -> Evidence:
    return exact_evidence(
        "mean number of steps between two draws of random positions, against 1 / (1 - gamma)", steps,
        1 / (1 - Fraction(99, 100)), Relation.EQUAL, instances=1,
        witness=Witness("resets of the study", {"steps": steps, "gamma": Fraction(99, 100)}),
    )


def _width(width: int, depth: int, dimension: int) -> Evidence:
    return exact_evidence(
        "m^2 D^11 over d^6", Fraction(width**2 * depth**11, dimension**6), 1, Relation.AT_LEAST, instances=1,
        witness=Witness("width, depth, input dimension", {"m": width, "D": depth, "d": dimension}),
    )


def _path() -> Evidence:
    """Steps have norm alpha / t per agent; the sum is exact, its interval has four digits."""
    alpha, blocks = Fraction(1, 200), HORIZON.bit_length()
    exact = fmpq.harmonic(HORIZON) * fmpq(alpha.numerator, alpha.denominator)
    low = Fraction(int((exact * 10**4).floor()), 10**4)
    return Evidence(
        f"sum of alpha / t up to {HORIZON:,}, alpha = {alpha}: exact, rounded outwards to four digits", low, low,
        low + Fraction(1, 10**4), 1, Relation.AT_LEAST, Rigor.RATIONAL, instances=1,
        witness=Witness(
            "t from 2^k to 2^(k+1) - 1 adds at most alpha",
            {"alpha": alpha, "T": HORIZON, "blocks k = 0, 1, .. until 2^k > T": blocks, "bound": blocks * alpha},
        ),
    )


@statement("zhang2025", "figure-5", uses=("algorithm-2-gossip", "theorem-5.10-term-5"))
def figure_5() -> tuple[Variant, ...]:
    r"""More gossip gives more reward, and none gives the least.

    .. math:: J(t_{gossip} = 20) > J(t_{gossip} = 10) > J(t_{gossip} = 0)

    The printed reward is one number for all agents: minus the distances from the landmarks to their nearest agents.
    Then gossip has nothing to change. *Induction over the listing*: all critics start at the same W(0); in each step
    of Algorithm 2 they see the same pairs and the same reward, so TD errors, gradients and projections agree and they
    stay equal; rows of A sum to one, so mixing equal weights returns them; their TD errors in line 9 of Algorithm 1
    are then equal, and mixing returns those. Every direction d_t^i is what it is without gossip, whatever t_gossip
    and A, and so is the whole run. The claimed order of three curves cannot come from t_gossip.

    *Check*: random tapes in rational arithmetic, with t_gossip of 0, 10 and 20: not one signal differs. *Second
    opinion*: the compiled algorithm with A = 11^T/2 (no rounding in its powers) ends in the same bits. With local
    rewards the signals do differ, which is the control; the reading asks whether the printed algorithm then gains from
    ten or twenty rounds, and no difference is seen (in 100 repetitions ten rounds gain 0.011, 95 % interval 0.008 to
    0.013, where 0.28 would be seen: gossip helps local rewards by less than any figure shows). Nor with networks as
    actors and the paper's 100 repetitions: ten rounds minus none is 0.08, 95 % interval -0.03 to 0.19; 89 of the 100
    pairs of runs end alike to nine digits, since line 17 keeps the sign of a TD error and gossip seldom changes it.

    Hypotheses: Appendix D.1 with its printed reward; agents start Algorithm 2 from one W(0), as in its line 2.

    Consequence: term (5) of Theorem 5.10 is identically zero in this study, and Figure 5 cannot show it. Its three
    curves differ by seeds, or by something that the text does not mention.
    """
    return (
        printed(
            lambda c: _changed(c, True, Relation.AT_LEAST, 1), "of runs with the printed reward, gossip changes some",
            recheck=lambda c: _changed(c, True, Relation.AT_LEAST, 1, 1),
        ),
        repaired(
            lambda c: (_changed(c, True, Relation.EQUAL, 0), _same_bits(c)),
            "with one reward for all agents gossip changes no run",
        ),
        reading(_local_gains, "with local rewards gossip gives visibly more than none", "local rewards"),
        control(lambda c: _changed(c, False, Relation.EQUAL, 0), "with local rewards gossip changes no run",
                "local rewards unchanged"),
    )  # fmt: skip


def _local_gains(context: Context) -> tuple[Evidence, ...]:
    """Ten and twenty rounds against none; the claimed order needs both."""
    none = replace(DEFAULTS, rewards="local", gossip_rounds=0)
    return tuple(
        more(context, replace(none, gossip_rounds=k), none, f"t_gossip {k} minus 0, local rewards", family=2)
        for k in (10, 20)
    )


def _changed(context: Context, shared: bool, relation: Relation, claimed: int, tries: int | None = None) -> Evidence:
    rng = context.rng(755, int(shared))
    tapes = [random_tape(rng, shared=shared) for _ in range(tries or context.profile.n_rational)]
    count, tape = changed(tapes, (0, 10, 20))
    assert tape is not None
    return exact_evidence(
        "runs whose consented TD errors depend on t_gossip in {0, 10, 20}", count, claimed, relation,
        instances=len(tapes),
        witness=Witness(
            "equal weights and equal TD errors are returned by a matrix whose rows sum to one",
            {"A": tape.A, "row sums of A": tape.A.sum(axis=1), "rewards by tuple and agent": tape.rewards},
        ),
    )


def _same_bits(context: Context) -> Evidence:
    """The compiled algorithm, network actors and network critics, with A = 11^T/2."""
    game, settings, differing = game_of(2), SpreadSettings(), 0
    for seed in range(2):
        ends = [
            spread_run(game, replace(settings, gossip_rounds=k), 1_000, seed, consensus=full_average(2)).theta
            for k in (0, 10, 20)
        ]
        differing += any((end != ends[0]).any() for end in ends[1:])
    return exact_evidence(
        "runs of 1,000 iterations that end in other bits for another t_gossip", differing, 0, Relation.EQUAL,
        rigor=Rigor.FLOAT, instances=6, corroborates=True,
    )
