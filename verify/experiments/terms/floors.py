"""The two floors of zhang2025 Theorem 5.10: term (2), the compatible error, and term (3), the critic's error at W*."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from jaxtyping import Float
from scipy.optimize import minimize

from algorithms.neural import CriticNetwork, Reading, critic_fixed_point
from mdp.compatible import eps_bias
from mdp.exact import Exact, exact
from mdp.optimal import J_star
from mdp.problem import Problem


def bias_floor(view: Exact, occupancy: Float[np.ndarray, "S A"]) -> float:
    r"""Term (2) at one policy: ``sqrt(eps_bias) / (1 - gamma)``, in units of J.

    The factor ``1/(1 - gamma)`` is that of Lemma 5.7 as repaired (`lemma-5.7`),
    ``J* - J <= sqrt(eps_bias)/(1 - gamma) + ||grad J||/mu_f``, so that no policy whose gradient vanishes is further
    from the optimum than this.

    Args:
        view: exact quantities at the policy.
        occupancy: normalised state-action law of the comparison policy, ``J_star(mdp).occupancy``, (S, A).

    Raises:
        ValueError: an occupancy of another shape.

    Source: zhang2025 Theorem 5.10, term (2), Assumption 5.6 and Lemma 5.7.
    """
    return float(eps_bias(view, occupancy)) ** 0.5 / (1 - float(view.gamma))


@dataclass(frozen=True, eq=False)
class WorstFloor:
    """The largest floor found in a class.

    Attributes:
        floor: ``sqrt(eps_bias)/(1 - gamma)`` there; the theorem's term (2) has its supremum over the class.
        theta: where, (N, P).
        gap: ``J* - J`` there.
    """

    floor: float
    theta: Float[np.ndarray, "N P"]
    gap: float


def worst_bias_floor(
    problem: Problem, starts: Float[np.ndarray, "k N P"], *, largest: float = 6.0
) -> WorstFloor:
    """Term (2) of a class: the floor maximised over theta by a local search from every start, a lower bound on it.

    Assumption 5.6 asks for one eps_bias for all theta, so the theorem's floor is a supremum. Softmax policies have
    theirs towards infinity, where floating point has no least squares left: hence the box.

    Args:
        problem: a dense problem.
        starts: parameters to start from.
        largest: bound on the entries of theta.

    Raises:
        ValueError: no start, or one outside the box.
    """
    if len(starts) == 0:
        raise ValueError("starts is empty; a search starts somewhere")
    if np.abs(starts).max() > largest:
        raise ValueError(f"starts has an entry of size {np.abs(starts).max():g}, above largest = {largest:g}")
    best, shape = J_star(problem.mdp), np.shape(starts)[1:]

    def floor(flat: np.ndarray) -> float:
        return bias_floor(exact(problem, flat.reshape(shape)), best.occupancy)

    box, options = [(-largest, largest)] * int(np.prod(shape)), {"xatol": 1e-8, "fatol": 1e-12, "maxiter": 1_000}
    runs = [
        minimize(lambda x: -floor(x), start.ravel(), method="Nelder-Mead", bounds=box, options=options)
        for start in np.asarray(starts)
    ]
    found = min(runs, key=lambda run: float(run.fun))
    theta = found.x.reshape(shape)
    return WorstFloor(-float(found.fun), theta, best.J - float(exact(problem, theta).J))


def critic_floor(
    problem: Problem, theta: Float[np.ndarray, "N P"], network: CriticNetwork, radius: float, reading: Reading
) -> float:
    """Term (3) at one policy: ``max |Q-hat(s, a; W*) - Q(s, a)|``, with W* of Fact C.3 and the network's value there.

    eps_critic of Assumption 5.9 is its supremum over theta. `verify.experiments.terms.networks.measure` computes the
    same for networks of any width, by another route to W*.

    Args:
        problem: a dense problem.
        theta: parameters.
        network: with S A inputs.
        radius: B.
        reading: whose target kernel says which Q is aimed at.

    Raises:
        ValueError: radius not positive, or a network of another size.

    Source: zhang2025 Assumption 5.9, Fact C.3.
    """
    view, restart = exact(problem, theta), exact(replace(problem, mdp=problem.mdp.restart()), theta)
    star = critic_fixed_point(network, view, restart, reading, radius)
    aim = restart if reading.target_kernel == "restart" else view
    return float(np.abs(network.values(star.weights) - aim.Q.reshape(-1)).max())


def floor_along(
    problem: Problem, direction: Float[np.ndarray, "N P"], scales: Float[np.ndarray, " k"]
) -> xr.Dataset:
    """Floor (2) and gap along a ray of parameters: ``floor``, ``gap`` and ``gradient`` by ``theta``.

    Args:
        problem: a dense problem.
        direction: theta at scale one.
        scales: multiples of it.
    """
    best, rows = J_star(problem.mdp), []
    for scale in scales:
        view = exact(problem, scale * direction)
        rows.append((bias_floor(view, best.occupancy), best.J - float(view.J), float(np.linalg.norm(view.grad_J))))
    table, names = np.array(rows), ("floor", "gap", "gradient")
    data = {name: ("theta", table[:, i]) for i, name in enumerate(names)}
    return xr.Dataset(data, coords={"theta": np.asarray(scales, dtype=float)})
