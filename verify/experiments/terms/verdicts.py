"""One line per measured series of zhang2025 Theorem 5.10: the printed order, the measured one, and what follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from rates.fit import RateOutcome
from rates.fit.outcome import judge
from verify.experiments.terms.sizes import CLAIMS, Power, fit_power

ORDERS = {"(1) T": -1.0, "(4) M": -0.5, "(4) N": 0.5, "(7) K": -0.25}
"""Printed powers of the exact tables; t_gossip and eta are compared with the printed rate itself."""

FROM_DEPTH = 2
"""Depths that are fitted: a critic of one layer is linear in it but for its switches, and may show nothing at all."""


@dataclass(frozen=True)
class TermVerdict:
    """What was found on one series.

    Attributes:
        term: of Theorem 5.10, and the parameter that varies.
        series: what was measured, for whom.
        power: claim, slope, interval and outcome; for t_gossip the slope is that of the log per round, for eta the
            largest share of the bound.
        unit: what the slope is.
    """

    term: str
    series: str
    power: Power
    unit: str = "power"

    def row(self) -> tuple[str, str, str, str, str]:
        """Term, series, claim, found, outcome."""
        p, sign = self.power, "<= " if self.unit == "share" else ""
        found = "all rounding" if np.isnan(p.slope) else f"{p.slope:.3f} [{p.low:.3f}, {p.high:.3f}]"
        return self.term, self.series, f"{sign}{p.claimed:.3f}", found, p.outcome.name.lower().replace("_", " ")


ROUNDING = 1e-9
"""Share of the first value below which an exact gap is rounding; ours."""

ACCURACY = 1e-12
"""Relative error that an exact value may have; ours, decades above what linear systems of this size leave. Without it
a slope that is the claimed one would be told from it by its last digit."""


def exact_power(x: np.ndarray, y: np.ndarray, claimed: float) -> Power:
    """The last local slope of an exact series; its interval says that it may still move as far as it did last.

    Args:
        x: parameter, (n,), increasing.
        y: values, (n,), at least three of them above rounding.
        claimed: q of ``O(x^q)``.

    Raises:
        ValueError: fewer than three values above rounding.
    """
    seen = y > ROUNDING * y[0]
    if seen.sum() < 3:
        raise ValueError(f"y is {y}; two local slopes need three values above rounding")
    slopes = np.diff(np.log(y[seen])) / np.diff(np.log(x[seen]))
    low, high = sorted((float(slopes[-1]), float(2 * slopes[-1] - slopes[-2])))
    rounding = 2 * ACCURACY / float(np.abs(np.diff(np.log(x[seen]))).min())
    low, high = low - rounding, high + rounding
    return Power(claimed, float(slopes[-1]), low, high, judge(-claimed, low, high, False))


def exact_verdicts(tables: Mapping[str, xr.Dataset]) -> list[TermVerdict]:
    """Verdicts of the exact tables.

    Args:
        tables: as of `verify.experiments.terms.runs.all_terms`.
    """
    found = []
    for term, table in tables.items():
        x = table[str(next(iter(table.dims)))].values.astype(float)
        for name in map(str, table.data_vars):
            y = table[name].values
            if name.endswith("rate") or name.startswith("repaired variance"):  # guides; the repaired mean is g itself
                continue
            if term == "(5) t_gossip":
                found.append(TermVerdict(term, name, _per_round(y, table["printed rate"].values), "log per round"))
            elif term == "(5) eta":
                found.append(TermVerdict(term, name, _share(y, table["printed rate"].values, 3), "share"))
            else:
                found.append(TermVerdict(term, name, exact_power(x, y, ORDERS[term])))
    return found


def _per_round(y: np.ndarray, rate: np.ndarray) -> Power:
    steps, claimed = np.diff(np.log(y)), float(np.diff(np.log(rate))[0])
    low, high = float(steps.min()), float(steps.max())
    return Power(claimed, float(steps[-1]), low, high, judge(-claimed, low, high, False))


def _share(y: np.ndarray, rate: np.ndarray, n_agents: int) -> Power:
    """Largest share of ``(sqrt(N)/2) r_max sum of score norms`` times the printed rate, rewards in [0, 1]."""
    shares = y / (n_agents / 2 * rate)
    worst = float(shares.max())
    outcome = RateOutcome.CONSISTENT if worst <= 1 else RateOutcome.REFUTED
    return Power(1.0, worst, worst, worst, outcome)


def size_verdicts(sweeps: Mapping[tuple[str, str, str, str], xr.Dataset]) -> list[TermVerdict]:
    """Verdicts of the sweeps over m and D.

    Args:
        sweeps: as of `verify.experiments.terms.sizes.by_size`.
    """
    found = []
    for (axis, kind, reading, network), data in sweeps.items():
        for claim in CLAIMS:
            if axis == "D" and claim.metric in ("star", "worst"):
                continue  # the radius shrinks like D^-6: hardly a unit can switch, and nothing is left but rounding
            claimed = {"m": claim.width, "D": claim.depth}.get(axis, claim.depth_at_one)
            first = 1 if axis == "m" else FROM_DEPTH
            power = fit_power(data, claim.metric, claimed, first=first)
            found.append(TermVerdict(f"{claim.term} {axis}", f"{claim.says}, {network}, {reading}, {kind}", power))
    return found
