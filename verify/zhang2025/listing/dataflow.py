"""The listings of zhang2025 as data: which names with which indexes each line reads and writes, in what order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

Cell = tuple[str | int, ...]
"""A name with its indexes, such as ``("a", t, l, i)``."""

Index = Mapping[str, int]
"""Values of the loop variables."""

Cells = Callable[[Index], list[Cell]]


@dataclass(frozen=True)
class Line:
    """One line of a listing.

    Attributes:
        number: as printed.
        reads: cells it needs, from the loop variables.
        writes: cells it defines.
    """

    number: str
    reads: Cells
    writes: Cells


@dataclass(frozen=True)
class Loop:
    """A loop with its body.

    Attributes:
        variable: its name.
        values: the values it takes, in order.
        body: lines and loops.
    """

    variable: str
    values: tuple[int, ...]
    body: tuple[Line | Loop, ...]


@dataclass(frozen=True)
class Undefined:
    """A cell that a line reads before anything has written it.

    Attributes:
        line: number of the line.
        index: the loop variables then.
        cell: what is missing.
    """

    line: str
    index: dict[str, int]
    cell: Cell


def undefined_reads(listing: tuple[Line | Loop, ...], given: list[Cell]) -> list[Undefined]:
    """Every read of a cell that is neither given nor written before, in the order of execution.

    Args:
        listing: lines and loops.
        given: cells defined by the input.

    Returns:
        One entry per cell and line, the first time only.
    """
    known, seen, found = set(given), set(), []
    for line, index in _execute(listing, {}):
        for cell in line.reads(index):
            if cell not in known and (line.number, cell) not in seen:
                seen.add((line.number, cell))
                found.append(Undefined(line.number, dict(index), cell))
        known.update(line.writes(index))
    return found


def _execute(body: tuple[Line | Loop, ...], index: dict[str, int]) -> Iterator[tuple[Line, dict[str, int]]]:
    for item in body:
        if isinstance(item, Line):
            yield item, index
        else:
            for value in item.values:
                yield from _execute(item.body, {**index, item.variable: value})
