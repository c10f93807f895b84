"""Runs of zhang2025's Simple Spread study for the ledger, and evidence from them.

What counts as seen in a figure is a twentieth of the gap between uniform policies and the optimum, both exact. The
quick profile has a few repetitions, the full one the paper's 100.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import xarray as xr
from scipy.stats import binomtest
from scipy.stats import t as student

from algorithms.neural.spread import SpreadSettings
from verify.context import Context
from verify.evidence import Evidence, Relation, Rigor
from verify.experiments.simple_spread.lines import HORIZON, PAPER_RUNS, RADIUS, Line
from verify.experiments.simple_spread.runs import Budget, levels, run_lines

VISIBLE = 0.05
"""Share of the gap between uniform policies and the optimum that a reader could see in a figure; ours."""

QUICK_RUNS = 4
"""Repetitions of the quick profile; ours. Gains vary by 0.03 between runs and `VISIBLE` is 0.28."""

CLOSE_RUNS = 8
"""The same for the defaults and the deepest critic, which differ by less; ours."""

NETWORK_BUDGET = Budget(48, 2_000, 1)
"""For network actors in the quick profile; ours. They cost twice as much, and their starts differ much."""

DEFAULTS = SpreadSettings(actor="softmax")
DEEPEST = replace(DEFAULTS, depth=40)
EXACT = replace(DEFAULTS, reading="repaired", critic="exact", radius=RADIUS)


def gains(context: Context, settings: SpreadSettings, agents: int = 2) -> np.ndarray:
    """Exact reward of the last policies minus that of the first, one per repetition; statements share the runs.

    Args:
        context: profile and seed.
        settings: the algorithm's.
        agents: N.
    """
    data = runs(context, settings, agents)
    return np.asarray((data["exact"].isel(line=0, checkpoint=-1) - data["start"].isel(line=0)).values)


def runs(context: Context, settings: SpreadSettings, agents: int = 2) -> xr.Dataset:
    """Runs of one line, shared between statements.

    Args:
        context: profile and seed.
        settings: the algorithm's.
        agents: N.
    """
    quick = Budget(CLOSE_RUNS if agents == 2 and settings in (DEFAULTS, DEEPEST) else QUICK_RUNS, HORIZON, 1)
    if settings.actor == "network":
        quick = NETWORK_BUDGET
    budget = Budget(PAPER_RUNS, HORIZON, 1) if context.profile.name == "full" else quick
    changes = {k: v for k, v in vars(settings).items() if v != getattr(SpreadSettings(), k)}
    key = "spread-" + "-".join([f"N-{agents}", *(f"{k}-{v}" for k, v in changes.items())]).replace(" ", "-")
    return context.dataset(
        key, lambda: run_lines((Line(key, settings, agents),), budget, seed=context.seed, jobs=context.jobs)
    )


def gap(agents: int = 2) -> Fraction:
    """Exact mean reward per step of the best joint policy minus that of uniform policies.

    Args:
        agents: N, at most four.
    """
    return levels(agents).best - levels(agents).uniform


def mean(
    quantity: str, values: np.ndarray, claimed: float, relation: Relation, note: str = "", family: int = 1
) -> Evidence:
    """Mean of independent runs with its Student interval, against a number.

    Args:
        quantity: what was measured.
        values: one per run.
        claimed: what it is compared with.
        relation: how.
        note: a remark.
        family: comparisons that are decided together: each interval has confidence 1 - 5 % / family (Bonferroni), so
            that all of them hold what they estimate with 95 %.
    """
    centre, n = float(values.mean()), len(values)
    half = float(student.ppf(1.0 - 0.025 / family, n - 1) * values.std(ddof=1) / np.sqrt(n))
    remarks = [note, f"one of {family} comparisons, together 95 %" if family > 1 else ""]
    return Evidence(
        quantity, centre, centre - half, centre + half, claimed, relation, Rigor.STATISTICAL, instances=n,
        note="; ".join(filter(None, remarks)), sample=tuple(float(x) for x in values), sample_quantity=quantity,
    )


def learns(
    context: Context, settings: SpreadSettings, what: str, relation: Relation = Relation.AT_LEAST,
    share: float = VISIBLE,
) -> Evidence:  # fmt: skip
    """The mean gain against what would be seen.

    Args:
        context: profile and seed.
        settings: the algorithm's.
        what: the settings in words.
        relation: at least what would be seen, or at most.
        share: what would be seen, as a share of the gap; 0 for any gain.
    """
    return mean(
        f"gain in exact reward per step, {what}", gains(context, settings), share * float(gap()), relation,
        f"{VISIBLE:.0%} of the gap of {float(gap()):.4g} between uniform policies and the optimum would be seen",
    )


def most_learn(context: Context, settings: SpreadSettings) -> Evidence:
    """Share of runs that gain visibly, with its Wilson interval: gains of network actors have heavy tails.

    Args:
        context: profile and seed.
        settings: the algorithm's.
    """
    gained = gains(context, settings) >= VISIBLE * float(gap())
    horizon = int(runs(context, settings)["t"][-1])
    interval = binomtest(int(gained.sum()), len(gained)).proportion_ci(method="wilson")
    return Evidence(
        f"share of runs of {horizon:,} iterations that gain what would be seen", float(gained.mean()),
        float(interval.low), float(interval.high), 0.5, Relation.AT_LEAST, Rigor.STATISTICAL, instances=len(gained),
    )


def paired(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Differences over the repetitions that both have; repetition k has the same seed in both.

    Args:
        first: one value per repetition.
        second: likewise, one value per repetition.
    """
    common = min(len(first), len(second))
    return np.asarray(first[:common] - second[:common])


def more(
    context: Context, better: SpreadSettings, than: SpreadSettings, what: str, share: float = VISIBLE, family: int = 1
) -> Evidence:
    """The mean difference of two gains, paired by seed, against what would be seen.

    Args:
        context: profile and seed.
        better: settings said to gain more.
        than: settings said to gain less.
        what: the difference in words.
        share: least difference as a share of the gap; 0 for any difference.
        family: comparisons that are decided together, see `mean`.
    """
    return mean(
        f"difference of the gains, {what}", paired(gains(context, better), gains(context, than)), share * float(gap()),
        Relation.AT_LEAST, f"paired by seed; {VISIBLE:.0%} of the gap would be seen", family,
    )


def same(
    context: Context, one: SpreadSettings, other: SpreadSettings, what: str, family: int = 1
) -> tuple[Evidence, Evidence]:
    """Equivalence: the interval of the difference lies inside plus and minus what would be seen.

    Args:
        context: profile and seed.
        one: settings.
        other: settings.
        what: the difference in words.
        family: differences that are decided together, see `mean`; each has one interval.
    """
    difference = paired(gains(context, one), gains(context, other))
    quantity, seen = f"difference of the gains, {what}", VISIBLE * float(gap())
    return (
        mean(quantity, difference, seen, Relation.AT_MOST, "paired by seed", family),
        mean(quantity, difference, -seen, Relation.AT_LEAST, "paired by seed", family),
    )
