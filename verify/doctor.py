"""What this installation consists of, and what in it could go wrong; `lemmata doctor` prints it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from importlib import metadata
from pathlib import Path

DISTRIBUTION = "lemmata"

LEAST_FREE = 2**30
"""Free bytes below which a disk is a problem; ours: the full ledger's sweeps and caches need some 100 MB."""

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
"""Commands that start the browser in which the report is tested."""


class Level(Enum):
    """How serious a finding is; the value explains it."""

    FINE = "as it should be"
    NOTE = "works, but worth knowing"
    PROBLEM = "something will fail"


@dataclass(frozen=True)
class Finding:
    """One line of the examination.

    Attributes:
        section: what it is about, such as ``dependencies``.
        name: of the thing.
        value: what was found, as text.
        level: how serious it is.
        advice: what to do, if anything.
    """

    section: str
    name: str
    value: str
    level: Level = Level.FINE
    advice: str = ""


def examine() -> list[Finding]:
    """Every finding about this installation and machine, in a fixed order of sections.

    Returns:
        Findings of the sections system, dependencies, extras, papers, threads, numerics, compiler, browser, cache
        and disk.
    """
    found = [
        Finding("system", DISTRIBUTION, installed_version(DISTRIBUTION) or "not installed"),
        Finding("system", "python", f"{platform.python_version()} ({sys.executable})"),
        Finding("system", "platform", f"{platform.system()} {platform.release()} {platform.machine()}"),
    ]
    needed, extras = requirements(metadata.requires(DISTRIBUTION) or [])
    found += [dependency(text) for text in needed]
    found += [extra(name, texts) for name, texts in extras.items()]
    found += [*_papers(), *_threads(os.environ), *_numerics(), _compiler(), _browser()]
    package = Path(__file__).resolve().parent.parent / "algorithms"
    found += cache_findings(package, os.environ)
    found += [disk(name, Path(place)) for name, place in (("here", os.curdir), ("temporary", tempfile.gettempdir()))]
    return found


def installed_version(name: str) -> str | None:
    """Version of an installed distribution, without importing it; None if there is none.

    Args:
        name: of the distribution.
    """
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def requirements(texts: Iterable[str]) -> tuple[list[str], dict[str, list[str]]]:
    """What a distribution needs, and what each of its extras adds.

    Args:
        texts: as `importlib.metadata.requires` gives them, ``numpy>=1.26`` or ``dask>=2024.1; extra == "dask"``.

    Returns:
        Requirements of the core, and of each extra by its name.
    """
    core: list[str] = []
    extras: dict[str, list[str]] = {}
    for text in texts:
        bare, _, marker = text.partition(";")
        if "extra" in marker:
            name = marker.split("extra", 1)[1].split("==")[1].strip(" \"')")
            extras.setdefault(name, []).append(bare.strip())
        else:
            core.append(bare.strip())
    return sorted(core, key=str.lower), dict(sorted(extras.items()))


def dependency(text: str) -> Finding:
    """Whether the installed version meets a requirement.

    Args:
        text: such as ``numpy>=1.26``.
    """
    from packaging.requirements import Requirement

    requirement = Requirement(text)
    have = installed_version(requirement.name)
    if have is not None and requirement.specifier.contains(have, prereleases=True):
        return Finding("dependencies", requirement.name, have)
    value = f"{have or 'missing'}, needs {requirement.specifier}"
    advice = f"pip install '{requirement.name}{requirement.specifier}'"
    return Finding("dependencies", requirement.name, value, Level.PROBLEM, advice)


def extra(name: str, texts: list[str]) -> Finding:
    """Whether the packages of an extra are there, and which. A missing extra is no problem, a part of one is a note.

    Args:
        name: of the extra.
        texts: its requirements.
    """
    found = [dependency(text) for text in texts]
    unmet = [f.name for f in found if f.level is Level.PROBLEM]
    if not unmet:
        return Finding("extras", name, "present: " + ", ".join(f"{f.name} {f.value}" for f in found))
    advice = f"pip install '{DISTRIBUTION}[{name}]'"
    if len(unmet) == len(texts):
        return Finding("extras", name, "absent", advice=advice)
    return Finding("extras", name, f"in part; without {', '.join(unmet)}", Level.NOTE, advice)


