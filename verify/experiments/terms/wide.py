"""Critics of zhang2025 Eq. (5) at any width: Gaussian layers that are drawn only where a run looks at them.

A run of the expected dynamics on n inputs multiplies an initial layer, m x m with independent N(0, 2) entries, and its
transpose by a few vectors each step. Their products are drawn when they are asked for, given all that was seen before
(a Gaussian matrix given ``W X = Y`` and ``W^T U = Z`` is ``U Z^T + Y X^T - U U^T Y X^T`` plus an independent one on the
orthogonal complements), so that the run has exactly the law of the full network at the cost of m times the square of
the number of vectors. `GaussianLayer.complete` draws the rest: the tests run the dense network on it and find the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mdp.policies.neural import INPUT_VARIANCE

IN_SPAN = 1e-10
"""Part of a vector outside what was seen, relative to it, below which it counts as rounding; ours."""


class _Basis:
    """Orthonormal directions and what the matrix makes of them, both (m, p), in storage that doubles."""

    def __init__(self, width: int) -> None:
        self._stored = np.empty((2, width, 8))
        self.size = 0

    @property
    def directions(self) -> np.ndarray:
        return self._stored[0, :, : self.size]

    @property
    def images(self) -> np.ndarray:
        return self._stored[1, :, : self.size]

    def append(self, directions: np.ndarray, images: np.ndarray) -> None:
        end = self.size + directions.shape[1]
        while end > self._stored.shape[2]:
            self._stored = np.concatenate([self._stored, np.empty_like(self._stored)], axis=2)
        self._stored[0, :, self.size : end], self._stored[1, :, self.size : end] = directions, images
        self.size = end


class GaussianLayer:
    """An m x m matrix of independent N(0, 2) entries, drawn where it is looked at.

    Source: zhang2025 Sec. 3.2, below Eq. (5), for the law; the conditioning is ours.
    """

    def __init__(self, width: int, rng: np.random.Generator) -> None:
        """Nothing is drawn yet.

        Args:
            width: m.
            rng: of the entries.
        """
        self.width, self._rng = width, rng
        self._right, self._left = _Basis(width), _Basis(width)

    def times(self, vectors: Float[np.ndarray, "m q"]) -> Float[np.ndarray, "m q"]:
        """``W x`` of every column.

        Args:
            vectors: columns.
        """
        return self._product(self._right, self._left, vectors)

    def transposed_times(self, vectors: Float[np.ndarray, "m q"]) -> Float[np.ndarray, "m q"]:
        """``W^T u`` of every column.

        Args:
            vectors: columns.
        """
        return self._product(self._left, self._right, vectors)

    def complete(self) -> Float[np.ndarray, "m m"]:
        """A full matrix that has all products given so far; further calls of `times` know nothing of it."""
        right, left = self._right, self._left
        rest = np.sqrt(INPUT_VARIANCE) * self._rng.normal(size=(self.width, self.width))
        rest -= left.directions @ (left.directions.T @ rest)
        rest -= (rest @ right.directions) @ right.directions.T
        seen = left.directions @ left.images.T
        outside = right.images - left.directions @ (left.directions.T @ right.images)
        matrix: np.ndarray = rest + seen + outside @ right.directions.T
        return matrix

    def _product(self, here: _Basis, there: _Basis, vectors: np.ndarray) -> np.ndarray:
        new = _outside(here.directions, vectors)
        if new.shape[1]:
            # what the matrix makes of a new direction: known along the directions of the other side, fresh beyond them
            fresh = np.sqrt(INPUT_VARIANCE) * self._rng.normal(size=new.shape)
            fresh += there.directions @ (there.images.T @ new - there.directions.T @ fresh)
            here.append(new, fresh)
        product: np.ndarray = here.images @ (here.directions.T @ vectors)
        return product


def _outside(basis: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Orthonormal directions that span what `vectors` add to an orthonormal basis."""
    sizes = np.linalg.norm(vectors, axis=0)
    units = vectors[:, sizes > 0] / sizes[sizes > 0]
    units = units - basis @ (basis.T @ units)
    found = np.empty((len(basis), 0))
    for k in range(units.shape[1]):
        rest = units[:, k]
        for _ in range(2):  # once is not enough in floating point
            rest = rest - found @ (found.T @ rest)
        left_over = float(np.linalg.norm(rest))
        if left_over > IN_SPAN:
            found = np.column_stack([found, rest / left_over])
    if not found.shape[1]:
        return found
    found = found - basis @ (basis.T @ found)
    orthonormal: np.ndarray = np.linalg.qr(found)[0]
    return orthonormal


