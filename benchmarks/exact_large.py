"""The sparse layer on Simple Spread 13 x 5: times, peak memory, and ratios to QuantEcon and a plain SciPy script.

``python -m benchmarks.exact_large`` prints the two tables; ``--agents 2`` leaves out the larger board. QuantEcon is
optional: without it its rows are left out. Yardsticks get the CSR kernel ready-made and their building time is not
counted; every answer is compared before its time is believed.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if not __package__:  # run as a file: the folder above is not on the path then
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from scipy.sparse import csr_array, eye_array
from scipy.sparse.linalg import bicgstab, gmres, spsolve

from mdp.large import LargeMDP, ObservedLogLinear, SimpleSpread, SparseExact, optimum, simple_spread, sparse_exact
from mdp.policy import joint_probabilities

SECONDS = {2: 10.0, 3: 90.0}
GIGABYTES = 8.0
FEATURES = 16
"""Parameters per agent of the measured policy class; ours."""

AGREEMENT = 1e-7
"""Largest difference between two answers; ours: the yardsticks' own tolerances are about 1e-9."""

REPETITIONS = 7
SOLVERS = ("bicgstab", "gmres", "spsolve")


@dataclass(frozen=True)
class Comparison:
    """One quantity by one yardstick and by this package, stored and matrix-free.

    Attributes:
        quantity: what was computed.
        yardstick: by which other program.
        theirs: its seconds.
        stored: seconds of `SparseMDP`.
        structured: seconds of `SimpleSpread`.
        gap: largest absolute difference of the answers.
    """

    quantity: str
    yardstick: str
    theirs: float
    stored: float
    structured: float
    gap: float


def policy_of(spread: SimpleSpread) -> tuple[ObservedLogLinear, np.ndarray]:
    """A log-linear class over each agent's own cell, with random features, and a random theta."""
    rng = np.random.default_rng(13)
    tables = tuple(rng.normal(size=(spread.n_cells, 5, FEATURES)) for _ in range(spread.n_agents))
    policy = ObservedLogLinear(tables, tuple(spread.cells(np.arange(spread.n_states))))
    return policy, 0.3 * rng.normal(size=(spread.n_agents, FEATURES))


def timed_together(*tasks: Callable[[], Any]) -> tuple[list[float], list[Any]]:
    """Least seconds of each task over `REPETITIONS` rounds in turn, so that all meet the same machine; answers."""
    best, answers = [np.inf] * len(tasks), [None] * len(tasks)
    for _ in range(REPETITIONS):
        for k, task in enumerate(tasks):
            begin = time.perf_counter()
            answers[k] = task()
            best[k] = min(best[k], time.perf_counter() - begin)
    return best, answers


