"""Compiled kernels on a board: successors are computed from the agents' cells, no kernel of the MDP is stored.

A state is a number in base C (cells), agent 0 the leading digit; ``reach[i, c, a]`` is what agent i's digit adds to
the successor. The last agent's cell runs fastest, so the other agents' part of the successors is computed once for C
states in a row, and what those states read or write stays in the first cache.
"""

from __future__ import annotations

import numpy as np

from mdp.large._kernels import _joint_row, compiled

MOVES = ("Up", "Down", "Left", "Right", "Stay")
"""Actions of an agent, in this order. Source: zhang2025 App. D.1."""

N_MOVES = len(MOVES)


@compiled
def _prefixes(reach, group, out):  # type: ignore[no-untyped-def]
    """Successors' part of all agents but the last, for the states ``group * C, ..., group * C + C - 1``."""
    n_agents, n_cells, _ = reach.shape
    place = n_cells ** max(n_agents - 2, 0)
    out[0] = 0
    size = 1
    for i in range(n_agents - 1):
        cell = group // place % n_cells
        place //= n_cells
        for k in range(size - 1, -1, -1):  # from the back: entry k is read before its slots are written
            base = out[k]
            for a in range(N_MOVES):
                out[k * N_MOVES + a] = base + reach[i, cell, a]
        size *= N_MOVES


@compiled
def _grid_rows(reach, x, out, low):  # type: ignore[no-untyped-def]
    """``out[i, a] = x[successor(low + i, a)]``."""
    last, n_cells = reach[-1], reach.shape[1]
    prefix = np.empty(N_MOVES ** (len(reach) - 1), dtype=np.uint64)
    group, cell = low // n_cells, low % n_cells - 1
    _prefixes(reach, group, prefix)
    for i in range(out.shape[0]):
        cell += 1
        if cell == n_cells:
            cell, group = 0, group + 1
            _prefixes(reach, group, prefix)
        for k in range(len(prefix)):
            for a in range(N_MOVES):
                out[i, k * N_MOVES + a] = x[prefix[k] + last[cell, a]]


@compiled
def _grid_apply(reach, pi, x, out, low, high):  # type: ignore[no-untyped-def]
    """``out[s] = E_pi x[successor(s, .)]`` for low <= s < high, one agent averaged out after the other."""
    n_agents, n_cells, _ = reach.shape
    last, first = reach[-1], (n_agents - 1) * N_MOVES
    prefix = np.empty(N_MOVES ** (n_agents - 1), dtype=np.uint64)
    values = np.empty(len(prefix))
    group, cell = low // n_cells, low % n_cells - 1  # counted on: a division per state would double the time
    _prefixes(reach, group, prefix)
    for s in range(low, high):
        cell += 1
        if cell == n_cells:
            cell, group = 0, group + 1
            _prefixes(reach, group, prefix)
        up, down, left, right, stay = last[cell, 0], last[cell, 1], last[cell, 2], last[cell, 3], last[cell, 4]
        p, q, u, v, w = pi[s, first], pi[s, first + 1], pi[s, first + 2], pi[s, first + 3], pi[s, first + 4]
        for k in range(len(prefix)):  # written out: offsets and probabilities then stay in registers
            base = prefix[k]
            pair = (p * x[base + up] + q * x[base + down]) + (u * x[base + left] + v * x[base + right])
            values[k] = pair + w * x[base + stay]
        size = len(prefix)
        for i in range(n_agents - 2, -1, -1):
            size //= N_MOVES
            j = i * N_MOVES
            p, q, u, v, w = pi[s, j], pi[s, j + 1], pi[s, j + 2], pi[s, j + 3], pi[s, j + 4]
            for k in range(size):
                m = k * N_MOVES
                pair = (p * values[m] + q * values[m + 1]) + (u * values[m + 2] + v * values[m + 3])
                values[k] = pair + w * values[m + 4]
        out[s] = values[0]


@compiled
def _grid_scatter(reach, pi, widths, x, out, low, high):  # type: ignore[no-untyped-def]
    """``out[successor(s, a)] += x[s] pi(a | s)`` for low <= s < high; `widths` of all agents but the last."""
    n_agents, n_cells, _ = reach.shape
    last, first = reach[-1], (n_agents - 1) * N_MOVES
    prefix = np.empty(N_MOVES ** (n_agents - 1), dtype=np.uint64)
    weight = np.empty(len(prefix))
    group, cell = low // n_cells, low % n_cells - 1  # counted on: a division per state would double the time
    _prefixes(reach, group, prefix)
    for s in range(low, high):
        cell += 1
        if cell == n_cells:
            cell, group = 0, group + 1
            _prefixes(reach, group, prefix)
        here = x[s]
        _joint_row(pi, widths, s, weight)
        up, down, left, right, stay = last[cell, 0], last[cell, 1], last[cell, 2], last[cell, 3], last[cell, 4]
        p, q, u, v, w = pi[s, first], pi[s, first + 1], pi[s, first + 2], pi[s, first + 3], pi[s, first + 4]
        for k in range(len(prefix)):
            base, mass = prefix[k], here * weight[k]
            out[base + up] += mass * p
            out[base + down] += mass * q
            out[base + left] += mass * u
            out[base + right] += mass * v
            out[base + stay] += mass * w
