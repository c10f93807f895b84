"""zhang2025 Algorithm 3: is the centralised critic the right yardstick for the decentralised one?"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from verify.claim import Variant, control, printed, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Witness, exact_evidence


@statement("zhang2025", "algorithm-3", uses=("algorithm-2-average", "algorithm-2-projection"))
def algorithm_3() -> tuple[Variant, ...]:
    r"""The centralised critic that the decentralised one is compared with.

    .. math:: \bar V = \frac{k+1}{k+2} \bar V + \frac{1}{k+2} V(k+1), \qquad k = 0, 1, \dots, K - 2

    *By itself* the listing is sound: V-bar is the plain average of V(0), ..., V(K-1), all in the ball, so that it lies
    in the ball, which is all that (22) uses.

    *As the yardstick.* As the centralised version of Algorithm 2, with the same samples, it should give the same result
    when there is nothing to decentralise: with one agent. It does not: Algorithm 2 runs k to K - 1 and averages K + 1
    iterates, Algorithm 3 stops at K - 2 and averages K. With K = 1 it does not learn at all. By hand: one pair, network
    ReLU(W), W(0) = 1, reward 0, gamma = 1/2, step size 1: delta = 1/2, W(1) = 1/2, so Algorithm 2 returns 3/4 and
    Algorithm 3 returns 1. That is a slip of one index, without weight in the proof.

    Repaired: k to K - 1. Then the two agree exactly for one agent, network and projection included, and for N agents
    with a linear critic while no projection acts: the mean of the agents' updates is the update with the mean reward.
    Nothing can be sharpened in an equality. With N agents and a network they differ (the last control), which is
    what Eq. (22) has to bound.

    One slip: A and t_gossip are inputs that no line reads.

    Hypotheses: both algorithms see the same samples.

    Consequence: none for the rate. Eq. (22) bounds ``||W-bar - V-bar||`` by the diameter of the ball, whatever V-bar
    is. Eq. (23) is then about the average of K iterates.
    """
    return (
        printed(lambda c: _average(c, 0), "V-bar is the average of V(0..K-1), in the ball", "average", part="average"),
        printed(lambda c: _agreement(c, -2, [_by_hand(), *_single_agents(c)]), "equal to Algorithm 2 with one agent",
                part="yardstick", recheck=lambda c: _agreement(c, -2, [_by_hand()])),
        repaired(
            lambda c: _agreement(c, -1, [_by_hand(), *_single_agents(c), *_linear_teams(c)]),
            "with k to K - 1: equal for one agent, and for linear critics without an active projection",
        ),
        control(lambda c: _average(c, 1), "V-bar is the average of V(1..K-1)", "without V(0)"),
        control(lambda c: _agreement(c, -2, _linear_teams(c)), "linear teams with k to K - 2", "short"),
        control(lambda c: _agreement(c, -1, [_nonlinear_team()]), "two agents with a network, k to K - 1", "network"),
    )


@dataclass(frozen=True)
class Stream:
    """A scalar critic on one pair per step, with the samples that both algorithms see.

    Attributes:
        x: input at each step and the next one, K + 1 values; the critic is ``W x``, or its positive part.
        rewards: per step, one reward per agent.
        start: W(0).
        radius: B, or None for no projection.
        step: step size.
        gamma: discount.
        network: ReLU(W x) instead of W x.
    """

    x: tuple[Fraction, ...]
    rewards: tuple[tuple[Fraction, ...], ...]
    start: Fraction
    radius: Fraction | None
    step: Fraction
    gamma: Fraction
    network: bool

    def run(self, rewards: list[Fraction], last: int) -> Fraction:
        """Average after iterations k = 0..last, as lines 5 to 9 of Algorithm 2 have it.

        Args:
            rewards: the reward of each iteration.
            last: last value of k; below 0 nothing runs.
        """
        average = self.start
        for k, W in enumerate(self.iterates(rewards, last)[1:]):
            average = Fraction(k + 1, k + 2) * average + W / (k + 2)
        return average

    def iterates(self, rewards: list[Fraction], last: int) -> list[Fraction]:
        """W(0), ..., W(last + 1).

        Args:
            rewards: the reward of each iteration.
            last: last value of k.
        """
        W = self.start
        found = [W]
        for k in range(last + 1):
            now, then = self._value(W, self.x[k]), self._value(W, self.x[k + 1])
            slope = self.x[k] if not self.network or W * self.x[k] > 0 else Fraction(0)
            W = W - self.step * (now - rewards[k] - self.gamma * then) * slope
            if self.radius is not None:
                W = min(max(W, self.start - self.radius), self.start + self.radius)
            found.append(W)
        return found

    def _value(self, W: Fraction, x: Fraction) -> Fraction:
        return max(W * x, Fraction(0)) if self.network else W * x


def _by_hand() -> Stream:
    one = Fraction(1)
    return Stream((one, one), ((Fraction(0),),), one, one, one, Fraction(1, 2), True)


def _single_agents(context: Context) -> list[Stream]:
    return [_stream(context, k, 1, True) for k in range(context.profile.n_rational)]


def _linear_teams(context: Context) -> list[Stream]:
    return [_stream(context, k, 2 + k % 3, False) for k in range(context.profile.n_rational)]


def _stream(context: Context, k: int, agents: int, network: bool) -> Stream:
    """A random stream; linear ones have no projection."""
    rng = context.rng(3114, k)
    K = 1 + k % 4
    x = tuple(Fraction(int(v), 2) for v in rng.choice([-2, -1, 1, 2], size=K + 1))
    rewards = tuple(tuple(Fraction(int(r)) for r in row) for row in rng.integers(0, 5, size=(K, agents)))
    return Stream(
        x, rewards, Fraction(int(rng.integers(1, 4))), Fraction(1, 2) if network else None, Fraction(1, 3),
        Fraction(9, 10), network,
    )


def _nonlinear_team() -> Stream:
    """Two agents, ReLU(W), W(0) = 1, rewards 0 and 4, no projection: W(1) of the first is -1, where it stays."""
    one = Fraction(1)
    return Stream(
        (one, one, one), ((Fraction(0), Fraction(4)), (Fraction(0), Fraction(4))), one, None, Fraction(4),
        Fraction(1, 2), True,
    )


def _average(context: Context, first: int) -> tuple[Evidence, Evidence]:
    """V-bar of the listing minus the mean of V(first..K-1), and its distance from W(0) minus the radius; worst."""
    gap, outside, count = Fraction(0), Fraction(-1), 0
    for stream in _single_agents(context):
        rewards, K = [row[0] for row in stream.rewards], len(stream.rewards)
        if K == 1 and first:
            continue  # nothing is left to average
        bar, iterates = stream.run(rewards, K - 2), stream.iterates(rewards, K - 2)[first:]
        gap = max(gap, abs(bar - sum(iterates, Fraction(0)) / len(iterates)))
        assert stream.radius is not None  # single agents have a ball
        outside, count = max(outside, abs(bar - stream.start) - stream.radius), count + 1
    return (
        exact_evidence(f"V-bar minus the mean of V({first}..K-1), largest", gap, 0, Relation.EQUAL, instances=count),
        exact_evidence("distance of V-bar from W(0) minus the radius, largest", outside, 0, Relation.AT_MOST,
                       instances=count),
    )


def _agreement(context: Context, offset: int, streams: list[Stream]) -> Evidence:
    """Largest difference between the mean of the decentralised averages and the centralised one."""
    worst, extreme = Fraction(0), None
    for stream in streams:
        K, N = len(stream.rewards), len(stream.rewards[0])
        own = [stream.run([row[i] for row in stream.rewards], K - 1) for i in range(N)]
        central = stream.run([sum(row, Fraction(0)) / N for row in stream.rewards], K + offset)
        gap = abs(sum(own, Fraction(0)) / N - central)
        if gap and extreme is None:
            extreme = Witness(
                f"the first difference: K = {K}, N = {N}",
                {"x": list(stream.x), "rewards": [list(row) for row in stream.rewards], "W(0)": stream.start,
                 "Algorithm 2": sum(own, Fraction(0)) / N, "Algorithm 3": central},
            )
        worst = max(worst, gap)
    return exact_evidence(
        "mean of the decentralised averages minus the centralised one, worst", worst, 0, Relation.EQUAL,
        instances=len(streams), witness=extreme,
    )