def peak_gigabytes() -> float:
    """Largest resident size of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def measure(n_agents: int) -> float:
    """Print the times of every quantity on the board with `n_agents`, the compilation included; their sum."""
    spread = simple_spread(n_agents=n_agents)
    policy, theta = policy_of(spread)
    begin = time.perf_counter()
    view = sparse_exact(spread, policy, theta)
    steps: list[tuple[str, Callable[[], tuple[float, float]]]] = [
        ("J", lambda: (view.J, view.J_error)),
        ("restart_stationary", lambda: (view.restart_stationary.max(), view.visitation_solution.error)),
        ("grad_J", lambda: (float(np.abs(view.grad_J).max()), view.grad_J_error)),
        ("J*", lambda: (lambda best: (best.J, best.error))(optimum(spread))),
    ]
    print(f"\nN = {n_agents}: {spread.n_states:,} states, {spread.n_joint_actions} joint actions, gamma {spread.gamma}")
    for name, step in steps:
        start = time.perf_counter()
        value, error = step()
        print(f"  {name:20}{time.perf_counter() - start:8.2f} s{value:18.9g} +- {error:.1e}")
    total = time.perf_counter() - begin
    print(f"  {'all':20}{total:8.2f} s   limit {SECONDS[n_agents]:.0f} s, peak memory {peak_gigabytes():.2f} GB")
    return total


# --- yardsticks -----------------------------------------------------------------------------------------------
def mixed(P: csr_array, joint: np.ndarray) -> csr_array:
    """P_pi as a SciPy product."""
    S, A = joint.shape
    weights = csr_array((joint.reshape(-1), np.arange(S * A), np.arange(0, S * A + 1, A)), shape=(S, S * A))
    return csr_array(weights @ P)


def scipy_solve(system: csr_array, rhs: np.ndarray, solver: str) -> np.ndarray:
    """SciPy's answer to a linear system.

    Raises:
        RuntimeError: an iterative solver reports that it did not converge.
    """
    if solver == "spsolve":
        return spsolve(system.tocsc(), rhs)
    if solver == "gmres":
        x, failed = gmres(system, rhs, rtol=1e-13, atol=0.0, restart=100, maxiter=50)
    else:
        x, failed = bicgstab(system, rhs, rtol=1e-13, atol=0.0, maxiter=2000)
    if failed:
        raise RuntimeError(f"SciPy's {solver} returned {failed}")
    return x


def scipy_values(P: csr_array, joint: np.ndarray, r: np.ndarray, gamma: float, solver: str) -> np.ndarray:
    """V from the kernel and the joint policy."""
    system = eye_array(len(r), format="csr") - gamma * mixed(P, joint)
    return scipy_solve(system, (joint * r).sum(axis=1), solver)


def scipy_gradient(
    P: csr_array, spread: SimpleSpread, policy: ObservedLogLinear, theta: np.ndarray, solver: str
) -> np.ndarray:
    """J's gradient written straight from the theorem: V, visitation, Q and scores, all stored."""
    tables, gamma, S = policy.probabilities(theta), spread.gamma, spread.n_states
    joint = joint_probabilities(tables)
    system = eye_array(S, format="csr") - gamma * mixed(P, joint)
    V = scipy_solve(system, (joint * spread.r_bar).sum(axis=1), solver)
    d = scipy_solve(system.T.tocsr(), (1 - gamma) * spread.initial, solver)
    weight = (d[:, None] * joint * (spread.r_bar + gamma * (P @ V).reshape(S, -1))).reshape(S, *spread.n_actions)
    rows = []
    for i, table in enumerate(tables):
        psi = policy.tables[i][policy.observation[i]]
        score = psi - (table[:, :, None] * psi).sum(axis=1, keepdims=True)
        others = tuple(j + 1 for j in range(spread.n_agents) if j != i)
        rows.append(np.einsum("sa,sad->d", weight.sum(axis=others), score) / (1 - gamma))
    return np.stack(rows)


def scipy_optimum(P: csr_array, r: np.ndarray, gamma: float) -> np.ndarray:
    """V* by policy iteration with sparse factorisations."""
    S, A = r.shape
    actions = r.argmax(axis=1)
    while True:
        chosen = P[np.arange(S) * A + actions]
        V = spsolve((eye_array(S, format="csr") - gamma * chosen).tocsc(), r[np.arange(S), actions])
        q = r + gamma * (P @ V).reshape(S, A)
        better = q.max(axis=1) > q[np.arange(S), actions] + 1e-9
        if not better.any():
            return V
        actions = np.where(better, q.argmax(axis=1), actions)


def quantecon_rows(P: csr_array, spread: SimpleSpread, joint: np.ndarray) -> list[tuple[str, str, Callable[[], Any]]]:
    """QuantEcon's solvers on the same kernel; empty without the package."""
    try:
        from quantecon.markov import DiscreteDP
    except ImportError:
        print("quantecon is not installed: its rows are left out (pip install quantecon)", file=sys.stderr)
        return []
    from scipy.sparse import csr_matrix

    S, A = spread.n_states, spread.n_joint_actions
    r, gamma = np.ascontiguousarray(spread.r_bar), spread.gamma
    states, actions = np.repeat(np.arange(S), A), np.tile(np.arange(A), S)
    control = DiscreteDP(r.reshape(-1), csr_matrix(P), gamma, states, actions)
    chain = DiscreteDP(
        (joint * r).sum(axis=1), csr_matrix(mixed(P, joint)), gamma, np.arange(S), np.zeros(S, dtype=int)
    )
    zeros = np.zeros(S, dtype=int)
    return [
        ("V", "QuantEcon evaluate_policy", lambda: chain.evaluate_policy(zeros)),
        ("V*", "QuantEcon policy_iteration", lambda: control.solve(method="pi").v),
        (
            "V*",
            "QuantEcon modified_policy_iteration",
            lambda: control.solve(method="mpi", epsilon=1e-8, max_iter=100_000).v,
        ),
    ]


