"""The affine map of second moments, assembled so that nothing cancels.

Average and disagreement decouple. With ``e = mean_i omega_i - omega*`` and ``d_i = omega_i - mean``, double
stochasticity of W gives ``e' = e + beta (A_t e + b_t)`` (single-agent TD with the team reward, whatever W) and
``d' = V d + beta (A_t d + b_t - mean b_t)`` on the first N - 1 agents, ``V_ij = W_ij - W_iN`` (the last is minus the
sum of the others). So the second moments fall into three affine recursions, of ee^T, ed^T and dd^T.

Each map G is kept as ``G - I``: with beta = 10^-10 the part that matters is far below the rounding of G. Modes (states
of the chain) enter in coordinates ``y_0 = sum_z x_z, y_k = x_k - mu_k y_0``, where the slow rows carry an explicit
factor beta and what is zero because mu is stationary is set to zero. The same code runs over floats and balls.

Source: ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from rates.moments.outcomes import Outcomes
from rates.moments.tensors import Part, Tensors, kron


@dataclass(frozen=True, eq=False)
class Moments:
    """``G_t - I`` over a period for the state (second moments, first moments, law of the mode).

    Attributes:
        steps: one (n, n) matrix per phase.
        start: (n,), state at t = 0.
        constant: index of the coordinate that is always one.
        second: shape (n_left, n_right) of the second moment.
        rows: positions (upper triangle if symmetric) of the second moment's entries, in the order of the state.
        n_modes: Z; the total over modes comes first.
    """

    steps: tuple[np.ndarray, ...]
    start: np.ndarray
    constant: int
    second: tuple[int, int]
    rows: tuple[np.ndarray, np.ndarray]
    n_modes: int

    def second_moment(self, state: np.ndarray) -> np.ndarray:
        """Second moment, summed over modes, as a (n_left, n_right) matrix.

        Args:
            state: in the coordinates of the map, a flat vector.
        """
        out = np.empty(self.second, dtype=state.dtype)
        left, right = self.rows
        values = state[: len(left)]
        if self.symmetric:
            out[right, left] = values
        out[left, right] = values
        return out

    def first_moment(self, state: np.ndarray) -> np.ndarray:
        """First moment of the left factor, summed over modes, (n_left,).

        Args:
            state: in the coordinates of the map, a flat vector.
        """
        first = self.n_modes * len(self.rows[0])
        return state[first : first + self.second[0]]

    @property
    def symmetric(self) -> bool:
        """Whether only the upper triangle is stored."""
        return len(self.rows[0]) < self.second[0] * self.second[1]


def moments(table: Outcomes, left: Part, right: Part, beta: Any, start: tuple[np.ndarray, np.ndarray]) -> Moments:
    """The affine map of ``E[x y^T]`` for two parts x and y of the stacked vector.

    Args:
        table: outcomes of one sample.
        left: part x.
        right: part y; the same object as `left` for a symmetric moment.
        beta: step size.
        start: the values of x and y at t = 0, (p, K) each.
    """
    K, Z = table.direction.shape[1], table.n_modes
    tensors = Tensors(table, left, right)
    same = left is right
    n_l, n_r = left.V.shape[1] * K, right.V.shape[1] * K
    rows = np.triu_indices(n_l) if same else tuple(i.ravel() for i in np.indices((n_l, n_r)))
    period = max(len(left.V), len(right.V))
    steps = []
    for phase in range(period):
        full = _step(tensors, left.V[phase % len(left.V)], right.V[phase % len(right.V)], beta, K, Z)
        steps.append(_folded(full, rows, (n_l, n_r), Z) if same else full)
    x, y = (value.reshape(-1) for value in start)
    q = np.concatenate([[table.weight[0] * 0 + 1], (table.start - table.stationary)[1:]])
    pieces = [np.multiply.outer(q, np.multiply.outer(x, y)[rows]), np.multiply.outer(q, x)]
    pieces += [] if same else [np.multiply.outer(q, y)]
    state = np.concatenate([*(p.reshape(-1) for p in pieces), q])
    return Moments(tuple(steps), state, len(state) - Z, (n_l, n_r), (rows[0], rows[1]), Z)


def _step(t: Tensors, V_l: np.ndarray, V_r: np.ndarray, beta: Any, K: int, Z: int) -> np.ndarray:
    """``G - I`` of one phase over (X, m_left, m_right, modes), X row-major, modes slowest."""
    unit = V_l[0, 0] * 0 + 1
    eye = np.eye(K, dtype=int) * unit
    left, right = kron(V_l, eye), kron(V_r, eye)
    n_l, n_r, n = len(left), len(right), len(left) * len(right)
    both = kron(left, right)
    size = Z * (n + n_l + n_r + 1)
    E = np.zeros((size, size), dtype=V_l.dtype)
    E[...] = unit * 0
    X, m_l, m_r, q = (slice(a, b) for a, b in _bounds(Z, n, n_l, n_r))
    eye_l, eye_r = np.eye(len(V_l), dtype=int) * unit, np.eye(len(V_r), dtype=int) * unit
    modes = np.eye(Z, dtype=int) * unit
    E[X, X] = kron(t.base, both) + kron(modes, _minus_identity(both))
    E[m_l, m_l] = kron(t.base, left) + kron(modes, _minus_identity(left))
    E[m_r, m_r] = kron(t.base, right) + kron(modes, _minus_identity(right))
    E[q, q] = t.base
    for to in range(Z):
        for source in range(Z):
            A_l, A_r = kron(eye_l, t.A[to, source]), kron(eye_r, t.A[to, source])
            cell = _at(X, n, to), _at(X, n, source)
            E[cell] += beta * (kron(A_l, right) + kron(left, A_r) + beta * _pair(t.AA[to, source], eye_l, eye_r))
            b_l, b_r = t.b_l[to, source], t.b_r[to, source]
            E[_at(X, n, to), _at(m_l, n_l, source)] = beta * (
                kron(left, b_r[:, None]) + beta * _spread_left(t.Ab_r[to, source], eye_l)
            )
            E[_at(X, n, to), _at(m_r, n_r, source)] = beta * (
                kron(b_l[:, None], right) + beta * _spread_right(t.Ab_l[to, source], eye_r)
            )
            E[_at(X, n, to), q.start + source] = beta * beta * t.bb[to, source].reshape(-1)
            E[_at(m_l, n_l, to), _at(m_l, n_l, source)] += beta * A_l
            E[_at(m_r, n_r, to), _at(m_r, n_r, source)] += beta * A_r
            E[_at(m_l, n_l, to), q.start + source] = beta * b_l
            E[_at(m_r, n_r, to), q.start + source] = beta * b_r
    return E


def _bounds(Z: int, n: int, n_l: int, n_r: int) -> list[tuple[int, int]]:
    ends = np.cumsum([0, Z * n, Z * n_l, Z * n_r, Z]).tolist()
    return list(pairwise(ends))


def _at(block: slice, size: int, mode: int) -> slice:
    return slice(block.start + mode * size, block.start + (mode + 1) * size)


def _minus_identity(matrix: np.ndarray) -> np.ndarray:
    difference: np.ndarray = matrix - np.eye(len(matrix), dtype=int)
    return difference


def _pair(AA: np.ndarray, eye_l: np.ndarray, eye_r: np.ndarray) -> np.ndarray:
    """``E[(I kron A_t) kron (I kron A_t)]`` from ``AA[k, l, m, n] = E[A_kl A_mn]``."""
    p, r, K = len(eye_l), len(eye_r), len(AA)
    out = np.zeros((p, K, r, K, p, K, r, K), dtype=AA.dtype)
    for i in range(p):
        for j in range(r):
            out[i, :, j, :, i, :, j, :] = AA.transpose(0, 2, 1, 3)
    return out.reshape(p * K * r * K, -1)


def _spread_left(Ab: np.ndarray, eye_l: np.ndarray) -> np.ndarray:
    """``E[(A_t m) b^T]`` as a matrix on m, from ``Ab[k, l, j, n] = E[A_kl b_jn]``."""
    p, K, r = len(eye_l), Ab.shape[0], Ab.shape[2]
    out = np.zeros((p, K, r, K, p, K), dtype=Ab.dtype)
    for i in range(p):
        out[i, :, :, :, i, :] = Ab.transpose(0, 2, 3, 1)
    return out.reshape(p * K * r * K, p * K)


def _spread_right(Ab: np.ndarray, eye_r: np.ndarray) -> np.ndarray:
    """``E[b (A_t m)^T]`` as a matrix on m, from ``Ab[k, l, i, n] = E[A_kl b_in]``."""
    r, K, p = len(eye_r), Ab.shape[0], Ab.shape[2]
    out = np.zeros((p, K, r, K, r, K), dtype=Ab.dtype)
    for j in range(r):
        out[:, :, j, :, j, :] = Ab.transpose(2, 3, 0, 1)
    return out.reshape(p * K * r * K, r * K)


def _folded(E: np.ndarray, rows: Any, shape: tuple[int, int], Z: int) -> np.ndarray:
    """The same map on the upper triangles only, with one copy of the first moment."""
    n_l, n = shape[0], shape[0] * shape[1]
    upper = rows[0] * n_l + rows[1]
    mirror = rows[1] * n_l + rows[0]
    twice = rows[0] != rows[1]
    m_l, m_r, q = (np.arange(a, b) for a, b in _bounds(Z, n, n_l, n_l)[1:])
    keep = np.concatenate([z * n + upper for z in range(Z)])
    other = np.concatenate([z * n + mirror for z in range(Z)])
    both = np.tile(twice, Z)
    order = np.concatenate([keep, m_l, q])
    half = E[order]
    second = half[:, keep]
    second[:, both] = second[:, both] + half[:, other[both]]
    first = half[:, m_l]
    first[: len(keep)] = first[: len(keep)] + half[: len(keep), m_r]  # both copies feed the second moment
    return np.concatenate([second, first, half[:, q]], axis=1)
