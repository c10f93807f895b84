"""Coverage and power of the fits, on fewer data sets than the table in the docs and against that table."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy.stats import binom

from rates.calibration import CONFIDENCE, OFF, Row, _known, _unknown, main, measure, settings, table
from rates.fit import fit_rate
from rates.fit.contrast import smooth_precision
from rates.fit.data import moments
from rates.fit.profile import batch_intervals, best_exponent, exponent_error
from rates.fit.tail import fit_tail
from rates.sweep import geometric_horizons
from rates.synthetic import EXPONENT, FULL, NOISES, Setting, horizons, synthetic

DOCS = Path(__file__).parent.parent / "docs" / "rate-fitting.md"

N = 1_000

ALARM = 1e-4
"""Probability that one comparison of this file fails on calibrated fits; some fifty are made."""


def between(count: float, n: int, low: float, high: float) -> bool:
    """Whether a binomial count is compatible with some probability from low to high."""
    return bool(binom.ppf(ALARM / 2, n, low) <= round(count) <= binom.ppf(1 - ALARM / 2, n, high))


QUICK = [
    *(Setting(law, 0.2, FULL) for law in NOISES),
    Setting("log-normal", 0.05, "8"),
    Setting("log-normal", 0.2, "8"),
    Setting("gamma", 0.5, "24"),
    Setting("log-normal", 0.2, FULL, floor=0.05),
    Setting("log-normal", 0.2, FULL, floor=0.02, known=False),
    Setting("gamma", 0.05, FULL, floor=0.0, known=False),
]


@pytest.fixture(scope="module")
def rows() -> dict[Setting, Row]:
    return {setting: measure(setting, N, seed=1_000 + k) for k, setting in enumerate(QUICK)}


@pytest.mark.parametrize("setting", QUICK, ids=str)
def test_interval_covers_and_wrong_claims_are_refused(setting: Setting, rows: dict[Setting, Row]) -> None:
    row = rows[setting]
    assert between(row.coverage * N, N, 0.93, 0.97)
    assert between(row.refused * N, N, 0.9, 1.0)
    assert between(row.upheld * N, N, 0.0, 0.1)
    assert between(row.sound_refused * N, N, 0.015, 0.035)
    if not setting.known:
        assert between(row.floor_coverage * N, N, 0.93, 0.97)


def test_a_narrower_interval_would_be_caught() -> None:
    """Control: with normal quantiles instead of Student's, three seeds per horizon cover visibly too little."""
    T = np.array([1_000.0, 10_000.0, 100_000.0])
    values = T[:, None] ** -0.4 * np.random.default_rng(2).normal(1, 0.05, (N, 3, 3))
    fit = fit_tail(np.log(T), moments(values, np.full(3, 3)), 0.0, CONFIDENCE)
    student = ((fit.low <= -0.4) & (fit.high >= -0.4)).sum()
    narrow = (np.abs(fit.slope.value + 0.4) <= 1.96 * fit.slope.error).sum()
    assert between(student, N, 0.93, 0.97)
    assert not between(narrow, N, 0.93, 0.97)


def test_strict_claims_are_upheld_only_with_power() -> None:
    """Half noise and few late seeds: a claim 0.1 too high often stands, and hardly ever with ``strict=True``."""
    row = measure(Setting("log-normal", 0.5, FULL), N, seed=7)
    assert not between(row.upheld * N, N, 0.0, 0.1)
    assert between(row.upheld_strict * N, N, 0.0, 0.1)


def test_the_interval_is_valid_where_the_floor_is_hardly_identified() -> None:
    """Two decades, eight seeds, half noise: about half the intervals are unbounded, and 95 % of them are right."""
    T = np.array(geometric_horizons(1_000, 100_000))
    values = 0.02 + T[:, None] ** -EXPONENT * np.random.default_rng(4).gamma(4, 0.25, (N, T.size, 8))
    x, data = np.log(T) - np.log(T).mean(), moments(values, np.full(T.size, 8))
    low, high = batch_intervals(x, data, smooth_precision(data, x), CONFIDENCE)
    assert between(((low <= EXPONENT) & (high >= EXPONENT)).sum(), N, 0.93, 0.97)
    assert 0.2 < ((low == 0) | np.isinf(high)).mean() < 0.9
    gauss = exponent_error(best_exponent(x, data, smooth_precision(data, x)), x, data, smooth_precision(data, x))[0]
    assert np.isfinite(gauss).mean() > 0.9  # the control: second derivatives would call nearly all of them bounded


@pytest.mark.parametrize("known", [True, False], ids=["known-floor", "unknown-floor"])
def test_the_batch_is_the_fit(known: bool) -> None:
    """What is calibrated is `fit_rate`: same intervals and verdicts, data set by data set."""
    setting = Setting("log-normal", 0.3, FULL, floor=0.02, known=known)
    values, counts = synthetic(setting, 12, np.random.default_rng(3))
    batch = (_known if known else _unknown)(setting, values, counts)
    for k, cells in enumerate(values):
        cells = np.where(np.arange(24) < counts[:, None], cells, np.nan)
        coords = {"horizon": horizons(), "n_seeds": ("horizon", counts)}
        data = xr.Dataset({"x": (("horizon", "seed"), cells)}, coords)
        for row, claim in ((3, EXPONENT), (4, EXPONENT + OFF)):
            for strict in (False, True):
                floor = 0.02 if known else "unknown"
                fit = fit_rate(data, "x", claim, floor=floor, strict=strict, confidence=CONFIDENCE)  # type: ignore[arg-type]
                assert fit.outcome.upholds == batch[row + 2 * strict, k]
        # the batch interpolates on the coarse grid of exponents, of ratio 1.022
        assert batch[:2, k] == pytest.approx([fit.low, fit.high], abs=1e-12 if known else 5e-4)


def test_the_docs_hold_what_is_measured(rows: dict[Setting, Row]) -> None:
    """Rows of the published table against fresh data: the difference of two shares, each with its own noise."""
    lines = [line.strip("| ").split(" | ") for line in DOCS.read_text(encoding="utf-8").splitlines() if " % | " in line]
    known = [s for s in settings() if s.known]
    assert len(lines) == len(settings())
    published = dict(zip(known + [s for s in settings() if not s.known], lines, strict=True))
    for setting in (s for s in QUICK if s in published):
        cells = published[setting]
        assert cells[:3] == [setting.noise, f"{100 * setting.spread:.0f} %", setting.seeds]
        share = float(re.sub(r"[ %]", "", cells[5 if setting.known else 4])) / 100
        error = np.sqrt(0.95 * 0.05 * (1 / N + 1 / 4_000))
        assert abs(share - rows[setting].coverage) < 4 * error


def test_the_command_writes_between_its_markers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rates.calibration.settings", lambda: [QUICK[0], QUICK[-1]])
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- known -->\nold\n<!-- end of known -->\n<!-- unknown -->\n\n<!-- end of unknown -->\nc\n")
    main(["--replications", "20", "--write", str(page)])
    text = page.read_text()
    assert "old" not in text
    assert text.startswith("a\n<!-- known -->\n| noise |")
    assert table([measure(QUICK[0], 20, 0)]) in text
    assert text.endswith("<!-- end of unknown -->\nc\n")
