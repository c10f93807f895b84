"""zhang2025 Algorithm 2, line 8: the projection onto a product of balls."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import sympy
from flint import fmpq

from mdp.linear import rational_array
from verify.claim import Variant, control, printed, reading, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor, Scope, Witness, exact_evidence
from verify.networks import random_doubly_stochastic

Blocks = tuple[np.ndarray, ...]
"""One exact vector per layer: vec(W_h - W_h(0))."""


@statement("zhang2025", "algorithm-2-projection")
def algorithm_2_projection() -> tuple[Variant, ...]:
    r"""The projection onto B(B) is non-expansive, and averages and gossip stay inside.

    .. math:: W^i(k+1) = \arg\min_{W \in \mathcal{B}(B)} \|W - \tilde W^i(k+1)\|_2, \qquad
        \mathcal{B}(B) = \{W : \|W^{(h)} - W^{(h)}(0)\|_F \le B, \forall h \in [D]\}

    True. B(B) is a product of D balls, not a ball of radius B as the text calls it, so the projection scales each layer
    on its own: ``min(1, B / ||block||)``.

    *Non-expansive*: it is enough to look at one block with B = 1. For u = s a and v = t b with unit a, b and cosine
    c: both outside, ``||u - v||^2 - ||a - b||^2 = (s - t)^2 + 2 (s t - 1)(1 - c)``; one outside, ``||u - v||^2 - ||a
    - v||^2 = (s - 1)(s + 1 - 2 t c)``; with s, t >= 1 or t <= 1 and c <= 1 both are sums of products of nonnegative
    terms. The program expands both identities and checks the signs. Sharp: inside the ball nothing moves.

    *Closed form*: on exact blocks with rational norms the block-wise scaling meets the variational inequality of the
    projection, whose left side is largest at a point of the ball that is known in closed form.

    *Averages and gossip*: ``||l u + (1 - l) v||^2 = l ||u||^2 + (1 - l) ||v||^2 - l (1 - l) ||u - v||^2``, and rows of
    A^t are nonnegative and sum to one. One row of sum 11/10 is enough to leave the ball.

    Hypotheses: A row stochastic with nonnegative entries; all agents share W(0).

    Consequence: every parameter that the proof compares lies in B(B), whose diameter is ``2 B sqrt(D)``; that is what
    Eq. (22) uses.
    """
    return (
        printed(
            lambda c: (_case_identities(Fraction(1)), _pairs(c, _blockwise)), "non-expansive", "non-expansive",
            part="non-expansive",
        ),
        printed(lambda c: (_convexity(), _mixtures(c, fmpq(1))), "averages and gossip stay inside", "inside", "inside"),
        reading(lambda c: _optimal(c, _blockwise), "line 8 is the block-wise scaling", "closed form"),
        control(lambda c: _optimal(c, _globally), "one scaling for the whole vector", "global scaling"),
        control(lambda c: _case_identities(Fraction(9, 10)), "a contraction by 0.9 outside", "contraction"),
        control(lambda c: _pairs(c, _outwards), "blocks inside moved to the sphere", "to the sphere"),
        control(lambda c: _mixtures(c, fmpq(11, 10)), "rows that sum to 11/10", "not stochastic"),
    )


def _case_identities(factor: Fraction) -> Evidence:
    """Wrong expansions and negative signs among the two cases, for ``factor ||u - v||^2 - ||Pu - Pv||^2 >= 0``."""
    # s = 1 + x, c = 1 - z, and t = 1 + y outside or t = 1 - y inside; t stays a symbol of its own in the second case
    x, y, z, t = sympy.symbols("x y z t", nonnegative=True)
    ratio, c = sympy.Rational(factor.numerator, factor.denominator), 1 - z
    s, outside = 1 + x, 1 + y
    both = ratio * (s**2 + outside**2 - 2 * s * outside * c) - (2 - 2 * c)
    one = ratio * (s**2 + t**2 - 2 * s * t * c) - (1 + t**2 - 2 * t * c)
    claims = (
        (both, (x - y) ** 2 + 2 * (x + y + x * y) * z),
        (one.subs(t, 1 - y), (x * (x + 2 * y + 2 * z * t)).subs(t, 1 - y)),
    )
    wrong = sum(sympy.expand(left - right) != 0 for left, right in claims)
    # what is left after the square must have no negative coefficient
    rests = (sympy.expand(claims[0][1] - (x - y) ** 2), sympy.expand(x * (x + 2 * y + 2 * z * t)))
    wrong += sum(any(k < 0 for k in sympy.Poly(r, x, y, z, t).coeffs()) for r in rests)
    return exact_evidence(
        "cases whose certificate fails", int(wrong), 0, Relation.EQUAL, rigor=Rigor.SYMBOLIC, scope=Scope.CLASS,
        note="x, y, z and t are nonnegative; ||Pu - Pv|| <= ||u - v|| block by block",
    )


Projection = Callable[[Blocks, list[fmpq]], Blocks]
"""Projection of blocks whose exact norms are known, onto unit balls."""


def _blockwise(blocks: Blocks, norms: list[fmpq]) -> Blocks:
    return tuple(b / max(fmpq(1), n) for b, n in zip(blocks, norms, strict=True))


def _globally(blocks: Blocks, norms: list[fmpq]) -> Blocks:
    return tuple(b / max([fmpq(1), *norms]) for b in blocks)


def _outwards(blocks: Blocks, norms: list[fmpq]) -> Blocks:
    return tuple(b / n for b, n in zip(blocks, norms, strict=True))


def _random_blocks(rng: np.random.Generator) -> tuple[Blocks, list[fmpq]]:
    """Two layers of four weights with rational norms: stereographic points of the sphere, scaled."""
    blocks, norms = [], []
    for _ in range(2):
        plane = rational_array(rng.integers(-4, 5, size=3))
        square = (plane * plane).sum()
        point = np.concatenate([2 * plane, [square - 1]]) / (square + 1)
        length = fmpq(int(rng.integers(1, 12)), 4)
        blocks.append(point * length)
        norms.append(length)
    return tuple(blocks), norms


def _pairs(context: Context, project: Projection) -> Evidence:
    """Largest ``||Pu - Pv||^2 / ||u - v||^2`` over exact pairs."""
    rng, worst, extreme = context.rng(3110), fmpq(0), Witness("no pair")
    for _ in range(context.profile.n_search):
        (u, u_norms), (v, v_norms) = _random_blocks(rng), _random_blocks(rng)
        before = _square(tuple(a - b for a, b in zip(u, v, strict=True)))
        if before == 0:
            continue
        after = _square(tuple(a - b for a, b in zip(project(u, u_norms), project(v, v_norms), strict=True)))
        if after / before > worst:
            worst = after / before
            extreme = Witness("two points", {"u": list(u), "v": list(v), "ratio": worst})
    return exact_evidence(
        "squared distance after over before, largest", worst, 1, Relation.AT_MOST, instances=context.profile.n_search,
        witness=extreme, corroborates=project is _blockwise,
    )


def _square(blocks: Blocks) -> fmpq:
    return sum(((b * b).sum() for b in blocks), fmpq(0))


def _optimal(context: Context, project: Projection) -> Evidence:
    """Largest ``<u - Pu, w - Pu>`` over w in the product of unit balls; the projection makes it zero.

    Where a block of u - Pu is a nonnegative multiple of that block of u, the largest value is taken at the unit vector
    along it, so no square root is needed.
    """
    rng, worst, extreme = context.rng(3111), fmpq(-1), Witness("no point")
    for _ in range(context.profile.n_search):
        u, norms = _random_blocks(rng)
        image = project(u, norms)
        value = fmpq(0)
        for block, own, norm in zip(u, image, norms, strict=True):
            value += ((block - own) * (block / norm - own)).sum()
        if value > worst:
            worst, extreme = value, Witness("the point and its image", {"u": list(u), "image": list(image)})
    return exact_evidence(
        "largest inner product of u - Pu with w - Pu", worst, 0, Relation.AT_MOST, instances=context.profile.n_search,
        witness=extreme,
    )


def _convexity() -> Evidence:
    """The identity behind convexity, coordinate by coordinate."""
    weight, u, v = sympy.symbols("l u v", real=True)
    mixed = (weight * u + (1 - weight) * v) ** 2
    gap = sympy.expand(mixed - weight * u**2 - (1 - weight) * v**2 + weight * (1 - weight) * (u - v) ** 2)
    return exact_evidence(
        "terms left of the convexity identity", 0 if gap == 0 else 1, 0, Relation.EQUAL, rigor=Rigor.SYMBOLIC,
        scope=Scope.CLASS, note="sum over coordinates; rows of A^t are convex weights",
    )


def _mixtures(context: Context, row_sum: fmpq) -> Evidence:
    """Largest squared block norm after averages and gossip of points on the spheres."""
    rng, worst = context.rng(3112), fmpq(0)
    for _ in range(context.profile.n_rational):
        N = int(rng.integers(2, 5))
        A = row_sum * random_doubly_stochastic(rng, N, 2)
        points = [_outwards(*_random_blocks(rng)) for _ in range(N)]
        # one direction for all agents is the extreme case: every mixture is then on the sphere
        for agents in (points, [points[0]] * N):
            for h in range(2):
                layer = np.stack([p[h] for p in agents])
                mixed = A @ (A @ layer)
                average = row_sum * layer.sum(axis=0) / N
                worst = max(worst, (average * average).sum(), *((row * row).sum() for row in mixed))
    return exact_evidence(
        "largest squared block norm over B^2", worst, 1, Relation.AT_MOST, instances=context.profile.n_rational,
    )