@dataclass(frozen=True, eq=False)
class Block:
    """``W_h - W_h(0) = left right^T``.

    Attributes:
        left: (m, R).
        right: (m, R).
    """

    left: Float[np.ndarray, "m R"]
    right: Float[np.ndarray, "m R"]

    @property
    def norm(self) -> float:
        """Frobenius norm."""
        square = float(((self.left.T @ self.left) * (self.right.T @ self.right)).sum())
        return max(square, 0.0) ** 0.5


Offset = Sequence[Block]
"""``W - W(0)``, one block per layer."""


class WideNetwork:
    r"""The critic of Eq. (5) with lazily drawn layers, optionally with its output divided by sqrt(m).

    Attributes:
        width: m.
        depth: D.
        first: ``H x`` of every input, (m, n).
        b: output layer, (m,).
        scale: one for the network as printed, ``1/sqrt(m)`` for an output of order one (as with H ~ N(0, 2/m)).
        layers: W_1(0), ..., W_D(0).

    Raises:
        ValueError: on construction, width or depth below one, or inputs that are no unit rows.

    Source: zhang2025 Sec. 3.2, Eq. (5).
    """

    def __init__(
        self, inputs: Float[np.ndarray, "n d"], width: int, depth: int, rng: np.random.Generator, *,
        scaled: bool = False,
    ) -> None:  # fmt: skip
        """Draw H and b; the layers wait.

        Args:
            inputs: unit rows.
            width: m.
            depth: D.
            rng: of everything.
            scaled: whether the output is divided by sqrt(m).
        """
        for name, value in (("width", width), ("depth", depth)):
            if value < 1:
                raise ValueError(f"{name} is {value}; it is at least 1")
        if np.abs(np.linalg.norm(inputs, axis=1) - 1).max() > 1e-9:
            raise ValueError("inputs has a row whose norm is not one")
        self.width, self.depth, self.inputs = width, depth, np.asarray(inputs, dtype=float)
        self.H = np.sqrt(INPUT_VARIANCE) * rng.normal(size=(width, self.inputs.shape[1]))
        self.first, self.b = self.H @ self.inputs.T, rng.normal(size=width)
        self.scale = width**-0.5 if scaled else 1.0
        self.layers = [GaussianLayer(width, rng) for _ in range(depth)]

    def alone(self, k: int) -> WideNetwork:
        """The same network on input k only; the layers are shared.

        Args:
            k: index of the input.
        """
        one = copy(self)
        one.inputs, one.first = self.inputs[k : k + 1], self.first[:, k : k + 1]
        return one

    def values(self, offset: Offset | None = None) -> Float[np.ndarray, " n"]:
        """``Q-hat(x; W)`` of every input.

        Args:
            offset: ``W - W(0)``; None for W(0).
        """
        return self._output(self._forward(offset)[-1])

    def slopes(self, offset: Offset | None = None) -> tuple[Float[np.ndarray, " n"], list[Block]]:
        """Values, and per layer the factors of the gradient: input z has ``left[:, z] right[:, z]^T``.

        Args:
            offset: ``W - W(0)``; None for W(0).
        """
        states = self._forward(offset)
        found: list[Block] = []
        back = np.repeat(self.scale * self.b[:, None], self.first.shape[1], axis=1)
        for h in range(self.depth, 0, -1):
            back = back * (states[h] > 0) / np.sqrt(self.width)
            found.insert(0, Block(back, states[h - 1]))
            if h > 1:
                below = self.layers[h - 1].transposed_times(back)
                if offset is not None:
                    below += offset[h - 1].right @ (offset[h - 1].left.T @ back)
                back = below
        return self._output(states[-1]), found

    def _forward(self, offset: Offset | None) -> list[np.ndarray]:
        states = [self.first]
        for h in range(self.depth):
            z = self.layers[h].times(states[-1])
            if offset is not None:
                z += offset[h].left @ (offset[h].right.T @ states[-1])
            states.append(np.maximum(z, 0.0) / np.sqrt(self.width))
        return states

    def _output(self, last: np.ndarray) -> np.ndarray:
        value: np.ndarray = self.scale * (self.b @ last)
        return value
