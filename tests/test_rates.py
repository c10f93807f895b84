"""Sweeps, one-sided fits and certified exponent programs."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from rates import RateOutcome, assert_rate, fastest_decay, fit_rate, geometric_horizons, load, power, save, sweep
from rates.exponents import ExponentCertificate, _certify
from verify.zeng2022.theorem.rates import ACTOR_TERMS, CRITIC_TERMS, PRINTED_SIGMA, STEP_BOX


def synthetic(
    exponent: float, *, floor: float = 0.0, noise: float = 0.2, seeds: int = 16, seed: int = 0, second: float = 0.0
) -> xr.Dataset:
    """``floor + T^-exponent (1 + second T^-0.2)`` with multiplicative noise on the excess."""
    rng = np.random.default_rng(seed)
    T = np.array(geometric_horizons(1_000, 1_000_000))
    excess = T[:, None] ** -exponent * (1 + second * T[:, None] ** -0.2)
    values = floor + excess * (1 + noise * rng.standard_normal((len(T), seeds)))
    return xr.Dataset({"x": (("horizon", "seed"), values)}, coords={"horizon": T, "seed": np.arange(seeds)})


@pytest.mark.parametrize("exponent", [0.25, 0.4, 0.5, 1.0])
def test_true_rate_is_consistent(exponent: float) -> None:
    fit = assert_rate(synthetic(exponent), "x", exponent)
    assert fit.low <= -exponent <= fit.high


@pytest.mark.parametrize("exponent", [0.3, 0.4])
def test_faster_decay_meets_an_upper_bound(exponent: float) -> None:
    assert fit_rate(synthetic(0.6), "x", exponent).outcome is RateOutcome.CONSISTENT


@pytest.mark.parametrize("claimed", [0.6, 0.7, 0.8])
def test_slower_decay_is_refuted(claimed: float) -> None:
    fit = fit_rate(synthetic(0.4), "x", claimed)
    assert fit.outcome is RateOutcome.REFUTED
    with pytest.raises(AssertionError, match="REFUTED: over these horizons the tail is slower"):
        assert_rate(synthetic(0.4), "x", claimed)


def test_an_exponent_off_by_a_tenth_is_refused() -> None:
    """At the resolution of the verdict the fit does not say refuted, and never lets the claim stand."""
    outcomes = [fit_rate(synthetic(0.4, noise=0.1, seed=k), "x", 0.5).outcome for k in range(40)]
    assert not any(outcome.upholds for outcome in outcomes)


@pytest.mark.parametrize("noise", [0.05, 0.2])
def test_a_true_bound_with_a_slow_correction_is_not_refuted(noise: float) -> None:
    """``T^-0.4 (1 - 2.5 T^-0.2)`` is O(T^-0.4) and has local slopes near -0.34 at these T."""
    outcomes = {fit_rate(synthetic(0.4, noise=noise, seed=k, second=-2.5), "x", 0.4).outcome for k in range(40)}
    assert RateOutcome.REFUTED not in outcomes


def test_data_below_the_floor_uphold_an_upper_bound() -> None:
    data = synthetic(0.4, noise=0.1)
    data["x"] = 1.0 - data["x"] + 0.2 * (data["horizon"] < 2000)  # from above at first, then from below
    fit = assert_rate(data, "x", 0.4, floor=1.0)
    assert fit.outcome is RateOutcome.BELOW_FLOOR


def test_floor_must_be_subtracted() -> None:
    data = synthetic(0.4, floor=0.05, noise=0.1)
    assert fit_rate(data, "x", 0.4, floor=0.05).outcome is RateOutcome.CONSISTENT
    assert fit_rate(data, "x", 0.4).outcome is not RateOutcome.CONSISTENT


def test_signal_inside_the_noise_is_refused() -> None:
    rng = np.random.default_rng(3)
    data = synthetic(0.4)
    data["x"] = data["x"] * 0 + 1 + 0.01 * rng.standard_normal(data["x"].shape)
    assert fit_rate(data, "x", 0.4, floor=1.0).outcome is RateOutcome.NO_SIGNAL


def test_few_noisy_seeds_are_underpowered() -> None:
    assert fit_rate(synthetic(0.4, noise=0.9, seeds=4, seed=2), "x", 0.4).outcome in (
        RateOutcome.UNDERPOWERED, RateOutcome.NO_SIGNAL,
    )


def test_steepening_decay_is_not_refuted_yet() -> None:
    """Slower than claimed on this range, with local slopes on their way to the claim."""
    rng = np.random.default_rng(1)
    T = np.array(geometric_horizons(1_000, 1_000_000))
    excess = 1 / (T / 3e5 + 1)
    values = excess[:, None] * (1 + 0.02 * rng.standard_normal((len(T), 16)))
    data = xr.Dataset({"x": (("horizon", "seed"), values)}, coords={"horizon": T, "seed": np.arange(16)})
    assert fit_rate(data, "x", 1.0).outcome is RateOutcome.STEEPENING


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metric": "y"}, r"metric 'y' is not in the dataset; it has \['x'\]"),
        ({"claimed": 0.0}, "claimed is 0.0"),
        ({"floor": 10.0}, "floor 10 lies above all data"),
        ({"confidence": 1.0}, "confidence is 1.0"),
    ],
)
def test_fit_rejects_wrong_input(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit_rate(**{"dataset": synthetic(0.4), "metric": "x", "claimed": 0.4, **change})  # type: ignore[arg-type]


def test_fit_rejects_nan_and_small_data() -> None:
    data = synthetic(0.4)
    data["x"][2, 3] = np.nan
    with pytest.raises(ValueError, match=r"x\[horizon 2, seed 3\] is nan"):
        fit_rate(data, "x", 0.4)
    with pytest.raises(ValueError, match="2 horizons"):
        fit_rate(synthetic(0.4).isel(horizon=[0, 1]), "x", 0.4)


# --- sweeps -------------------------------------------------------------------------------------------------


def noisy_run(horizon: int, seed: np.random.SeedSequence) -> dict[str, float]:
    rng = np.random.default_rng(seed)
    return {"value": rng.standard_normal() / horizon, "horizon_seen": float(horizon)}


def test_sweep_gives_the_same_bits_for_any_number_of_workers() -> None:
    one = sweep(noisy_run, [10, 100], 5, seed=3, jobs=1)
    two = sweep(noisy_run, [10, 100], 5, seed=3, jobs=2)
    assert one.identical(two)
    assert not one.identical(sweep(noisy_run, [10, 100], 5, seed=4, jobs=1))


def test_cells_do_not_depend_on_the_grid() -> None:
    wide = sweep(noisy_run, [10, 100, 1000], 5, seed=3)
    assert wide.sel(horizon=100, seed=2).value == sweep(noisy_run, [100], 3, seed=3).sel(horizon=100, seed=2).value
    assert (wide.horizon_seen == wide.horizon).all()


def test_sweep_round_trips_through_netcdf(tmp_path: Path) -> None:
    data = sweep(noisy_run, [10, 100], 3)
    save(data, tmp_path / "data.nc")
    assert load(tmp_path / "data.nc").equals(data)


@pytest.mark.parametrize(
    ("horizons", "n_seeds", "jobs", "message"),
    [
        ([], 1, 1, "horizons is empty"),
        ([100, 10], 1, 1, r"horizons\[1\] = 10 does not exceed horizons\[0\] = 100"),
        ([0, 10], 1, 1, r"horizons\[0\] is 0"),
        ([1.5], 1, 1, r"horizons\[0\] is 1.5"),
        ([10], 0, 1, "n_seeds is 0"),
        ([10], 1, 0, "jobs is 0"),
    ],
)
def test_sweep_rejects_wrong_input(horizons: list[int], n_seeds: int, jobs: int, message: str) -> None:
    def never(horizon: int, seed: np.random.SeedSequence) -> dict[str, float]:
        raise AssertionError("a cell ran")

    with pytest.raises(ValueError, match=message):
        sweep(never, horizons, n_seeds, jobs=jobs)


def test_geometric_horizons() -> None:
    assert geometric_horizons(1_000, 1_000_000) == [1000, 3162, 10000, 31623, 100000, 316228, 1000000]
    with pytest.raises(ValueError, match="1 <= first < last"):
        geometric_horizons(10, 10)


# --- exponents ------------------------------------------------------------------------------------------------


def test_theorem_3_step_sizes_are_certified_and_unique() -> None:
    best = fastest_decay(ACTOR_TERMS, STEP_BOX)
    assert best == ExponentCertificate(
        sigma=PRINTED_SIGMA,
        rate=Fraction(2, 5),
        weights={"T^(-s2)": Fraction(2, 5), "T^(-2 s1+2 s2)": Fraction(1, 5), "T^(-1+s1)": Fraction(2, 5)},
        tight=("T^(-1+s1)", "T^(-s2)", "T^(-2 s1+2 s2)"),
        unique=True,
    )


def test_no_grid_point_beats_the_certificate() -> None:
    """An independent look: the rate on a fine grid of exact step exponents."""
    grid = [Fraction(k, 40) for k in range(1, 40)]
    rates = {
        (s1, s2): -max(t.exponent({"sigma_1": s1, "sigma_2": s2}) for t in ACTOR_TERMS)
        for s1 in grid for s2 in grid if s2 < s1
    }
    assert max(rates.values()) == Fraction(2, 5)
    assert [k for k, v in rates.items() if v == Fraction(2, 5)] == [(Fraction(3, 5), Fraction(2, 5))]


def test_critic_terms_alone_allow_one_half() -> None:
    best = fastest_decay(CRITIC_TERMS, STEP_BOX)
    assert best.rate == Fraction(1, 2)
    assert not best.unique
    assert -max(t.exponent({"sigma_1": Fraction(3, 4), "sigma_2": Fraction(1, 2)}) for t in CRITIC_TERMS) == best.rate


def test_a_wrong_certificate_is_rejected() -> None:
    with pytest.raises(ValueError, match="no exact certificate"):
        _certify(
            ACTOR_TERMS, STEP_BOX, ["sigma_1", "sigma_2"], {"sigma_1": Fraction(1, 2), "sigma_2": Fraction(2, 5)},
            [Fraction(1, len(ACTOR_TERMS))] * len(ACTOR_TERMS) + [Fraction(0)] * len(STEP_BOX),
        )


def test_unbounded_and_empty_programs() -> None:
    with pytest.raises(ValueError, match="unbounded"):
        fastest_decay((power("T^-s", 0, s=-1),))
    with pytest.raises(ValueError, match="at least one term"):
        fastest_decay(())
