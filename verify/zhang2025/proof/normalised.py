"""zhang2025 Appendix C, Eq. (8), second line: one normalised step of all agents, or one of each."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from verify.claim import Variant, control, printed, reading, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor, Scope, Witness, exact_evidence
from verify.identities import largest

THIRD, EIGHT_THIRDS = Fraction(1, 3), Fraction(8, 3)
"""Constants of the third line of Eq. (8)."""

ROUNDING = 1e-12
"""Rounding of inner products of order one; ours. The bound is attained."""


@statement("zhang2025", "eq-8-normalised", uses=("algorithm-1-step",))
def eq_8_normalised() -> tuple[Variant, ...]:
    r"""The step of Algorithm 1 is the normalised stacked direction.

    .. math:: -\langle \nabla J(\theta_t), \theta_{t+1} - \theta_t \rangle
        \le -\alpha_t \frac{\langle \nabla J(\theta_t), d_t \rangle}{\|d_t\|}, \qquad
        \theta_{t+1}^i = \theta_t^i + \alpha_t \frac{d_t^i}{\|d_t^i\|}

    Line 17 of Algorithm 1 normalises the direction of each agent; the proof normalises the stacked vector. For one
    agent they agree. For two they are different vectors: d = (3, 4) gives (1, 1) against (3/5, 4/5), so the identity
    fails; with grad J = (-1, 1) the inequality of the display fails as well (0 against -1/5); and the step has length
    ``alpha_t sqrt(N)``, while (9) puts ``alpha_t^2`` for its square. A step with some ``d^i = 0`` is 0/0 in the listing
    and fine in the proof.

    Repaired for the step as listed: with ``u = (d^i/||d^i||)_i`` and e = d - g, for all g and all d with nonzero
    blocks, ``-<g, u> <= -a ||g|| + (sqrt(N) + a) ||e||`` for ``0 <= a <= 1``. Proof: each agent has
    ``-<g^i, u^i> <= ||e^i||`` and ``<= 2 ||e^i|| - ||g^i||`` (`eq_8_cases`); mix them with weight
    ``a ||g^i||/||g||`` on the second and sum; ``sum ||e^i|| <= sqrt(N) ||e||`` and
    ``sum ||g^i|| ||e^i|| <= ||g|| ||e||``. Sharp: N equal blocks and ``d = -x g`` with x to 0 need
    ``sqrt(N) + a``; g in one block needs ``a <= 1``. So the third line of (8) is true of the listed step exactly when
    ``sqrt(N) + 1/3 <= 8/3``: for up to five agents, and not for six.

    Hypotheses: none on the problem; e is any vector, as in the proof.

    Consequence: the chain (8)-(11) is about an algorithm with a stacked normalisation, which needs the norm of all
    agents' directions and so is not decentralised. For the listed step, the constants grow with sqrt(N) and
    the squared step with N; both orders change the N in terms (1) and (4)-(7) of Theorem 5.10.
    """
    return (
        printed(
            lambda c: _two_agents(lambda d: _per_agent(d)[0] - _stacked(d)[0], "first entry of the two steps, apart"),
            "the step is alpha_t d/||d||", "identity", part="identity",
        ),
        printed(lambda c: _second_line(_per_agent), "the inequality between the first two lines", "second line",
                part="second line"),
        reading(
            lambda c: _two_agents(lambda d: sum((x * x for x in _per_agent(d)), Fraction(-1)),
                                 "squared length minus alpha_t^2"),
            "the step has length alpha_t, as (9) uses", "length",
        ),
        reading(lambda c: _second_line(_stacked), "the second line for a step with stacked normalisation", "stacked"),
        reading(
            lambda c: (_reversed(5, THIRD, EIGHT_THIRDS), _searched(c, 5, THIRD, EIGHT_THIRDS)),
            "the third line for the listed step, five agents", "five agents",
        ),
        reading(
            lambda c: _reversed(6, THIRD, EIGHT_THIRDS), "the third line for the listed step, six agents", "six agents"
        ),
        repaired(
            lambda c: tuple(_searched(c, N, a, None) for N in (1, 2, 4, 9) for a in (THIRD, Fraction(1))),
            "-<g, u> <= -a ||g|| + (sqrt(N) + a) ||e|| for the listed step",
        ),
        control(
            lambda c: _reversed(4, THIRD, 2 + THIRD - Fraction(1, 50)), "four agents, b = 2 + 1/3 - 1/50", "b too small"
        ),
        control(lambda c: _searched(c, 4, Fraction(6, 5), None), "a = 6/5 with b = sqrt(N) + a", "a above 1"),
    )  # fmt: skip


Step = Callable[[tuple[Fraction, ...]], tuple[Fraction, ...]]
"""A step of length-one blocks from the agents' directions, in units of alpha_t."""

