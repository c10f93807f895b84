"""Measured coverage and power of `rates.fit` on synthetic data with known exponent, floor and noise.

``python -m rates.calibration`` prints the tables of ``docs/rate-fitting.md``; ``--write FILE`` puts them between the
markers of that file.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rates.fit.contrast import contrast, orthogonal, smooth_precision
from rates.fit.data import moments
from rates.fit.outcome import MISFIT_LEVEL, judge, judge_free_floor
from rates.fit.profile import batch_intervals, best_exponent, exponent_error, floor_contrast, misfit_contrast
from rates.fit.tail import bootstrap_error, default_tail, detectable_difference, fit_tail, without_signal
from rates.synthetic import EXPONENT, FULL, NOISES, SEEDS, Setting, horizons, synthetic

OFF = 0.1
"""By how much the wrong claim exceeds it."""

CONFIDENCE = 0.95
"""Level of all intervals."""

BLOCK = 250
"""Data sets fitted at once; ours: keeps the grids of the free floor below 100 MB."""


@dataclass(frozen=True)
class Row:
    """What was measured, as fractions of the replications unless it says otherwise.

    Attributes:
        setting: how the data were made.
        replications: number of data sets.
        without_interval: data sets whose signal is inside the noise.
        coverage: of those with an interval, it contains the true slope.
        floor_coverage: the true floor is not rejected; nan if known.
        half_width: median half-width of the interval.
        refused: a claim 0.1 too high lies outside the interval.
        upheld: a claim 0.1 too high is upheld.
        upheld_strict: the same with ``strict=True``.
        sound_refused: the true claim lies outside the interval, on the slow side (nominally 2.5 %).
        sound_upheld: the true claim is upheld.
        sound_upheld_strict: the same with ``strict=True``.
    """

    setting: Setting
    replications: int
    without_interval: float
    coverage: float
    floor_coverage: float
    half_width: float
    refused: float
    upheld: float
    upheld_strict: float
    sound_refused: float
    sound_upheld: float
    sound_upheld_strict: float


def measure(setting: Setting, replications: int, seed: int) -> Row:
    """Coverage and power in one setting.

    Args:
        setting: how the data are made.
        replications: number of data sets.
        seed: of all randomness.
    """
    rng, parts = np.random.default_rng(seed), []
    fit = _known if setting.known else _unknown
    for start in range(0, replications, BLOCK):
        parts.append(fit(setting, *synthetic(setting, min(BLOCK, replications - start), rng)))
    low, high, floor_inside, sound, wrong, sound_strict, wrong_strict = np.concatenate(parts, axis=1)
    fitted = ~np.isnan(low)
    return Row(
        setting, replications,
        without_interval=float(1 - fitted.mean()),
        coverage=float(((low <= -EXPONENT) & (high >= -EXPONENT))[fitted].mean()),
        floor_coverage=float(floor_inside.mean()),
        half_width=float(np.median((high - low)[fitted] / 2)),
        refused=float((low > -EXPONENT - OFF).mean()),
        upheld=float(wrong.mean()),
        upheld_strict=float(wrong_strict.mean()),
        sound_refused=float((low > -EXPONENT).mean()),
        sound_upheld=float(sound.mean()),
        sound_upheld_strict=float(sound_strict.mean()),
    )


def _known(setting: Setting, values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Rows: low, high, nan, whether the sound and the wrong claim are upheld, and both again for ``strict``."""
    x, data = np.log(horizons()), moments(values, counts)
    tail = 0 if setting.all_horizons else default_tail(x.size)
    signal = ~without_signal(data, tail, setting.floor)
    # data sets without a signal have no interval: they refuse nothing and uphold nothing
    values, data = values[signal][:, tail:], moments(values[signal], counts).since(tail)
    fit = fit_tail(x[tail:], data, setting.floor, CONFIDENCE)
    error = bootstrap_error(values, counts[tail:], x[tail:], setting.floor, np.random.default_rng(0))
    detectable = detectable_difference(error, fit.slope.degrees, CONFIDENCE)
    result = np.concatenate([np.full((3, signal.size), np.nan), np.zeros((4, signal.size))])
    result[0, signal], result[1, signal] = fit.low, fit.high
    ends = list(zip(fit.low, fit.high, fit.steepening, detectable, strict=True))
    for k, claim in enumerate((EXPONENT, EXPONENT + OFF)):
        result[3 + k, signal] = [judge(claim, a, b, bool(s)).upholds for a, b, s, _ in ends]
        result[5 + k, signal] = [judge(claim, a, b, bool(s), d).upholds for a, b, s, d in ends]
    return result


