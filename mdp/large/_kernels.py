"""Compiled kernels on CSR rows and on pair values, each on a range of states and without the interpreter lock.

`pi` always holds the agents' tables side by side, (S, sum A_i), and joint actions have agent 0 slowest.
"""

from __future__ import annotations

import numpy as np
from numba import njit

compiled = njit(cache=True, nogil=True, error_model="numpy")


# --- kernels on CSR rows ----------------------------------------------------------------------------------
@compiled
def _first_bad_row(indptr, indices, data, columns, tolerance):  # type: ignore[no-untyped-def]
    """(0, ., ., .) or (fault code, row, position, value): 1 column, 2 not finite, 3 negative, 4 sum, 5 indptr."""
    for row in range(len(indptr) - 1):
        if indptr[row + 1] < indptr[row]:
            return 5, row, 0, 0.0
        total = 0.0
        for k in range(indptr[row], indptr[row + 1]):
            if indices[k] < 0 or indices[k] >= columns:
                return 1, row, k, float(indices[k])
            if not np.isfinite(data[k]):
                return 2, row, k, data[k]
            if data[k] < 0.0:
                return 3, row, k, data[k]
            total += data[k]
        if abs(total - 1.0) > tolerance:
            return 4, row, 0, total
    return 0, 0, 0, 0.0


ONE, TWO, THREE, FOUR = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4)


@compiled
def _csr_rows(indptr, indices, data, x, out, first):  # type: ignore[no-untyped-def]
    """``out[i] = P[first + i] @ x``; four sums side by side, as one alone waits for each addition in turn."""
    for i in range(len(out)):
        k, stop = np.uint64(indptr[first + i]), np.uint64(indptr[first + i + 1])  # see `unsigned`
        one = two = three = four = 0.0
        while k + FOUR <= stop:
            one += data[k] * x[indices[k]]
            two += data[k + ONE] * x[indices[k + ONE]]
            three += data[k + TWO] * x[indices[k + TWO]]
            four += data[k + THREE] * x[indices[k + THREE]]
            k += FOUR
        while k < stop:
            one += data[k] * x[indices[k]]
            k += ONE
        out[i] = (one + two) + (three + four)


@compiled
def _csr_scatter(indptr, indices, data, x, out, low, high):  # type: ignore[no-untyped-def]
    """``out += x[low:high] @ P[low:high]``."""
    for row in range(low, high):
        weight = x[row]
        k, stop = np.uint64(indptr[row]), np.uint64(indptr[row + 1])
        while k < stop:
            out[indices[k]] += weight * data[k]
            k += ONE


@compiled
def _joint_row(pi, widths, s, out):  # type: ignore[no-untyped-def]
    """Joint probabilities of state s into `out`, agent 0 slowest; `pi` has the agents' tables side by side."""
    out[0] = 1.0
    size, first = 1, 0
    for width in widths:
        for k in range(size - 1, -1, -1):  # from the back: entry k is read before its slots are written
            left = out[k]
            for a in range(width):
                out[k * width + a] = left * pi[s, first + a]
        size *= width
        first += width


@compiled
def _count_successors(indptr, indices, n_joint, seen, counts, low, high):  # type: ignore[no-untyped-def]
    """Number of distinct successors of each state; `seen` (S,) starts at -1."""
    for s in range(low, high):
        count = 0
        for k in range(indptr[s * n_joint], indptr[(s + 1) * n_joint]):
            if seen[indices[k]] != s:
                seen[indices[k]] = s
                count += 1
        counts[s] = count


@compiled
def _mix_rows(indptr, indices, data, pi, widths, n_joint, starts, columns, values, slot, low, high):  # type: ignore[no-untyped-def]
    """Rows low..high-1 of P_pi; `slot` (S,) starts at -1 and remembers where a successor of this state went."""
    weight = np.empty(n_joint)
    for s in range(low, high):
        _joint_row(pi, widths, s, weight)
        end = starts[s]
        for a in range(n_joint):
            for k in range(indptr[s * n_joint + a], indptr[s * n_joint + a + 1]):
                t = indices[k]
                if slot[t] < starts[s]:
                    slot[t] = end
                    columns[end] = t
                    values[end] = 0.0
                    end += 1
                values[slot[t]] += weight[a] * data[k]


# --- kernels on pair values -----------------------------------------------------------------------------------
@compiled
def _contract(q, pi, widths, out, low):  # type: ignore[no-untyped-def]
    """``out[low + i] = E_pi q[i]``, one agent after the other, the last first; `q` is overwritten."""
    for i in range(q.shape[0]):
        size, first = q.shape[1], pi.shape[1]
        for j in range(len(widths) - 1, -1, -1):
            width = widths[j]
            size //= width
            first -= width
            for k in range(size):
                total = 0.0
                for a in range(width):
                    total += pi[low + i, first + a] * q[i, k * width + a]
                q[i, k] = total
        out[low + i] = q[i, 0]


@compiled
def _marginal_values(q, pi, widths, out, low):  # type: ignore[no-untyped-def]
    """``out[low + i, (j, a)] = E[q[i, .] | a_j = a]``, the other agents following pi; no division by pi."""
    n_joint, n_agents = q.shape[1], len(widths)
    prefix, suffix = np.empty(n_agents + 1), np.empty(n_agents + 1)
    digit = np.zeros(n_agents, dtype=np.int64)
    first = np.zeros(n_agents, dtype=np.int64)
    for j in range(1, n_agents):
        first[j] = first[j - 1] + widths[j - 1]
    for i in range(q.shape[0]):
        out[low + i, :] = 0.0
        digit[:] = 0
        for k in range(n_joint):
            prefix[0], suffix[n_agents] = 1.0, 1.0
            for j in range(n_agents):
                prefix[j + 1] = prefix[j] * pi[low + i, first[j] + digit[j]]
            for j in range(n_agents - 1, -1, -1):
                suffix[j] = suffix[j + 1] * pi[low + i, first[j] + digit[j]]
                out[low + i, first[j] + digit[j]] += prefix[j] * suffix[j + 1] * q[i, k]
            j = n_agents - 1
            while j >= 0:  # next joint action, the last agent fastest
                digit[j] += 1
                if digit[j] < widths[j]:
                    break
                digit[j] = 0
                j -= 1


@compiled
def _maximise(q, current, slack, best, action, low):  # type: ignore[no-untyped-def]
    """Row maxima of `q`, and maximisers that leave ``current`` only for a gain above `slack`."""
    for i in range(q.shape[0]):
        top = 0
        for k in range(1, q.shape[1]):
            if q[i, k] > q[i, top]:
                top = k
        best[low + i] = q[i, top]
        keep = current[low + i]
        action[low + i] = keep if keep >= 0 and q[i, keep] >= q[i, top] - slack else top
