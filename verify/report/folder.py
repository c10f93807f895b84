"""The folder of a report: what was written into it, and the removal of what an earlier report left there.

A manifest lists every page and figure with its checksum. Only what an earlier manifest lists, and nobody has changed
since, is ever removed; sweeps are results rather than pages, they are not listed and stay.
"""

from __future__ import annotations

import json
import re
from hashlib import sha256
from pathlib import Path, PurePosixPath

from verify.report.figures import Figure

MANIFEST = "report-files.json"
"""Name of the list of files in the folder of a report."""

FORMAT = "lemmata report files 1"
"""First entry of the list; one that starts otherwise is not ours."""


class ReportFolder:
    """Writes files below one folder and remembers them.

    Attributes:
        out: the folder.
    """

    def __init__(self, out: Path) -> None:
        """Args: out: the folder, made if needed."""
        self.out = out
        out.mkdir(parents=True, exist_ok=True)
        self._written: dict[str, str] = {}
        self._names: set[str] = set()
        self._figures: dict[str, str] = {}

    def write(self, path: str, text: str) -> None:
        """Write a text file.

        Args:
            path: from the folder, with slashes.
            text: its content.

        Raises:
            OSError: it cannot be written.
        """
        content = text.encode("utf-8")
        target = self.out / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        self._written[path] = sha256(content).hexdigest()

    def unique(self, text: str) -> str:
        """A file name made from `text`, given to nothing else in this report.

        Args:
            text: any text.
        """
        return unique_name(text, self._names)

    def place(self, figure: Figure, name: str) -> tuple[str, str]:
        """Write a figure and its data, or find them if the same were written before.

        Args:
            figure: the figure.
            name: what the files are called after.

        Returns:
            Paths of the picture and of the data, from the folder.
        """
        digest = sha256(f"{figure.svg}\0{figure.csv}".encode()).hexdigest()
        stem = self._figures.get(digest)
        if stem is None:
            stem = self._figures[digest] = f"figures/{self.unique(name)}"
            self.write(f"{stem}.svg", figure.svg)
            self.write(f"{stem}.csv", figure.csv)
        return f"{stem}.svg", f"{stem}.csv"

    def finish(self) -> list[str]:
        """Remove what an earlier report left and this one did not write, and write the manifest.

        Returns:
            Paths that were removed.
        """
        stale = {path: digest for path, digest in _listed(self.out / MANIFEST).items() if path not in self._written}
        removed = [path for path, digest in stale.items() if _remove(self.out, path, digest)]
        manifest = {"format": FORMAT, "files": dict(sorted(self._written.items()))}
        (self.out / MANIFEST).write_bytes((json.dumps(manifest, indent=1) + "\n").encode("utf-8"))
        return removed


def unique_name(text: str, taken: set[str]) -> str:
    """A file name made from `text`, not yet in `taken`, to which it is added.

    Args:
        text: any text.
        taken: names in use.
    """
    stem = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:80].rstrip("-") or "unnamed"
    name, k = stem, 1
    while name in taken:
        k += 1
        name = f"{stem}-{k}"
    taken.add(name)
    return name


def _listed(manifest: Path) -> dict[str, str]:
    """Checksums by path of a manifest of ours; nothing if there is none."""
    try:
        table = json.loads(manifest.read_text(encoding="utf-8"))
        if table["format"] != FORMAT:
            return {}
        return {str(path): str(digest) for path, digest in table["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _remove(out: Path, path: str, digest: str) -> bool:
    """Remove a file if it lies in the folder and is as it was written; then its folder, if that is empty."""
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or "\\" in path:
        return False
    target = out / path
    inside = target.resolve().is_relative_to(out.resolve())
    if not inside or target.is_symlink() or not target.is_file():
        return False
    if sha256(target.read_bytes()).hexdigest() != digest:
        return False
    target.unlink()
    if target.parent != out and not any(target.parent.iterdir()):
        target.parent.rmdir()
    return True
