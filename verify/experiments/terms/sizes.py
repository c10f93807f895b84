"""Terms (6) and (7) and the floor (3) of zhang2025 Theorem 5.10 by width and by depth, over draws of the weights.

Every dataset has the dimensions ``horizon`` (m or D) and ``seed`` (draw), as sweeps over T have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from scipy.stats import t as student_t

from algorithms.neural import Reading
from mdp.exact import exact
from mdp.problem import Problem
from rates.fit import RateOutcome
from rates.fit.contrast import slope_weights
from rates.fit.outcome import judge
from rates.workers import in_order
from verify.experiments.terms.networks import METRICS, Pairs, measure, printed_radius
from verify.experiments.terms.wide import WideNetwork

NETWORKS = {"printed network": False, "output / sqrt(m)": True}
"""The network of Eq. (5), and the one whose output has order one (`eq-5`, repaired)."""

DEPTH_OF_WIDTHS, WIDTH_OF_DEPTHS = 2, 64
"""Depth of the sweep over widths, and the other way round; ours."""

ITERATIONS = 4
"""K: D = O(K^(1/4)) is a condition up to a constant, and what K does is measured apart; ours."""


@dataclass(frozen=True)
class Profile:
    """How much is measured.

    Attributes:
        widths: m, at depth two.
        depths: D, at width 64.
        draws: of the initial weights, for each size.
    """

    widths: tuple[int, ...]
    depths: tuple[int, ...]
    draws: int


PROFILES = {
    "quick": Profile((16, 64, 256, 1024), (1, 2, 3, 4, 5), 12),
    "full": Profile((16, 64, 256, 1024, 4096), (1, 2, 3, 4, 5, 6), 40),
}
"""Ours: quick stays under two minutes on two quiet cores."""

RADII: dict[str, Callable[[int, int], float]] = {
    "m^(1/32)": lambda m, D: m ** (1 / 32),
    "m^(1/32) D^-6": printed_radius,
    "1": lambda m, D: 1.0,
}
"""Radii B by name. Theorem 5.10 has ``B = Theta(m^(1/32) D^-6)``; at fixed depth its constant may make up for D^-6."""


@dataclass(frozen=True)
class Claim:
    """A printed power of one size.

    Attributes:
        term: of Theorem 5.10.
        metric: of `measure`.
        says: what it is, in a few words.
        width: power of m for ``B = Theta(m^(1/32) D^-6)``.
        depth: power of D for that radius.
        depth_at_one: power of D at B = 1, with Eqs. (22) and (23).
    """

    term: str
    metric: str
    says: str
    width: float
    depth: float
    depth_at_one: float


CLAIMS = (
    Claim("(6)", "agents", "|Q(W-bar) - Q(V-bar)|", 1 / 32, -11 / 2, 1 / 2),
    Claim("(6)", "ball", "the ball's diameter in Q", 1 / 32, -11 / 2, 1 / 2),
    Claim("(7)", "critic", "|Q(V-bar) - Q(W*)|, K = 4", 1 / 32, -7 / 2, 4),
    Claim("(7)", "star", "|Q(W*) - Q_0(W*)|", -1 / 24, -4, 4),
    Claim("(7)", "worst", "max |Q - Q_0| on the ball", -1 / 24, -4, 4),
)
"""Powers of Theorem 5.10 and, with ``B = m^u D^v`` put in, of Eqs. (22) and (23): the larger of the two parts where
both count. The last two rows are what the part without K stands for."""


def sweep_sizes(
    problem: Problem, theta: np.ndarray, reading: Reading, sizes: Sequence[tuple[int, int]], radius: str, *,
    scaled: bool, draws: int, seed: int = 0, jobs: int = 1,
) -> xr.Dataset:  # fmt: skip
    """`measure` on random networks of every size.

    Args:
        problem: a dense problem, whose pairs are the (one-hot) inputs.
        theta: parameters, (N, P).
        reading: its kernels and its direction.
        sizes: pairs (m, D), one of the two increasing.
        radius: a name of `RADII`.
        scaled: whether the output is divided by sqrt(m).
        draws: networks of each size.
        seed: root of all weights; the draws do not depend on `jobs`.
        jobs: processes.

    Returns:
        Dataset with dimensions ``horizon`` (the size that increases) and ``seed``.

    Raises:
        ValueError: neither size increases, or fewer than one draw.
    """
    columns = [[size[i] for size in sizes] for i in (0, 1)]
    axis = next((c for c in columns if list(c) == sorted(set(c))), None)
    if axis is None:
        raise ValueError(f"sizes is {list(sizes)}; one of m and D increases")
    if draws < 1:
        raise ValueError(f"draws is {draws}; there is at least one")
    view, restart = exact(problem, theta), exact(replace(problem, mdp=problem.mdp.restart()), theta)
    cells = [(m, D, k) for m, D in sizes for k in range(draws)]
    rows = in_order(
        ((_cell, view, restart, reading, m, D, (seed, m, D, k), RADII[radius](m, D), scaled) for m, D, k in cells), jobs
    )
    table = np.array(rows).reshape(len(sizes), draws, len(METRICS))
    data = {name: (("horizon", "seed"), table[:, :, i]) for i, name in enumerate(METRICS)}
    return xr.Dataset(data, coords={"horizon": axis, "seed": np.arange(draws)})


def _cell(
    view: object, restart: object, reading: Reading, m: int, D: int, key: tuple[int, ...], radius: float, scaled: bool
) -> list[float]:
    pairs = Pairs.of(view, restart, reading)  # type: ignore[arg-type]
    network = WideNetwork(np.eye(len(pairs.Q)), m, D, np.random.default_rng(key), scaled=scaled)
    found = measure(network, pairs, ITERATIONS, radius)
    return [found[name] for name in METRICS]


@dataclass(frozen=True)
class Power:
    """A power law fitted to the typical draw, and its one-sided verdict.

    Attributes:
        claimed: exponent q of the bound ``O(x^q)``.
        slope: of the mean log over draws against log x.
        low: lower end of its 95 % interval.
        high: upper end.
        outcome: as `rates.fit.RateOutcome` says.
    """

    claimed: float
    slope: float
    low: float
    high: float
    outcome: RateOutcome


ROUNDING = 1e-12
"""Share of the critic's values below which a difference of two critics is rounding; ours."""