def _unknown(setting: Setting, values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """As `_known`; the third row says whether the true floor is not rejected."""
    x, data = np.log(horizons()), moments(values, counts)
    x = x - x.mean()
    precision = smooth_precision(data, x)
    low, high = batch_intervals(x, data, precision, CONFIDENCE)
    p = best_exponent(x, data, precision)
    misfit = misfit_contrast(p, x, data, precision).excludes_zero(MISFIT_LEVEL)
    decay = np.exp(-p[:, None] * x)
    decays = contrast(orthogonal(decay, (np.ones_like(decay),), precision), data)
    direction = np.sign(decays.value) * decays.excludes_zero(1 - CONFIDENCE)
    inside = ~floor_contrast(np.array([setting.floor]), x, data, precision).excludes_zero(1 - CONFIDENCE)
    detectable = detectable_difference(*exponent_error(p, x, data, precision), CONFIDENCE)
    ends = list(zip(-high, -low, misfit, direction, detectable, strict=True))
    result = np.empty((7, len(ends)))
    result[:3] = -high, -low, inside
    for k, claim in enumerate((EXPONENT, EXPONENT + OFF)):
        result[3 + k] = [judge_free_floor(claim, a, b, bool(m), int(d)).upholds for a, b, m, d, _ in ends]
        result[5 + k] = [judge_free_floor(claim, a, b, bool(m), int(d), e).upholds for a, b, m, d, e in ends]
    return result


def settings() -> list[Setting]:
    """The rows of the tables: known floors first."""
    known = [Setting(law, c, seeds) for law in NOISES for c in (0.05, 0.2, 0.5) for seeds in SEEDS]
    known += [Setting("log-normal", c, FULL, floor=0.05) for c in (0.05, 0.2, 0.5)]
    known += [Setting(law, 0.5, seeds, all_horizons=True) for law in NOISES for seeds in SEEDS]
    free = [
        Setting(law, c, seeds, floor=floor, known=False)
        for law in NOISES[:2] for c in (0.05, 0.2, 0.5) for seeds in ("24", FULL) for floor in (0.0, 0.02)
    ]
    return known + free


def table(rows: Sequence[Row]) -> str:
    """Rows as Markdown.

    Args:
        rows: of one kind, all with known or all with unknown floor.
    """
    free = not rows[0].setting.known
    head = ("noise", "spread", "seeds", *(("floor",) if free else ("floor", "from T")), "covered",
            *(("floor covered",) if free else ("no interval",)), "half-width", "wrong refused",
            "wrong upheld", "strict", "sound refused", "sound upheld", "strict")
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for r in rows:
        s = r.setting
        cells = [s.noise, f"{100 * s.spread:.0f} %", s.seeds, f"{s.floor:g}"]
        cells += [] if free else ["10^3" if s.all_horizons else "10^5"]
        cells += [_percent(r.coverage), _percent(r.floor_coverage if free else r.without_interval)]
        cells += [f"{r.half_width:.3f}", _percent(r.refused), _percent(r.upheld), _percent(r.upheld_strict),
                  _percent(r.sound_refused), _percent(r.sound_upheld), _percent(r.sound_upheld_strict)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables, or write them into a file between its markers.

    Args:
        arguments: of the command line.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replications", type=int, default=4_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", type=Path, metavar="FILE")
    chosen = parser.parse_args(arguments)
    rows = [measure(s, chosen.replications, chosen.seed + k) for k, s in enumerate(settings())]
    tables = {
        "known": table([r for r in rows if r.setting.known]),
        "unknown": table([r for r in rows if not r.setting.known]),
    }
    if chosen.write is None:
        print("\n\n".join(tables.values()))
        return
    text = chosen.write.read_text(encoding="utf-8")
    for name, lines in tables.items():
        start, end = f"<!-- {name} -->\n", f"\n<!-- end of {name} -->"
        before, rest = text.split(start)
        text = before + start + lines + end + rest.split(end)[1]
    chosen.write.write_text(text, encoding="utf-8")


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


if __name__ == "__main__":
    main()
