"""MkDocs hooks: reference pages for every public module, formulas as MathML, and no resource from the network.

Each failure is a warning of MkDocs, so that ``mkdocs build --strict`` stops at it.
"""

from __future__ import annotations

import html
import logging
import re
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from rates import fit_rate
from rates.synthetic import FULL, Setting, horizons, synthetic
from verify.report.figures import rate_figure
from verify.report.mathml import mathml

log = logging.getLogger("mkdocs.hooks.lemmata")

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("mdp", "algorithms", "rates", "verify")
PAPERS = tuple(
    f"verify.{path.parent.name}"
    for path in sorted(ROOT.glob("verify/*/__init__.py"))
    if "LEDGER" in path.read_text(encoding="utf-8")
)
"""Packages whose modules are statements; they get sections of their own."""

LOADED = re.compile(
    r"<(?:script|img|iframe|source|video|audio|embed|use)\b[^>]*?\b(?:src|srcset|data|href)=[\"']?((?:https?:)?//[^\"'\s>]+)"
    r"|<link\b(?![^>]*rel=[\"']?canonical)[^>]*?\bhref=[\"']?((?:https?:)?//[^\"'\s>]+)",
    re.IGNORECASE,
)
"""What a browser fetches by itself from another host; links that a reader follows are not in it."""

EXAMPLE_FIGURE = "assets/example-rate.svg"

CSS_LOADED = re.compile(r"(?:url\(\s*|@import\s+)[\"']?((?:https?:)?//[^\"')\s]+)", re.IGNORECASE)
"""The same in a style sheet."""


def public_modules(package: str) -> list[str]:
    """Dotted names of the public modules of a package, the package itself first.

    Args:
        package: name of a top-level package.
    """
    names = []
    for path in sorted((ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[-1] == "__init__":
            parts = parts[:-1]
        if not any(part.startswith("_") for part in parts) and "templates" not in parts:
            names.append(".".join(parts))
    return sorted(names)


def _of_paper(module: str) -> str | None:
    return next((p for p in PAPERS if module == p or module.startswith(f"{p}.")), None)


def source_of(module: str) -> str:
    """Page of a module.

    Args:
        module: dotted name.
    """
    return f"reference/{module.replace('.', '/')}.md"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Append the reference to the navigation.

    Args:
        config: of the site.
    """
    sections: list[dict[str, Any]] = []
    for package in PACKAGES:
        modules = [m for m in public_modules(package) if not _of_paper(m)]
        sections.append({package: [{m: source_of(m)} for m in modules]})
    for paper in PAPERS:
        modules = [m for m in public_modules("verify") if _of_paper(m) == paper]
        sections.append({f"Statements of {paper.split('.')[1]}": [{m: source_of(m)} for m in modules]})
    config.nav = [*(config.nav or []), {"Reference": sections}]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add one generated page per public module.

    Args:
        files: of the site.
        config: of the site.
    """
    files.append(File.generated(config, EXAMPLE_FIGURE, content=example_figure()))
    for package in PACKAGES:
        for module in public_modules(package):
            files.append(File.generated(config, source_of(module), content=f"::: {module}\n"))
    return files


def example_figure() -> str:
    """The figure that `explanation/figures.md` explains, as SVG text: synthetic data, drawn as in the report."""
    settings = Setting("log-normal", 0.2, FULL, floor=0.05)
    values, counts = synthetic(settings, 1, np.random.default_rng(1))
    present = np.arange(values.shape[2]) < counts[:, None]
    data = xr.Dataset(
        {"error": (("horizon", "seed"), np.where(present, values[0], np.nan))},
        coords={"horizon": horizons(), "n_seeds": ("horizon", counts)},
    )
    return rate_figure(fit_rate(data, "error", claimed=0.4, floor=settings.floor)).svg


def on_page_content(content: str, page: Any, **kwargs: Any) -> str:
    """Formulas as MathML, in place of the marks that a script would have to render.

    Args:
        content: HTML of the page.
        page: for the message.
        **kwargs: not used.
    """

    def rendered(match: re.Match[str]) -> str:
        latex = html.unescape(match["latex"])
        block = match["open"] == r"\["
        found = mathml(latex, "block" if block else "inline")
        if found is None:
            log.warning("%s: a formula cannot be shown as MathML: %s", page.file.src_uri, latex)
            return f"<code>{match['latex']}</code>"
        return f'<div class="formula">{found}</div>' if block else str(found)

    pattern = r"<(?P<tag>div|span) class=\"arithmatex\">(?P<open>\\[\[(])(?P<latex>.*?)\\[\])]</(?P=tag)>"
    return re.sub(pattern, rendered, content, flags=re.DOTALL)


def remote_resources(text: str, *, css: bool = False) -> list[str]:
    """Addresses on other hosts that a browser would load by itself.

    Args:
        text: of a page or a style sheet.
        css: which of them it is.
    """
    found = CSS_LOADED.findall(text) if css else [a or b for a, b in LOADED.findall(text)]
    return sorted(set(found))


def on_post_build(config: MkDocsConfig) -> None:
    """Look through the built pages for anything that comes from the network.

    Args:
        config: of the site.
    """
    site = Path(config.site_dir)
    for path in sorted(site.rglob("*")):
        if path.suffix in (".html", ".css"):
            for address in remote_resources(path.read_text(encoding="utf-8"), css=path.suffix == ".css"):
                log.warning("%s loads %s", path.relative_to(site), address)