DIRECTION = (Fraction(3), Fraction(4))
"""Directions of two agents with one parameter each; the norm is 5."""


def _per_agent(d: tuple[Fraction, ...]) -> tuple[Fraction, ...]:
    return tuple(Fraction(1 if x > 0 else -1) for x in d)


def _stacked(d: tuple[Fraction, ...]) -> tuple[Fraction, ...]:
    norm = Fraction(5)
    assert sum(x * x for x in d) == norm**2
    return tuple(x / norm for x in d)


def _two_agents(gap: Callable[[tuple[Fraction, ...]], Fraction], quantity: str) -> Evidence:
    return exact_evidence(
        quantity, gap(DIRECTION), 0, Relation.EQUAL, instances=1,
        witness=Witness(
            "two agents with one parameter each",
            {"d": DIRECTION, "as listed": _per_agent(DIRECTION), "stacked": _stacked(DIRECTION)},
        ),
    )


def _second_line(step: Step) -> Evidence:
    """Largest ``<g, d>/||d|| - <g, step>`` over the four signs of g, d = (3, 4)."""
    signs = [(Fraction(a), Fraction(b)) for a in (-1, 1) for b in (-1, 1)]

    def excess(g: tuple[Fraction, Fraction]) -> Fraction:
        return sum((x * (y - z) for x, y, z in zip(g, _stacked(DIRECTION), step(DIRECTION), strict=True)), Fraction(0))

    worst = max(signs, key=excess)
    return exact_evidence(
        "<g, d>/||d|| - <g, step>/alpha_t, worst of four gradients", excess(worst), 0, Relation.AT_MOST, instances=4,
        witness=Witness("two agents with one parameter each", {"grad J": worst, "d": DIRECTION}),
    )


def _reversed(n_agents: int, a: Fraction, b: Fraction) -> Evidence:
    """N equal blocks g = 1 and d = -g/200: ``N - ((b - a) + b/200)^2``, the squares of both sides over sqrt(N)."""
    x = Fraction(1, 200)
    left, right = Fraction(n_agents), (-a + b * (1 + x)) ** 2
    return exact_evidence(
        f"(-<g, u>)^2 - (-a ||g|| + b ||e||)^2 over N, {n_agents} agents, d = -g/200", left - right, 0,
        Relation.AT_MOST, instances=1, corroborates=False,
        witness=Witness(
            f"{n_agents} agents with one parameter, g = (1, ..., 1), d = -g/200, e = -(201/200) g",
            {"-<g, u>": n_agents, "||g||^2": n_agents, "a": a, "b": b, "(-a + 201 b/200)^2": right},
        ),
    )  # fmt: skip


def _searched(context: Context, n_agents: int, a: Fraction, b: Fraction | None) -> Evidence:
    """Largest ``-<g, u> + a ||g|| - b ||e||`` over ``||g|| + ||e||``: random blocks and the extreme families.

    With b None it is ``sqrt(N) + a``. Blocks have one to three parameters and are of very different sizes.
    """
    rng = context.rng(817, n_agents)
    slope = float(b) if b is not None else np.sqrt(n_agents) + float(a)
    excesses = []
    for k in range(context.profile.n_search):
        width = int(rng.integers(1, 4))
        g = rng.normal(size=(n_agents, width)) * 10.0 ** rng.uniform(-3, 1, (n_agents, 1))
        if k % 4 == 0:
            g = np.ones((n_agents, width))
        elif k % 4 == 1:
            g[1:] *= 1e-9
        d = g * 10.0 ** rng.uniform(-4, 1, (n_agents, 1)) * rng.choice([-1.0, 1.0], (n_agents, 1))
        d += (k % 3) * 0.3 * rng.normal(size=g.shape)
        d = g.copy() if k % 8 == 1 else d
        u = d / np.linalg.norm(d, axis=1, keepdims=True)
        size, error = float(np.linalg.norm(g)), float(np.linalg.norm(d - g))
        excesses.append((-float((g * u).sum()) + float(a) * size - slope * error) / (size + error))
    return exact_evidence(
        f"(-<g, u> + a ||g|| - b ||e||) / (||g|| + ||e||), {n_agents} agents, a = {a}, worst", largest(excesses),
        ROUNDING, Relation.AT_MOST, rigor=Rigor.FLOAT, scope=Scope.INSTANCES, instances=len(excesses),
    )
