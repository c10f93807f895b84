"""Rate fits: unequal seeds, unknown floors, several powers, power, and what would decide."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.optimize import curve_fit

from rates.fit import RateOutcome, assert_rate, combine_sweeps, fit_rate, fit_terms, power_at
from rates.fit.contrast import smooth_precision
from rates.fit.data import moments
from rates.fit.floor import fit_floor
from rates.fit.profile import exponent_contrast
from rates.fit.tail import detectable_difference, fit_tail
from rates.sweep import geometric_horizons


def sweep_of(
    mean: object, *, first: int = 1_000, last: int = 10_000_000, seeds: int = 24, noise: float = 0.1, seed: int = 0,
) -> xr.Dataset:
    """``mean(T)`` times gamma noise of mean one, on half decades."""
    T = np.array(geometric_horizons(first, last))
    factor = np.random.default_rng(seed).gamma(noise**-2, noise**2, size=(T.size, seeds))
    values = mean(T.astype(float))[:, None] * factor  # type: ignore[operator]
    return xr.Dataset({"x": (("horizon", "seed"), values)}, coords={"horizon": T, "seed": np.arange(seeds)})


def above(floor: float, p: float = 0.4, **options: float) -> xr.Dataset:
    """Noise on the power only, with a floor under it."""
    data = sweep_of(lambda T: T**-p, **options)  # type: ignore[arg-type]
    return data + floor


# --- known floor, and seeds that differ between horizons --------------------------------------------------------


def test_interval_is_that_of_the_contrast_by_hand() -> None:
    """Two seeds per horizon and no kurtosis: one degree of freedom each, so everything can be written out."""
    T, spread = np.array([100.0, 1_000.0, 10_000.0]), np.array([0.02, 0.05, 0.01])
    values = T[:, None] ** -0.5 * (1 + spread[:, None] * np.array([-1.0, 1.0]))
    data = xr.Dataset({"x": (("horizon", "seed"), values)}, coords={"horizon": T.astype(int)})
    fit = fit_rate(data, "x", 0.5)
    w = np.array([-1.0, 0.0, 1.0]) / (2 * np.log(10))
    variance = w**2 * spread**2  # two values a and b have s^2 = (a - b)^2 / 2, and their mean half of it
    assert fit.slope == pytest.approx(-0.5, abs=1e-12)
    assert fit.slope_error == pytest.approx(np.sqrt(variance.sum()))
    assert fit.degrees == pytest.approx(variance.sum() ** 2 / (variance**2).sum())


def test_bootstrap_agrees_with_the_contrast() -> None:
    """Two ways to a standard error; 2,000 resamples leave about 3 % on it, three times that is asked."""
    for seed in range(10):
        fit = fit_rate(sweep_of(lambda T: T**-0.4, seeds=24, noise=0.2, seed=seed), "x", 0.4)
        assert fit.bootstrap_error == pytest.approx(fit.slope_error, rel=0.1)


def test_combined_sweeps_declare_their_missing_cells() -> None:
    early = sweep_of(lambda T: T**-0.4, last=1_000_000, seeds=24)
    late = sweep_of(lambda T: T**-0.4, first=3_162_278, seeds=8, seed=1)
    data = combine_sweeps(early, late)
    assert data["n_seeds"].values.tolist() == [24] * 7 + [8] * 2
    fit = assert_rate(data, "x", 0.4)
    assert fit.counts.tolist() == [24] * 7 + [8] * 2
    assert np.allclose(fit.mean[:7], early["x"].mean("seed"))
    assert np.allclose(fit.mean[7:], late["x"].mean("seed"))
    assert np.allclose(fit.standard_error[7:], late["x"].std("seed", ddof=1) / np.sqrt(8))
    as_variable = data.reset_coords("n_seeds")
    assert fit_rate(as_variable, "x", 0.4).table() == fit.table()


def test_undeclared_and_contradicted_cells_are_errors() -> None:
    early, late = sweep_of(lambda T: T**-0.4, last=100_000), sweep_of(lambda T: T**-0.4, first=316_228, seeds=8)
    data = combine_sweeps(early, late)
    with pytest.raises(ValueError, match=r"x\[horizon 5, seed 8\] is nan .*declared by n_seeds"):
        fit_rate(data.drop_vars("n_seeds"), "x", 0.4)
    with pytest.raises(ValueError, match=r"but n_seeds\[0\] declares 8"):
        fit_rate(data.assign_coords(n_seeds=("horizon", [8] * 9)), "x", 0.4)
    broken = data.copy(deep=True)
    broken["x"][7, 2] = np.nan
    with pytest.raises(ValueError, match=r"x\[horizon 7, seed 2\] is nan"):
        fit_rate(broken, "x", 0.4)
    with pytest.raises(ValueError, match="9 horizons and 0 seeds"):
        fit_rate(data.assign_coords(n_seeds=("horizon", [24] * 8 + [0])), "x", 0.4)
    with pytest.raises(ValueError, match="horizons"):
        combine_sweeps(late, early)
    with pytest.raises(ValueError, match=r"sweep 1 has the metrics \['y'\]"):
        combine_sweeps(early, late.rename(x="y"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"floor": "fitted"}, "floor is 'fitted'; it is a number or 'unknown'"),
        ({"floor": float("nan")}, "floor nan"),
        ({"start": 10_000_000}, "start is 10000000: 1 horizons of x are left, a fit needs 3"),
        ({"start": 1_000_000, "floor": "unknown"}, "3 horizons of x are left, a fit needs 5"),
    ],
)
def test_wrong_arguments_are_named(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit_rate(sweep_of(lambda T: T**-0.4), "x", 0.4, **change)  # type: ignore[arg-type]


def test_wrong_datasets_are_named() -> None:
    data = sweep_of(lambda T: T**-0.4)
    with pytest.raises(ValueError, match=r"horizons\[1\] = 1000 does not exceed horizons\[0\] = 3162"):
        fit_rate(data.isel(horizon=[1, 0, 2, 3]), "x", 0.4)
    with pytest.raises(ValueError, match=r"dimensions \('horizon', 'run'\)"):
        fit_rate(data.rename(seed="run"), "x", 0.4)
    with pytest.raises(ValueError, match="4 horizons and 24 seeds of x; a fit needs 5 and 2"):
        fit_rate(data.isel(horizon=slice(4)), "x", 0.4, floor="unknown")


# --- power, and what would decide ---------------------------------------------------------------------------------


def test_the_detectable_difference_is_detected_nine_times_in_ten() -> None:
    """Simulated with the true standard error: 4,000 data sets, four binomial standard errors around 0.9."""
    T, n = np.array(geometric_horizons(1_000, 10_000_000))[4:], 4_000
    values = T[:, None] ** -0.4 * np.random.default_rng(5).gamma(25, 0.04, size=(n, T.size, 24))
    slope = fit_tail(np.log(T), moments(values, np.full(T.size, 24)), 0.0, 0.95).slope
    difference = detectable_difference(slope.value.std(), np.median(slope.degrees), 0.95)
    refused = (slope.value - slope.half_width(0.95) > -0.4 - difference).mean()
    assert abs(refused - 0.9) < 4 * np.sqrt(0.9 * 0.1 / n)
    fit = fit_rate(sweep_of(lambda T: T**-0.4, noise=0.2), "x", 0.4)
    assert power_at(fit, fit.detectable_difference * fit.slope_error / fit.bootstrap_error) == pytest.approx(0.9)
    assert power_at(fit, 0.0) == pytest.approx(0.025)
    with pytest.raises(ValueError, match="difference is -1"):
        power_at(fit, -1)


def test_more_seeds_as_advised_decide() -> None:
    """The advice for an underpowered fit is followed, and then the fit is decided."""
    small = sweep_of(lambda T: T**-0.4, seeds=6, noise=0.5, seed=8)
    fit = fit_rate(small, "x", 0.4)
    assert fit.outcome is RateOutcome.UNDERPOWERED
    assert "the seeds" in fit.what_would_decide()
    assert "the same seeds up to T = " in fit.what_would_decide()
    needed = int(fit.what_would_decide().split("the seeds (")[1].split(" or more")[0])
    assert 6 < needed < 60
    widths = [fit_rate(sweep_of(lambda T: T**-0.4, seeds=needed, noise=0.5, seed=k), "x", 0.4) for k in range(8)]
    assert np.median([(f.high - f.low) / 2 for f in widths]) < 0.11


def test_the_error_shows_the_table_and_what_would_decide() -> None:
    data = sweep_of(lambda T: T**-0.4, noise=0.05)
    with pytest.raises(AssertionError, match=r"(?s)local slope.*REFUTED.*what would decide: decided at these horizons"):
        assert_rate(data, "x", 0.6)
    with pytest.raises(AssertionError, match=r"SLOWER.*\nwhat would decide: .*(T = 100000000|near T = )"):
        assert_rate(data, "x", 0.45)
    noisy = sweep_of(lambda T: 1 + T**-0.4, noise=0.05)
    with pytest.raises(AssertionError, match=r"(?s)NO_SIGNAL.*what would decide: (about .* the seeds|the mean at T)"):
        assert_rate(noisy, "x", 0.4, floor=1.0)


def test_a_steepening_decay_names_the_horizon_where_it_reaches_the_claim() -> None:
    """``(1 + T / 10^6)^-1`` has the local slope ``-u / (1 + u)``, u = T / 10^6: it reaches -0.95 at T = 2 10^7."""
    fit = fit_rate(sweep_of(lambda T: 1 / (1 + T / 1e6), noise=0.02), "x", 0.95)
    assert fit.outcome is RateOutcome.STEEPENING
    reach = float(fit.what_would_decide().split("near T = ")[1].split(";")[0])
    assert 1e7 <= reach < 1e8


def test_strict_demands_power() -> None:
    """Six-tenths noise and 24 seeds: the interval resolves 0.1, nine refusals in ten would need more."""
    data = sweep_of(lambda T: T**-0.4, noise=0.6, seed=4)
    loose, strict = fit_rate(data, "x", 0.4), fit_rate(data, "x", 0.4, strict=True)
    assert loose.outcome is RateOutcome.CONSISTENT
    assert loose.detectable_difference > 0.1
    assert strict.outcome is RateOutcome.UNDERPOWERED
    sharp = sweep_of(lambda T: T**-0.4, noise=0.1)
    assert fit_rate(sharp, "x", 0.4, strict=True).outcome is RateOutcome.CONSISTENT


# --- unknown floor --------------------------------------------------------------------------------------------------


def test_unknown_floor_is_the_weighted_least_squares_fit() -> None:
    """Variable projection against a general least-squares solver on the same weights."""
    data = above(0.02, noise=0.2, seed=3)
    fit = fit_rate(data, "x", 0.4, floor="unknown")
    assert fit.floor_fit is not None
    x = np.log(fit.horizons)
    precision = smooth_precision(moments(data["x"].values, fit.counts), x)
    found, _ = curve_fit(
        lambda t, C, f, p: C * np.exp(-p * (t - x.mean())) + f, x, fit.mean, p0=[0.01, 0.01, 0.5],
        sigma=precision**-0.5, xtol=1e-14, ftol=1e-14,
    )
    assert found[2] == pytest.approx(-fit.slope, abs=1e-5)
    assert found[1] == pytest.approx(fit.floor, rel=1e-4)
    assert found[0] * np.exp(found[2] * x.mean()) == pytest.approx(fit.floor_fit.coefficient, rel=1e-3)


def test_ends_of_the_interval_are_where_the_score_is_significant() -> None:
    data = above(0.02, noise=0.2, seed=3)
    fit = fit_rate(data, "x", 0.4, floor="unknown")
    table, x = moments(data["x"].values, fit.counts), np.log(fit.horizons) - np.log(fit.horizons).mean()
    ends = exponent_contrast(np.array([-fit.high, -fit.slope, -fit.low]), x, table, smooth_precision(table, x))
    low, middle, high = ends.quotient / (ends.half_width(0.95) / ends.error)
    assert (low, middle, high) == pytest.approx((-1, 0, 1), abs=1e-3)  # positive where p is too large for the data


def test_unknown_floor_finds_slope_and_floor() -> None:
    fit = assert_rate(above(0.02, noise=0.1), "x", 0.4, floor="unknown")
    assert fit.floor_fit is not None
    assert fit.floor_fit.zero_excluded
    assert fit.low <= -0.4 <= fit.high
    assert fit.floor_fit.floor_low <= 0.02 <= fit.floor_fit.floor_high
    assert fit_rate(above(0.02, noise=0.1), "x", 0.4).outcome is RateOutcome.REFUTED  # the control: floor ignored
    assert not fit_rate(above(0.02, noise=0.1), "x", 0.6, floor="unknown").outcome.upholds
    none = fit_rate(above(0.0, noise=0.1), "x", 0.4, floor="unknown")
    assert none.floor_fit is not None
    assert not none.floor_fit.zero_excluded


def test_an_unknown_floor_costs_precision() -> None:
    data = above(0.02, noise=0.2)
    known, unknown = fit_rate(data, "x", 0.4, floor=0.02, start=1_000), fit_rate(data, "x", 0.4, floor="unknown")
    assert unknown.high - unknown.low > 1.5 * (known.high - known.low)


def test_floor_and_slope_that_cannot_be_told_apart_are_refused() -> None:
    """One and a half decades of a slow decay with noise: any floor below the data fits."""
    data = above(0.3, p=0.3, noise=0.6, last=100_000, seeds=8)
    fit = fit_rate(data, "x", 0.3, floor="unknown")
    assert fit.outcome is RateOutcome.UNIDENTIFIABLE
    assert fit.floor_fit is not None
    assert (fit.floor_fit.low == 0 or fit.floor_fit.high - fit.floor_fit.low > 0.2)
    assert "knowing the floor" in fit.what_would_decide()


def test_a_rise_to_the_floor_upholds_an_upper_bound() -> None:
    fit = fit_rate(sweep_of(lambda T: 1 - 5 * T**-0.4, noise=0.002), "x", 0.4, floor="unknown")
    assert fit.outcome is RateOutcome.BELOW_FLOOR


def test_a_second_power_is_a_misfit_and_starting_later_mends_it() -> None:
    data = sweep_of(lambda T: T**-0.4 + 300 * T**-1.2 + 0.002, noise=0.03, seed=2)
    assert fit_rate(data, "x", 0.4, floor="unknown").outcome is RateOutcome.MISFIT
    later = fit_rate(data, "x", 0.4, floor="unknown", start=31_623)
    assert later.outcome is not RateOutcome.MISFIT


def test_free_floor_scales_with_the_data() -> None:
    """Units of the metric and of T change nothing but themselves, also where squares underflow."""
    data, x = above(0.02, noise=0.2, seed=3), np.log(geometric_horizons(1_000, 10_000_000))
    counts = np.full(9, 24)
    plain = fit_floor(x, moments(data["x"].values, counts), 0.95)
    small = fit_floor(x - 5, moments(1e-60 * data["x"].values, counts), 0.95)
    assert small.exponent == pytest.approx(plain.exponent, rel=1e-9)
    assert (small.low, small.high) == pytest.approx((plain.low, plain.high), rel=1e-6)
    assert small.floor == pytest.approx(1e-60 * plain.floor, rel=1e-6)


def test_data_without_noise_are_fitted_exactly() -> None:
    T = np.array(geometric_horizons(1_000, 10_000_000))
    data = xr.Dataset({"x": (("horizon", "seed"), np.repeat(0.02 + T[:, None] ** -0.4, 3, axis=1))}, {"horizon": T})
    fit = fit_rate(data, "x", 0.4, floor="unknown")
    assert fit.slope == pytest.approx(-0.4, abs=1e-4)
    assert fit.floor == pytest.approx(0.02, rel=1e-3)


# --- several powers -------------------------------------------------------------------------------------------------


def test_two_powers_and_a_floor() -> None:
    data = sweep_of(lambda T: 2 * T**-0.4 + 30 * T**-0.8 + 0.01, noise=0.01)
    fit = fit_terms(data, "x", (0.4, 0.8), floor="unknown")
    truth = np.array([2.0, 30.0])
    assert ((fit.low <= truth) & (truth <= fit.high)).all()
    assert fit.floor_low <= 0.01 <= fit.floor_high
    share = 1 / (1 + 15 * 1e7**-0.4)
    assert fit.share_low <= share <= fit.share_high
    assert fit.share_at(1e7) == pytest.approx(fit.share)
    assert fit.misfit is False
    C = fit.coefficients
    assert fit.dominates_from(0.9) == pytest.approx((9 * C[1] / C[0]) ** (1 / 0.4), rel=1e-6)
    assert "the leading term is" in fit.table()


def test_wrong_powers_are_a_misfit() -> None:
    data = sweep_of(lambda T: 2 * T**-0.4 + 30 * T**-0.8, noise=0.01)
    assert fit_terms(data, "x", (0.4, 0.8)).misfit is False
    assert fit_terms(data, "x", (0.5, 0.9)).misfit is True


def test_coefficients_are_covered_as_often_as_stated() -> None:
    """95 % intervals of both coefficients over 200 data sets, within four binomial standard errors."""
    fits = [fit_terms(sweep_of(lambda T: 2 * T**-0.4 + 30 * T**-0.8, noise=0.1, seed=k), "x", (0.4, 0.8))
            for k in range(200)]
    for k, truth in enumerate((2.0, 30.0)):
        covered = np.mean([f.low[k] <= truth <= f.high[k] for f in fits])
        assert abs(covered - 0.95) < 4 * np.sqrt(0.95 * 0.05 / len(fits))


@pytest.mark.parametrize(
    ("exponents", "message"),
    [
        ((), "exponents are"),
        ((0.4, 0.4), "strictly increasing"),
        ((-0.4,), "positive"),
        ((0.4, 0.4 + 1e-9), "cannot tell the powers"),
        (tuple(np.linspace(0.1, 1, 10)), "9 horizons and 24 seeds of x; a fit needs 10 and 2"),
    ],
)
def test_terms_reject_wrong_exponents(exponents: tuple[float, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit_terms(sweep_of(lambda T: T**-0.4), "x", exponents)
