"""zhang2025 Remark 6: does gossip after learning leave a bias, and is it the network that makes it?"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import sympy

from verify.claim import Variant, control, printed, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor, Scope, Witness, exact_evidence
from verify.zhang2025.listing.centralised_critic import Stream


@statement("zhang2025", "remark-6", uses=("algorithm-2-gossip", "algorithm-2-projection", "algorithm-3", "eq-22"))
def remark_6() -> tuple[Variant, ...]:
    r"""Gossip after nonlinear learning leaves a systematic bias; in the linear case it does not.

    .. math:: \bar{W} = \frac{1}{N} \sum_{i} W_K^i \ne \bar{V}

    W-bar is what infinitely many gossip rounds give, V-bar the critic that learns from the mean reward on the same
    samples, for the same number of iterations (Algorithm 3 as printed stops one short, `algorithm-3`).

    *Nonlinear*: true. One pair, ``Q = W_1 W_2`` (two layers of width one in their active region), gamma = 1/2, two
    agents with rewards 1/2 and 2. The agents learn Q = 1 and Q = 4, at weights (1, 1) and (2, 2) from a common
    symmetric start (B at least 1); the average weights (3/2, 3/2) have Q = 9/4, and the mean
    reward's value is 5/2. Nothing here is random, so the bias of 1/4 is systematic, and K does not remove it. Already
    at K = 4 it shows exactly.

    *Linear, without projection*: no bias. The update ``W - beta x (x.W - r - gamma x'.W)`` is jointly linear in
    (W, r), and so is the running average, so that both commute with the mean over agents; induction over k. Checked
    as an identity of polynomials along an arbitrary direction, which covers every dimension and every N.

    *Linear, with the projection of Algorithm 2*: a bias all the same, since a projection is not linear. One pair,
    feature 1, W(0) = 1, B = 1/2, step 1, gamma = 1/2, K = 1, rewards 0 and 4: the agents end at 1/2 and 3/2, their mean
    is 1, and the mean reward leads to 3/2; averages with W(0) are 1 and 5/4. So the contrast is not between linear and
    nonlinear critics but between updates that are linear and updates that are not, and Algorithm 2 projects.

    Hypotheses: the same samples for all agents and for the centralised critic, and as many iterations.

    Consequence: Eq. (22) is needed, and its bound by the ball's diameter, term (6), is the price. For a linear critic
    without projection term (6) disappears and W-bar obeys term (7) directly.
    """
    return (
        printed(lambda c: (_short_run(_product_run), _product_limit()), "nonlinear: a bias", "nonlinear",
                part="nonlinear"),
        printed(lambda c: (_linearity(), _difference(_linear_streams(c), corroborates=True)),
                "linear, no projection: none", "linear", part="linear"),
        printed(lambda c: _difference([_clipped()]), "linear, with the projection of Algorithm 2: none", "projected",
                part="linear"),
        repaired(lambda c: (_linearity(), _difference(_linear_streams(c), corroborates=True)),
                 "updates that are linear in weights and reward, projection included, leave no bias"),
        control(lambda c: _short_run(_sum_run), "a bias with Q = W_1 + W_2", "linear critic"),
        control(lambda c: _difference([_dead_unit()]), "no bias with a ReLU", "ReLU"),
    )  # fmt: skip


def _product_run(rewards: list[Fraction], iterations: int, step: Fraction) -> Fraction:
    """W_1 = W_2 after averaging, for Q = W_1 W_2 from (1, 1), one agent with these rewards, gamma = 1/2."""
    W = average = Fraction(1)
    for k in range(iterations):
        W = W - step * (W * W / 2 - rewards[k]) * W
        average = Fraction(k + 1, k + 2) * average + W / (k + 2)
    return average


def _sum_run(rewards: list[Fraction], iterations: int, step: Fraction) -> Fraction:
    """The same for Q = W_1 + W_2, a linear critic."""
    W = average = Fraction(1)
    for k in range(iterations):
        W = W - step * (2 * W / 2 - rewards[k])
        average = Fraction(k + 1, k + 2) * average + W / (k + 2)
    return average


def _short_run(run: Callable[[list[Fraction], int, Fraction], Fraction]) -> Evidence:
    """``|W-bar - V-bar|`` in each layer after K = 4 iterations with step 1/2, rewards 1/2 and 2."""
    rewards, K, step = (Fraction(1, 2), Fraction(2)), 4, Fraction(1, 2)
    own = [run([r] * K, K, step) for r in rewards]
    central = run([sum(rewards, Fraction(0)) / 2] * K, K, step)
    return exact_evidence(
        "|W-bar - V-bar| per layer, K = 4, step 1/2, at least 1/1000", abs(sum(own, Fraction(0)) / 2 - central),
        Fraction(1, 1000), Relation.AT_LEAST, instances=1,
        witness=Witness("one pair, gamma = 1/2, rewards 1/2 and 2", {"agents": own, "V-bar": central}),
    )


def _product_limit() -> Evidence:
    """Limit in K of the bias in Q: rest points of the two agents and of the mean reward."""
    rewards, rests = (Fraction(1, 2), Fraction(2)), (Fraction(1), Fraction(2))
    if any(w * w / 2 != r for w, r in zip(rests, rewards, strict=True)):
        raise ValueError("a rest point does not solve its equation")
    central = sum(rewards, Fraction(0)) / 2 / (1 - Fraction(1, 2))
    average = sum(rests, Fraction(0)) / 2
    return exact_evidence(
        "limit in K of |Q-hat(W-bar) - Q-hat(V-bar)|, at least 1/1000", abs(central - average**2), Fraction(1, 1000),
        Relation.AT_LEAST, instances=1,
        witness=Witness("Q = W_1 W_2, rewards 1/2 and 2", {"Q at W-bar": average**2, "Q at V-bar": central}),
    )


def _linearity() -> Evidence:
    """Second derivatives and constant term of one update along a direction v, and of the running average.

    The update's component is ``v.W - beta (v.x) (x.W - r - gamma x'.W)``: v.W, x.W, x'.W and r are the variables.
    """
    own, here, there, r, mean = sympy.symbols("vW xW yW r mean")
    beta, c, gamma, k = sympy.symbols("beta c gamma k", positive=True)
    update = own - beta * c * (here - r - gamma * there)
    average = (k + 1) / (k + 2) * mean + update / (k + 2)
    variables = (own, here, there, r, mean)
    residuals = [f.subs(dict.fromkeys(variables, 0)) for f in (update, average)]
    residuals += [sympy.diff(f, a, b) for f in (update, average) for a in variables for b in variables]
    worst = sum(1 for value in residuals if sympy.simplify(value) != 0)
    return exact_evidence(
        "constant and second-order terms of update and average that are not zero", worst, 0, Relation.EQUAL,
        rigor=Rigor.SYMBOLIC, scope=Scope.CLASS,
    )


def _difference(streams: list[Stream], *, corroborates: bool = False) -> Evidence:
    """Largest ``|W-bar - V-bar|``, both with all K iterations."""
    worst, witness = Fraction(0), None
    for stream in streams:
        K, N = len(stream.rewards), len(stream.rewards[0])
        own = [stream.run([row[i] for row in stream.rewards], K - 1) for i in range(N)]
        central = stream.run([sum(row, Fraction(0)) / N for row in stream.rewards], K - 1)
        gap = abs(sum(own, Fraction(0)) / N - central)
        if gap > worst:
            worst = gap
            values = {"rewards": stream.rewards, "W(0)": stream.start, "agents": own, "V-bar": central}
            witness = Witness(f"one pair or two, K = {K}, N = {N}", values)
    return exact_evidence(
        "largest |W-bar - V-bar|", worst, 0, Relation.EQUAL, instances=len(streams), witness=witness,
        corroborates=corroborates,
    )


def _linear_streams(context: Context) -> list[Stream]:
    streams = []
    for k in range(context.profile.n_rational):
        rng = context.rng(5108, k)
        K, N = int(rng.integers(1, 6)), int(rng.integers(2, 5))
        x = tuple(Fraction(int(v), 2) for v in rng.integers(-3, 4, size=K + 1))
        rewards = tuple(tuple(Fraction(int(v)) for v in row) for row in rng.integers(0, 5, size=(K, N)))
        start = Fraction(int(rng.integers(-3, 4)))
        streams.append(Stream(x, rewards, start, None, Fraction(1, 3), Fraction(9, 10), False))
    return streams


def _clipped() -> Stream:
    one, half = Fraction(1), Fraction(1, 2)
    return Stream((one, one), ((Fraction(0), Fraction(4)),), one, half, one, half, False)


def _dead_unit() -> Stream:
    """Rewards 0 and 4, step 4: the first agent's ReLU(W) dies at W = -1 and learns no more."""
    one, rows = Fraction(1), ((Fraction(0), Fraction(4)),) * 2
    return Stream((one,) * 3, rows, one, None, Fraction(4), Fraction(1, 2), True)
