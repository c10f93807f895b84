"""Where the cells of a sweep are kept: in memory, or in a folder that survives whatever happens to the process.

The folder holds ``manifest.json`` (what is computed, and with which versions), ``cells/`` (one sealed file per cell:
configuration, versions, values, checksum), ``claims.lock`` (see `rates.claims`) and ``timings.csv`` (how long each
cell took; only estimates use it). Equal sweeps give byte-identical ``cells/``, however often they were killed.

The process that called `sweep` writes, not its workers: then one place knows whether the disk is full, a worker's
death costs only the cells it had, and the workers of a cluster need not see the folder.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from rates.atomic import replacing, seal, target_of
from rates.cells import Cell, Values
from rates.claims import Claims
from rates.describe import difference, versions
from rates.files import (
    Timing,
    cell_content,
    header,
    read_cell,
    read_manifest,
    read_timings,
    require_same,
    values_of,
)


class SweepWriteError(OSError):
    """The folder cannot be written (disk full, no permission); what was finished before is kept."""


class SweepVersionWarning(UserWarning):
    """A sweep continues with other versions than it was begun with: still valid, not bit-identical throughout."""


class Store(Protocol):
    """What `sweep` needs of a place for cells.

    Attributes:
        values: the metrics of every finished cell.
        timings: horizon, number of seeds and seconds of cells, for estimates.
        damaged: cells whose file was found damaged; they are computed again.
    """

    values: dict[Cell, Values]
    timings: list[Timing]
    damaged: set[Cell]

    def refresh(self, cells: Iterable[Cell]) -> None:
        """Look for cells finished by others.

        Args:
            cells: those that are still open.
        """

    def claim(self, cell: Cell) -> bool:
        """Whether this process is to compute the cell.

        Args:
            cell: to compute.
        """

    def put(self, cell: Cell, values: Values, seconds: float) -> None:
        """Keep a finished cell.

        Args:
            cell: which.
            values: its metrics.
            seconds: it took.
        """

    def release(self) -> None:
        """Give up all claims."""

    def close(self) -> None:
        """Release what is held."""


class MemoryStore:
    """Cells kept in memory, gone with the process."""

    def __init__(self) -> None:
        self.values: dict[Cell, Values] = {}
        self.timings: list[Timing] = []
        self.damaged: set[Cell] = set()

    def refresh(self, cells: Iterable[Cell]) -> None:
        """Nobody else writes here.

        Args:
            cells: ignored.
        """

    def claim(self, cell: Cell) -> bool:
        """Always.

        Args:
            cell: to compute.
        """
        return True

    def put(self, cell: Cell, values: Values, seconds: float) -> None:
        """Keep a finished cell.

        Args:
            cell: which.
            values: its metrics.
            seconds: it took.
        """
        self.values[cell] = values
        self.timings.append((cell.horizon, cell.count, seconds))

    def release(self) -> None:
        """Nothing is claimed."""

    def close(self) -> None:
        """Nothing is open."""


class FolderStore:
    """Cells kept in a folder.

    Args:
        folder: created if missing.
        configuration: plain data that determines the results; part of every file.
        cells: of the sweep.

    Raises:
        SweepConfigurationError: the folder holds another sweep.
        SweepWriteError: the folder cannot be made or written.
        RuntimeError: this process is already sweeping into the folder.

    Warns:
        SweepVersionWarning: the sweep was begun with other versions. Each cell says what computed it.
    """

    def __init__(self, folder: Path, configuration: dict[str, Any], cells: Iterable[Cell]) -> None:
        self.folder, self.configuration = folder, configuration
        self.values: dict[Cell, Values] = {}
        self.versions: dict[Cell, dict[str, str]] = {}
        self.damaged: set[Cell] = set()
        try:
            (folder / "cells").mkdir(parents=True, exist_ok=True)
            self._claims = Claims(folder / "claims.lock")
        except OSError as error:
            raise _cannot_write(folder, error) from None
        try:
            self._open_manifest()
            self._clean({cell.name: cell for cell in cells})
        except BaseException:
            self.close()
            raise
        self.timings = read_timings(folder)

    def refresh(self, cells: Iterable[Cell]) -> None:
        """Read the cells that are not known yet and whose files are whole.

        Args:
            cells: those wanted.
        """
        for cell in cells:
            if cell not in self.values:
                self._read(cell)

    def claim(self, cell: Cell) -> bool:
        """Whether this process is to compute the cell: not finished meanwhile, nor being computed by another.

        Args:
            cell: wanted.
        """
        if not self._claims.take(cell.index):
            return False
        if self._read(cell):  # finished by another process between our look and our claim
            self._claims.release(cell.index)
            return False
        return True

    def put(self, cell: Cell, values: Values, seconds: float) -> None:
        """Write a finished cell.

        Args:
            cell: which.
            values: its metrics.
            seconds: it took; kept beside the cell, which must not depend on it.

        Raises:
            SweepWriteError: disk full or folder gone; the message says what is kept and how to go on.
        """
        content = cell_content(cell, self.configuration, values)
        try:
            with replacing(self.folder / "cells" / cell.name) as temporary:
                temporary.write_bytes(seal(content))
        except OSError as error:
            raise _cannot_write(self.folder, error, f"{len(self.values)} finished cells are kept") from error
        self.values[cell], self.versions[cell] = values, versions()
        self._claims.release(cell.index)
        self.timings.append((cell.horizon, cell.count, seconds))
        with suppress(OSError), (self.folder / "timings.csv").open("a") as file:  # a note; the cell is what counts
            file.write(f"{cell.horizon},{cell.count},{seconds:.6g}\n")

    def release(self) -> None:
        """Give up all claims."""
        self._claims.release_all()

    def close(self) -> None:
        """Release the folder for other sweeps of this process."""
        self._claims.close()

    def _read(self, cell: Cell) -> bool:
        content, damaged = read_cell(self.folder, cell, self.configuration)
        if damaged:
            self.damaged.add(cell)
        if content is None:
            return False
        self.values[cell] = values_of(content)
        self.versions[cell] = content["versions"]
        return True

    def _open_manifest(self) -> None:
        self._claims.manifest()
        try:
            stored = read_manifest(self.folder)
            require_same(stored, self.configuration, self.folder)
            path, whole = self.folder / "manifest.json", seal(stored or header(self.configuration))
            if not path.is_file() or path.read_bytes() != whole:
                with replacing(path) as temporary:
                    temporary.write_bytes(whole)
        except OSError as error:
            raise _cannot_write(self.folder, error) from error
        finally:
            self._claims.release_manifest()
        if stored is not None and (changes := difference(stored["versions"], versions())):
            warnings.warn(
                f"{self.folder} was begun with other versions: {'; '.join(changes)}. Its cells are kept, each says "
                "what computed it; for bits that agree throughout, use the old versions or another folder.",
                SweepVersionWarning, stacklevel=6,
            )

    def _clean(self, cells: dict[str, Cell]) -> None:
        """Remove half-written files whose writers are dead: nobody living has the claim on their cell."""
        for leftover in [*self.folder.glob(".*.tmp"), *(self.folder / "cells").glob(".*.tmp")]:
            cell = cells.get(target_of(leftover) or "")
            if cell is not None and self._claims.take(cell.index):
                if self._claims.reliable:
                    leftover.unlink(missing_ok=True)
                self._claims.release(cell.index)


def _cannot_write(folder: Path, error: OSError, kept: str = "") -> SweepWriteError:
    reason = error.strerror or str(error)
    advice = f"; {kept}: make room and call the same sweep again" if kept else ""
    # the one-argument form would lose the number by which callers tell a full disk from a missing permission
    return SweepWriteError(error.errno, f"cannot write into {folder}: {reason}{advice}")
