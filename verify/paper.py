"""Papers: a ledger with its coverage list and recorded verdicts, found through the entry points ``lemmata.papers``.

A package brings its own paper by one line of its ``pyproject.toml``::

    [project.entry-points."lemmata.papers"]
    mypaper = "mypaper:PAPER"

and ``PAPER = Paper.beside("mypaper", __file__, LEDGER)`` in ``mypaper/__init__.py``. The bundled papers are found in
the same way. A package that cannot be loaded is reported by `broken_papers` and leaves the others alone.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from importlib import invalidate_caches
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from verify.claim import Claim
from verify.suggest import did_you_mean

GROUP = "lemmata.papers"
"""Entry-point group; names are keys of papers, values lead to a `Paper`."""

BUNDLED = {name: f"verify.bundled:{name.upper()}" for name in ("zeng2022", "zhang2025", "bhandari2018")}
"""Entry points of this distribution, so that a source tree that is not installed still has its papers."""

ROW = ("id", "where", "kind", "text")
"""What every statement of a coverage list says."""


class PaperError(Exception):
    """A paper that cannot be loaded; the message names it, where it comes from, and what is wrong."""


@dataclass(frozen=True)
class Paper:
    """A paper with its ledger.

    Attributes:
        key: short name, the first half of every key ``paper/id``; also the name of the entry point.
        ledger: statement functions in paper order.
        statements: the coverage list, a TOML file with ``title`` and one ``[[statement]]`` per statement.
        verdicts: the recorded verdicts, a TOML file written by ``lemmata verify KEY --record``; may not exist yet.
    """

    key: str
    ledger: tuple[Callable[[], Claim], ...]
    statements: Path
    verdicts: Path

    @classmethod
    def beside(cls, key: str, file: str, ledger: Iterable[Callable[[], Claim]]) -> Paper:
        """The paper whose ``statements.toml`` and ``verdicts.toml`` lie beside a module.

        Args:
            key: short name.
            file: ``__file__`` of the module.
            ledger: statement functions in paper order.
        """
        folder = Path(file).parent
        return cls(key, tuple(ledger), folder / "statements.toml", folder / "verdicts.toml")

    @property
    def title(self) -> str:
        """Title, from the coverage list; the key if it has none."""
        return str(self._table(self.statements).get("title", self.key))

    def coverage(self) -> list[dict[str, str]]:
        """The coverage list: every statement that needs a verdict, in paper order.

        Returns:
            One dictionary per statement: id, where, kind, text (as printed, in words).

        Raises:
            PaperError: no such file, not TOML, a row without one of these, or an id twice.
        """
        rows = self._table(self.statements).get("statement", [])
        if not rows:
            raise PaperError(f"{self.key}: {self.statements.name} has no [[statement]]")
        for k, row in enumerate(rows):
            missing = [name for name in ROW if not isinstance(row.get(name), str)]
            if missing:
                raise PaperError(f"{self.key}: statement {k + 1} of {self.statements.name} has no {', '.join(missing)}")
        _require_once(f"{self.key}: {self.statements.name}", [row["id"] for row in rows])
        return list(rows)

    def recorded(self) -> dict[str, dict[str, str]]:
        """Recorded verdicts by statement id and variant name; none if nothing was recorded yet.

        Raises:
            PaperError: the file is not TOML, or not a table of tables.
        """
        if not self.verdicts.is_file():
            return {}
        table = self._table(self.verdicts)
        for id, variants in table.items():
            if not isinstance(variants, dict):
                raise PaperError(f"{self.key}: {self.verdicts.name}: {id!r} is {variants!r}, not a table of variants")
        return {id: {name: str(verdict) for name, verdict in variants.items()} for id, variants in table.items()}

    def claims(self) -> tuple[Claim, ...]:
        """Every claim of the ledger, in its order.

        Raises:
            PaperError: a claim of another paper, one that the coverage list does not have, or one twice.
            ValueError: a statement function whose claim cannot be built (see `verify.claim.statement`).
        """
        claims = tuple(build() for build in self.ledger)
        known = {row["id"] for row in self.coverage()}
        for claim in claims:
            if claim.paper != self.key:
                raise PaperError(f"{self.key}: its ledger has {claim.key}, a statement of another paper")
            if claim.id not in known:
                raise PaperError(f"{claim.key} is not in the coverage list {self.statements.name}")
        _require_once(f"{self.key}: the ledger", [claim.id for claim in claims])
        return claims

    def _table(self, path: Path) -> dict[str, Any]:
        try:
            return tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise PaperError(f"{self.key}: {path.name} is missing; is it in the package data?") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise PaperError(f"{self.key}: {path.name}: {error}") from None


def papers() -> dict[str, Paper]:
    """Every paper that was found and can be loaded, by key: the bundled ones first, others by name.

    See also `broken_papers`.
    """
    return dict(_found()[0])


def broken_papers() -> dict[str, str]:
    """Why a paper that was found cannot be used, by the name of its entry point.

    The error of one package does not hide the papers of others.
    """
    return dict(_found()[1])


def find_paper(key: str) -> Paper:
    """The paper called `key`.

    Args:
        key: its short name.

    Raises:
        PaperError: it was found and cannot be loaded.
        KeyError: it was not found; the message lists those that were.
    """
    found, broken = _found()
    if key in found:
        return found[key]
    if key in broken:
        raise PaperError(broken[key])
    raise KeyError(f"no paper {key!r}; there are {', '.join(sorted(found))}{did_you_mean(key, found)}")


def forget_papers() -> None:
    """Look for papers again at the next use, after packages were installed or removed in this process."""
    invalidate_caches()
    _found.cache_clear()


@cache
def _found() -> tuple[dict[str, Paper], dict[str, str]]:
    """Papers by key and errors by name, from one look at the installed packages."""
    points: dict[str, list[EntryPoint]] = {name: [EntryPoint(name, value, GROUP)] for name, value in BUNDLED.items()}
    for point in sorted(entry_points(group=GROUP), key=lambda p: (p.name, p.value)):
        same = points.setdefault(point.name, [])
        if all(point.value != other.value for other in same):
            same.append(point)
    found: dict[str, Paper] = {}
    broken: dict[str, str] = {}
    for name, same in points.items():
        if len(same) > 1:
            broken[name] = f"{name}: claimed by {' and '.join(_origin(p) for p in same)}; a key names one paper"
        if len(same) > 1 and name not in BUNDLED:
            continue
        try:
            found[name] = _load(same[0])
        except Exception as error:  # anything can go wrong in another's package, and must stay its own problem
            text = str(error) if isinstance(error, PaperError) else f"{type(error).__name__}: {error}"
            broken[name] = f"{name} ({_origin(same[0])}) cannot be loaded: {text}"
    return found, broken


def _load(point: EntryPoint) -> Paper:
    paper = point.load()
    if not isinstance(paper, Paper):
        raise PaperError(f"{point.value} is a {type(paper).__name__}, not a verify.Paper")
    if paper.key != point.name:
        raise PaperError(f"its key is {paper.key!r}, but its entry point is called {point.name!r}")
    paper.claims()
    paper.recorded()
    return paper


def _origin(point: EntryPoint) -> str:
    return f"{point.value} of {point.dist.name}" if point.dist is not None else point.value


def _require_once(where: str, ids: list[str]) -> None:
    twice = sorted({id for id in ids if ids.count(id) > 1})
    if twice:
        raise PaperError(f"{where} has {', '.join(twice)} twice")