def _threads(environment: Mapping[str, str]) -> list[Finding]:
    import numba

    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    found = [
        Finding("threads", "cores", f"{usable} usable of {os.cpu_count()}"),
        Finding("threads", "numba", str(numba.get_num_threads())),
    ]
    found += [Finding("threads", name, environment[name]) for name in THREAD_VARIABLES if name in environment]
    return found


def _numerics() -> list[Finding]:
    import numpy as np

    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return [
        Finding("numerics", "blas of numpy", f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip()),
        Finding("numerics", "llvmlite of numba", installed_version("llvmlite") or "missing"),
        Finding("numerics", "double precision", f"epsilon {np.finfo(float).eps:.3g}"),
    ]


def _papers() -> list[Finding]:
    from verify.paper import broken_papers, papers

    found = [Finding("papers", key, f"{len(paper.ledger)} statements") for key, paper in papers().items()]
    advice = "the other papers are not affected"
    return found + [Finding("papers", name, why, Level.PROBLEM, advice) for name, why in broken_papers().items()]


def _browser() -> Finding:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        return Finding("browser", "chromium", "absent", advice="only the tests of the report need one")
    return Finding("browser", Path(found).name, found)


def _compiler() -> Finding:
    for name in filter(None, (os.environ.get("CC"), "cc", "gcc", "clang")):
        path = shutil.which(name)
        if path is not None:
            said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, timeout=20)
            first = (said.stdout or said.stderr).splitlines()[:1]
            return Finding("compiler", name, first[0] if first else path)
    return Finding("compiler", "cc", "absent", Level.NOTE, "only the benchmarks against C need one")


def cache_findings(package: Path, environment: Mapping[str, str]) -> list[Finding]:
    """State of numba's cache of compiled kernels.

    Args:
        package: folder of the kernels.
        environment: variables, of which ``NUMBA_DISABLE_JIT`` and ``NUMBA_CACHE_DIR`` matter.
    """
    found = []
    if environment.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        advice = "unset NUMBA_DISABLE_JIT: kernels run hundreds of times slower"
        found.append(Finding("cache", "compilation", "disabled", Level.NOTE, advice))
    elsewhere = environment.get("NUMBA_CACHE_DIR")
    root = Path(elsewhere) if elsewhere else package
    files = sorted(path for path in root.rglob("*.nb[ci]"))
    size = sum(path.stat().st_size for path in files)
    indices = [path for path in files if path.suffix == ".nbi"]
    found.append(Finding("cache", "kernels", f"{len(indices)} compiled, {size / 1e6:.1f} MB under {root}"))
    shared = package / "_linalg.py"
    old = [p.name for p in indices if shared.is_file() and p.stat().st_mtime < shared.stat().st_mtime]
    if old:  # numba watches a kernel's own file only, not those it calls into
        advice = f"delete the .nbi files under {root} if {shared.name} was edited"
        found.append(Finding("cache", "age", f"{len(old)} kernels older than {shared.name}", Level.NOTE, advice))
    if not os.access(root if root.exists() else root.parent, os.W_OK):
        advice = "set NUMBA_CACHE_DIR to a folder that can be written, or every run compiles again"
        found.append(Finding("cache", "folder", f"{root} cannot be written", Level.NOTE, advice))
    return found


def disk(name: str, place: Path, least: int = LEAST_FREE) -> Finding:
    """Whether a folder can be written and its disk has room.

    Args:
        name: what to call it.
        place: the folder.
        least: free bytes that are enough.
    """
    free = shutil.disk_usage(place).free
    value = f"{free / 2**30:.1f} GiB free at {place.resolve()}"
    if not os.access(place, os.W_OK):
        return Finding("disk", name, f"{value}, not writable", Level.PROBLEM, "choose another folder with --out")
    if free < least:
        return Finding("disk", name, value, Level.PROBLEM, f"free at least {least / 2**30:.0f} GiB")
    return Finding("disk", name, value)