def compare() -> list[Comparison]:
    """Each yardstick beside the stored and the matrix-free problem, on two agents.

    Raises:
        RuntimeError: two answers differ by more than `AGREEMENT`.
    """
    spread = simple_spread(n_agents=2)
    stored = spread.sparse()
    policy, theta = policy_of(spread)
    joint = joint_probabilities(policy.probabilities(theta))
    P, r, gamma = stored.P, np.ascontiguousarray(spread.r_bar), spread.gamma

    def view(mdp: LargeMDP) -> SparseExact:
        return sparse_exact(mdp, policy, theta)

    own: dict[str, Callable[[LargeMDP], np.ndarray]] = {
        "V": lambda mdp: view(mdp).V,
        "grad_J": lambda mdp: view(mdp).grad_J,
        "V*": lambda mdp: optimum(mdp).V,
    }
    others: list[tuple[str, str, Callable[[], Any]]] = [
        *(("V", f"SciPy {k}", lambda k=k: scipy_values(P, joint, r, gamma, k)) for k in SOLVERS),
        *(("grad_J", f"SciPy {k}", lambda k=k: scipy_gradient(P, spread, policy, theta, k)) for k in SOLVERS),
        ("V*", "SciPy policy iteration", lambda: scipy_optimum(P, r, gamma)),
        *quantecon_rows(P, spread, joint),
    ]
    for mine in own.values():  # compile, or load the compiled kernels
        for mdp in (stored, spread):
            mine(mdp)
    rows = []
    for name, yardstick, task in others:
        mine = own[name]
        try:
            seconds, answers = timed_together(task, lambda: mine(stored), lambda: mine(spread))  # noqa: B023
        except RuntimeError as error:
            print(f"{name:9}{yardstick:38}  no answer: {error}")
            continue
        gap = max(float(np.abs(answers[0] - answer).max()) for answer in answers[1:])
        if not gap <= AGREEMENT * max(1.0, float(np.abs(answers[0]).max())):
            raise RuntimeError(f"{name}: {yardstick} differs by {gap:.2g}; its time means nothing")
        rows.append(Comparison(name, yardstick, seconds[0], seconds[1], seconds[2], gap))
    return rows


def main(arguments: list[str] | None = None) -> int:
    """Print both tables; 0 if every limit holds and no yardstick is faster, else 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, choices=sorted(SECONDS), default=3, help="largest board to run")
    largest = parser.parse_args(arguments).agents
    print("Simple Spread 13 x 5, all quantities matrix-free; the first board's times include compilation or its cache")
    within = max(measure(n) / SECONDS[n] for n in sorted(SECONDS) if n <= largest) <= 1.0
    within &= peak_gigabytes() <= GIGABYTES
    print("\nN = 2 against other programs; a ratio is theirs / ours, stored CSR kernel and matrix-free")
    print(f"{'':9}{'program':38}{'seconds':>9}{'stored':>9}{'ratio':>8}{'free':>9}{'ratio':>8}{'gap':>10}")
    for row in compare():
        ratios = row.theirs / row.stored, row.theirs / row.structured
        within &= min(ratios) >= 1.0
        print(
            f"{row.quantity:9}{row.yardstick:38}{row.theirs:9.4f}{row.stored:9.4f}{ratios[0]:8.1f}"
            f"{row.structured:9.4f}{ratios[1]:8.1f}{row.gap:10.1e}"
        )
    print("all within their limits" if within else "ABOVE a limit, or slower than a yardstick")
    return int(not within)


if __name__ == "__main__":
    raise SystemExit(main())
