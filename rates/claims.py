"""Who computes which cell, when several processes sweep into one folder.

A claim is a lock on one byte of a file: byte 0 guards the manifest, byte k + 1 is cell k. The operating system drops
the locks of a process that dies, by whatever signal, so that there is no stale claim to detect. Claims only save
work: files are replaced atomically and runs are deterministic, so where locks do not work (some network folders)
cells are computed twice and nothing is lost.
"""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from threading import Lock

_OPEN: set[Path] = set()
_GUARD = Lock()


class Claims:
    """Locks of this process on the cells of one folder.

    Args:
        path: the lock file, created if missing.

    Raises:
        RuntimeError: this process already has the folder open (its own locks cannot exclude it, and closing
            one file would drop the locks of the other).
        OSError: the file cannot be opened for writing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()
        with _GUARD:
            if self._path in _OPEN:
                raise RuntimeError(f"this process is already sweeping into {self._path.parent}")
            self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            _OPEN.add(self._path)
        self._held: set[int] = set()
        self.reliable = True
        """False once a lock was refused for another reason than being held: nothing may then be concluded from it."""

    def manifest(self) -> None:
        """Wait for the lock of the manifest."""
        try:
            fcntl.lockf(self._handle, fcntl.LOCK_EX, 1, 0)
        except OSError:
            self.reliable = False

    def release_manifest(self) -> None:
        """Let others read or write the manifest."""
        self._unlock(0)

    def take(self, index: int) -> bool:
        """Claim a cell; False if a living process has it.

        Args:
            index: of the cell.
        """
        try:
            fcntl.lockf(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, index + 1)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):
                return False
            self.reliable = False
        self._held.add(index)
        return True

    def release(self, index: int) -> None:
        """Give up the claim on a cell.

        Args:
            index: of the cell.
        """
        self._held.discard(index)
        self._unlock(index + 1)

    def release_all(self) -> None:
        """Give up every cell still claimed."""
        for index in tuple(self._held):
            self.release(index)

    def close(self) -> None:
        """Release everything and close the file."""
        with _GUARD:
            _OPEN.discard(self._path)
            os.close(self._handle)

    def _unlock(self, byte: int) -> None:
        try:
            fcntl.lockf(self._handle, fcntl.LOCK_UN, 1, byte)
        except OSError:
            self.reliable = False
