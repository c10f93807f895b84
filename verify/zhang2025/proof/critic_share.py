"""zhang2025 Appendix C, Step 2(d), Eq. (34): the critic's share of the error of the direction."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from flint import fmpq

from mdp.linear import rational_array
from verify.claim import Variant, control, printed, reading, repaired, statement
from verify.context import Context
from verify.evidence import Evidence, Relation, Witness, exact_evidence
from verify.zhang2025.proof.batch_chain import Batch, batch, bounded_points, coin


@statement("zhang2025", "eq-34", uses=("lemma-4.3", "assumption-5.5", "assumption-5.9"))
def eq_34() -> tuple[Variant, ...]:
    r"""The critic's share of the error is of the order of its squared error.

    .. math:: \| g - \nabla J \|^2 = \| E_\nu[\hat A \psi] - E_\nu[A \psi] \|^2 = \| E_\nu[(\hat A - A)\psi] \|^2
        \le E_\nu |\hat A - A|^2 \le 2 E_\nu |\hat A| + 2 E_\nu |A|^2 = O(\epsilon_{critic}^2)

    *First line*: Lemma 4.3 is a proportionality, ``E_nu[A psi] = (1 - gamma) grad J``. Taken as an equality it is
    false: with an exact critic ``||g - grad J|| = gamma ||grad J||``, half of the gradient at gamma = 1/2. With grad
    J up to that factor the line is right. The next two are right. *Fifth line*: a square is lost; even with it the
    bound is about the size of the advantages, not of their difference, so *the last equality* does not follow: with
    an exact critic the fifth line is at least ``2 E A^2``.

    *The conclusion by itself*, first against last: false for the gradient itself, with an exact critic; true up to the
    factor 1 - gamma, straight from the third line. So the statement survives under one reading of its first line, and
    the two lines that lead to it do not survive under any.

    Repaired and sharp: ``||g - (1 - gamma) grad J||^2 <= epsilon_critic^2``, from the third line:
    ``A^ - A = e - E_pi e`` for an error e in [-epsilon, epsilon], whose variance is at most epsilon^2. One state, two
    equally likely actions, scores 1 and -1, e = (epsilon, -epsilon) attain it. In terms of the gradient itself,
    ``||g / (1 - gamma) - grad J|| <= epsilon / (1 - gamma)``.

    Second opinion: the coin by hand (tests).

    Hypotheses: data and nu of the restart kernel, Q of the original kernel, Assumptions 5.5 and 5.9.

    Consequence: term (3) of Theorem 5.10 stands if the step follows ``(1 - gamma) grad J``, which changes the
    constants of (8) and (9) and nothing else. With the printed identification an error of gamma ||grad J|| remains.
    """
    names = ("g against E_nu[A psi] = grad J", "linearity", "Jensen, scores of at most one", "fifth line, square lost")
    relations = (Relation.EQUAL, Relation.EQUAL, Relation.AT_MOST, Relation.AT_MOST)
    labels = ("first", "second", "third", "fifth")
    return (
        *(printed(lambda c, k=k: _line_34(_critics(c), k, relations[k]), names[k],  # type: ignore[misc]
                  "grad J" if k == 0 else labels[k], part=labels[k],
                  recheck=lambda c, k=k: _line_34(_critics_by_hand(), k, relations[k]))  # type: ignore[misc]
          for k in range(4)),
        printed(_proportional, "g against E_nu[A psi] = (1 - gamma) grad J", "up to 1 - gamma", part="first"),
        printed(_last_of_34, "the fifth line is O(epsilon^2), exact critic", "order", part="order"),
        printed(lambda c: _conclusion(c, scaled=False), "||g - grad J||^2 is at most a constant times epsilon^2",
                "conclusion, grad J", part="conclusion"),
        printed(lambda c: _conclusion(c, scaled=True), "||g - (1 - gamma) grad J||^2 is at most epsilon^2",
                "conclusion, up to 1 - gamma", part="conclusion"),
        reading(_mean_td_error, "g with the advantage read as E[delta | s, a], exact critic", "mean TD error"),
        repaired(lambda c: (_critic_share(c, Fraction(1)), _share_attained()),
                 "||g - (1 - gamma) grad J||^2 <= epsilon_critic^2, attained"),
        repaired(lambda c: _line_34(_critics(c), 4, Relation.AT_MOST), "fifth line with its square", "fifth"),
        control(lambda c: _critic_share(c, Fraction(99, 100)), "0.99 epsilon_critic^2", "0.99"),
        control(lambda c: _line_34(_critics(c), 5, Relation.AT_MOST), "third line with half the right side", "half"),
    )


Pair = tuple[Batch, Batch]
"""The batch with the exact critic and the one with a wrong critic."""


def _critics_by_hand() -> list[Pair]:
    """The coin with an exact critic, with errors 1 and -1, and with errors 4 and -4."""
    exact = batch(coin(), "original")
    wrong = [batch(coin(), "original", rational_array([[size, -size]])) for size in (1, 4)]
    return [(exact, exact), *((exact, w) for w in wrong)]


def _critics(context: Context) -> Iterator[Pair]:
    yield from _critics_by_hand()
    rng = context.rng(3401)
    for point in bounded_points(context):
        error = rational_array(rng.integers(-4, 5, size=point.P.shape[:2])) / int(rng.integers(1, 5))
        exact = batch(point, "original")
        yield exact, exact
        yield exact, batch(point, "original", error)


def _lines_34(exact: Batch, wrong: Batch) -> list[fmpq]:
    """Lines of (34), all agents together."""
    gap = wrong.advantage - exact.advantage
    square = exact.mean(gap**2)
    return [
        ((wrong.target - exact.gradient) ** 2).sum(),
        ((wrong.target - exact.target) ** 2).sum(),
        ((exact.score * (exact.law * gap)).sum(axis=1) ** 2).sum(),
        square,
        2 * exact.mean(abs(wrong.advantage)) + 2 * exact.mean(exact.advantage**2),
    ]


def _line_34(cases: Iterator[Pair] | list[Pair], k: int, relation: Relation) -> Evidence:
    """Line k minus line k + 1; k = 4 is the repaired fifth line, k = 5 the third with half its right side."""
    worst, witness, count = None, None, 0
    for exact, wrong in cases:
        lines = _lines_34(exact, wrong)
        repaired_fifth = 2 * exact.mean(wrong.advantage**2) + 2 * exact.mean(exact.advantage**2)
        left, right = {4: (lines[3], repaired_fifth), 5: (lines[2], lines[3] / 2)}.get(k) or (lines[k], lines[k + 1])
        excess = left - right if relation is Relation.AT_MOST else abs(left - right)
        worst, count = excess if worst is None else max(worst, excess), count + 1
        if witness is None and excess > 0:
            witness = Witness(
                f"the left side is {left}, the right side {right}",
                {"nu(s, a)": exact.law, "psi": exact.score, "advantage": exact.advantage,
                 "estimated advantage": wrong.advantage, "g": wrong.target, "grad J": exact.gradient,
                 "gamma": exact.gamma, "epsilon_critic": wrong.critic_error},
            )
    if worst is None:
        raise ValueError("no instance")
    return exact_evidence("left minus right side", worst, 0, relation, instances=count, witness=witness)


def _conclusion(context: Context, scaled: bool) -> Evidence:
    """First line minus epsilon^2, the worst; with the exact critic of the coin every constant gives the same."""
    worst, witness, count = None, None, 0
    for exact, wrong in _critics(context):
        target = (1 - exact.gamma) * exact.gradient if scaled else exact.gradient
        left = ((wrong.target - target) ** 2).sum()
        excess = left - wrong.critic_error**2
        worst, count = excess if worst is None else max(worst, excess), count + 1
        if witness is None and wrong.critic_error == 0 and left > 0:
            witness = Witness("exact critic: the right side is zero for every constant",
                              {"g": wrong.target, "target": target, "epsilon_critic": wrong.critic_error})
    assert worst is not None  # the instances by hand are always there
    return exact_evidence("first line minus epsilon_critic^2, worst", worst, 0, Relation.AT_MOST, instances=count,
                          witness=witness)


def _proportional(context: Context) -> Evidence:
    gaps = [max(abs(e.target - (1 - e.gamma) * e.gradient)) for e, _ in _critics(context)]
    return exact_evidence("E_nu[A psi] - (1 - gamma) grad J", max(gaps), 0, Relation.EQUAL, instances=len(gaps))


def _last_of_34(context: Context) -> Evidence:
    exact = batch(coin(), "original")
    value = _lines_34(exact, exact)[4]
    return exact_evidence(
        "fifth line at epsilon_critic = 0", value, 0, Relation.AT_MOST, instances=1,
        witness=Witness("one state, two equally likely actions, rewards 1 and 0, exact critic",
                        {"advantage": exact.advantage, "2 E|A| + 2 E|A|^2": value}),
    )


def _mean_td_error(context: Context) -> Evidence:
    """The coin: ``E[delta | s, a] = 0`` for the exact Q, so g is zero and the gradient is not."""
    b = batch(coin())
    g = (b.law * b.score[0] * (b.kernel * b.delta).sum(axis=1)).sum()
    gap = (g - (1 - b.gamma) * b.gradient[0]) ** 2
    return exact_evidence(
        "||g - (1 - gamma) grad J||^2 at epsilon_critic = 0", gap, 0, Relation.AT_MOST, instances=1,
        witness=Witness("one state, two equally likely actions, rewards 1 and 0, exact critic",
                        {"g": g, "(1 - gamma) grad J": (1 - b.gamma) * b.gradient[0]}),
    )


def _critic_share(context: Context, factor: Fraction) -> Evidence:
    scale = fmpq(factor.numerator, factor.denominator)
    gaps = [((w.target - (1 - e.gamma) * e.gradient) ** 2).sum() - scale * w.critic_error**2
            for e, w in _critics(context)]
    return exact_evidence("||g - (1 - gamma) grad J||^2 minus its bound", max(gaps), 0, Relation.AT_MOST,
                          instances=len(gaps))


def _share_attained() -> Evidence:
    exact, wrong = _critics_by_hand()[1]
    ratio = ((wrong.target - (1 - exact.gamma) * exact.gradient) ** 2).sum() / wrong.critic_error**2
    return exact_evidence("||g - (1 - gamma) grad J||^2 over epsilon^2", ratio, 1, Relation.EQUAL, instances=1,
                          corroborates=True)
