"""Figures from folders that `lemmata experiment NAME --out DIR` wrote: ``X.svg``, ``X.csv``, and words in ``X.json``.

The folder may come from anywhere, so a picture that could act (a script, an event, an address outside itself) is an
error, and everything else is shown as text.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from verify.report.experiment_data import ExperimentFigure
from verify.report.figures import Figure

LARGEST = 20_000_000
"""Bytes of a picture or table above which it is not taken; ours."""

FORBIDDEN = {"script", "foreignobject", "iframe", "object", "embed", "handler", "listener", "animate", "set"}
"""Elements of SVG that act."""

PIXELS = {"px": 1.0, "": 1.0, "pt": 96 / 72, "in": 96.0, "cm": 96 / 2.54, "mm": 96 / 25.4}
"""CSS pixels per unit of length."""


class FolderError(ValueError):
    """A folder of an experiment that cannot be shown; the message names the file and what is wrong."""


def read_folder(folder: Path) -> Iterator[tuple[str, ExperimentFigure]]:
    """Figures of a folder by the name of their files, in alphabetical order.

    Args:
        folder: written by ``lemmata experiment NAME --out``.

    Yields:
        Name without ending, and the figure.

    Raises:
        FolderError: no such folder, no figure in it, a picture without data, or one that is no plain SVG.
    """
    if not folder.is_dir():
        raise FolderError(f"{folder} is not a folder; `lemmata experiment NAME --out DIR` makes one")
    pictures = sorted(folder.glob("*.svg"))
    if not pictures:
        raise FolderError(f"{folder} has no .svg; was it written by `lemmata experiment NAME --out`?")
    for path in pictures:
        yield path.stem, _figure(path)


def _figure(path: Path) -> ExperimentFigure:
    svg = _text(path)
    width, height = _plain(path, svg)
    table = path.with_suffix(".csv")
    if not table.is_file():
        raise FolderError(f"{path}: there is no {table.name} beside it; every figure needs its data")
    data = _text(table)
    words = _words(path.with_suffix(".json"))
    name = words.get("title") or path.stem.replace("-", " ").replace("_", " ")
    alt = words.get("alt") or _description(path.stem, data)
    return ExperimentFigure(name, Figure(svg, data, alt, words.get("caption", ""), width, height))


def _text(path: Path) -> str:
    if path.stat().st_size > LARGEST:
        raise FolderError(f"{path} has {path.stat().st_size:,} bytes; at most {LARGEST:,} are taken")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise FolderError(f"{path} is not UTF-8: {error.reason} at byte {error.start}") from None


def _words(path: Path) -> dict[str, str]:
    """Title, caption and description of a figure; what is missing or no text is left out."""
    if not path.is_file():
        return {}
    try:
        found = json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise FolderError(f"{path} is not JSON: {error}") from None
    if not isinstance(found, dict):
        return {}
    return {name: found[name] for name in ("title", "caption", "alt") if isinstance(found.get(name), str)}


def _plain(path: Path, svg: str) -> tuple[int, int]:
    """Width and height in CSS pixels of a picture that does not act."""
    if found := re.search(r"<!ENTITY|<\?xml-stylesheet|@import|url\(\s*['\"]?(?!#|['\"]?#)", svg, re.IGNORECASE):
        raise FolderError(f"{path} holds {found[0]}; only plain SVG that needs no other file is taken")
    try:
        root = ElementTree.fromstring(svg)
    except ElementTree.ParseError as error:
        raise FolderError(f"{path} is not XML: {error}") from None
    if _local(root.tag) != "svg":
        raise FolderError(f"{path} is <{_local(root.tag)}>, not <svg>")
    for node in root.iter():
        if _local(node.tag) in FORBIDDEN:
            raise FolderError(f"{path} holds <{_local(node.tag)}>; only plain SVG is taken")
        for name, value in node.attrib.items():
            address = _local(name) == "href" and not value.startswith(("#", "data:image/png;base64,"))
            if _local(name).startswith("on") or address:
                raise FolderError(f"{path}: <{_local(node.tag)}> has {_local(name)}; only plain SVG is taken")
    return _size(root)


def _size(root: ElementTree.Element) -> tuple[int, int]:
    lengths = [re.fullmatch(r"([\d.]+)\s*(px|pt|in|cm|mm|)", root.get(side, "")) for side in ("width", "height")]
    if all(lengths):
        width, height = (float(found[1]) * PIXELS[found[2]] for found in lengths if found)
    else:
        box = re.findall(r"[-+.\deE]+", root.get("viewBox", ""))
        width, height = (float(box[2]), float(box[3])) if len(box) == 4 else (640.0, 480.0)
    return max(1, round(width)), max(1, round(height))


def _description(stem: str, data: str) -> str:
    """A stand-in where the folder has no words: what the table has."""
    rows = list(csv.reader(data.splitlines()))
    columns = ", ".join(rows[0]) if rows else "nothing"
    return f"Figure {stem} without a description; its data has {max(len(rows) - 1, 0):,} rows of {columns}."


def _local(name: str) -> str:
    return name.rsplit("}", 1)[-1].lower()