def fit_power(data: xr.Dataset, metric: str, claimed: float, *, first: int = 1, confidence: float = 0.95) -> Power:
    """Slope of the typical (geometric mean) draw over the sizes, with the interval that the spread over draws gives.

    A bound that holds with high probability over the weights holds for the typical draw. Logs, because the values of a
    draw spread over factors; then as `rates.fit_rate` with a known floor of zero: least squares on independent means,
    Student's quantile at Satterthwaite's degrees of freedom, and `rates.fit.outcome.judge`.

    Args:
        data: as of `sweep_sizes`, at least three sizes and two draws.
        metric: one of its variables.
        claimed: q of ``O(x^q)``, of either sign.
        first: smallest size of the fit.
        confidence: of the interval.

    Returns:
        The fit; without a slope, and with the outcome ``NO_SIGNAL``, where a draw has nothing but rounding.

    Raises:
        ValueError: too few sizes or draws.
    """
    data = data.isel(horizon=data["horizon"].values >= first)
    values, start = (data[name].transpose("horizon", "seed").values for name in (metric, "start"))
    if values.shape[0] < 3 or values.shape[1] < 2:
        raise ValueError(f"{metric} has {values.shape[0]} sizes and {values.shape[1]} draws; a fit needs 3 and 2")
    if not (values > ROUNDING * start).all():
        return Power(claimed, np.nan, np.nan, np.nan, RateOutcome.NO_SIGNAL)
    logs, weights = np.log(values), slope_weights(np.log(data["horizon"].values.astype(float)))
    variances = weights**2 * logs.var(axis=1, ddof=1) / logs.shape[1]
    slope, total = float(weights @ logs.mean(axis=1)), float(variances.sum())
    degrees = total**2 * (logs.shape[1] - 1) / float((variances**2).sum()) if total > 0 else np.inf
    half = float(student_t.ppf((1 + confidence) / 2, degrees)) * total**0.5
    return Power(claimed, slope, slope - half, slope + half, judge(-claimed, slope - half, slope + half, False))


def by_size(
    teams: Mapping[str, tuple[Problem, np.ndarray]], readings: Mapping[str, Reading], profile: Profile, *,
    seed: int = 0, jobs: int = 1,
) -> dict[tuple[str, str, str, str], xr.Dataset]:  # fmt: skip
    """Every sweep: by (axis, class, reading, network), the axis being "m", "D" (printed radius) or "D, B = 1".

    Args:
        teams: problem and parameters, (N, P), by class.
        readings: by name.
        profile: sizes and draws.
        seed: root of all weights.
        jobs: processes.
    """
    widths = [(m, DEPTH_OF_WIDTHS) for m in profile.widths]
    depths = [(WIDTH_OF_DEPTHS, D) for D in profile.depths]
    axes = {"m": (widths, "m^(1/32)"), "D": (depths, "m^(1/32) D^-6"), "D, B = 1": (depths, "1")}
    return {
        (axis, kind, name, label): sweep_sizes(
            *team, reading, sizes, radius, scaled=scaled, draws=profile.draws, seed=seed, jobs=jobs
        )
        for axis, (sizes, radius) in axes.items()
        for kind, team in teams.items()
        for name, reading in readings.items()
        for label, scaled in NETWORKS.items()
    }
