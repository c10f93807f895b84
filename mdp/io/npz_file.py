"""npz files of MDPs and problems: doubles as they are, no pickle, sizes checked before anything is allocated.

Keys are ``format``, ``schema``, ``kind``, ``name`` and ``section.key`` for the sections of
`mdp.io.schema.SECTIONS`; ``policy.psi`` is stored as ``policy.psi.0``, ``policy.psi.1``, ... A
`mdp.large.SparseMDP` has kind ``sparse_mdp``; its kernel is stored as ``mdp.P.data``, ``mdp.P.indices`` and
``mdp.P.indptr``. Members are stored, not compressed: then the size that an array's header declares can be compared
with the bytes that are really there.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from scipy.sparse import csr_array

from mdp.io.errors import FormatError, built, shown
from mdp.io.schema import (
    FORMAT,
    KINDS,
    SCHEMA_VERSION,
    SECTIONS,
    Parts,
    Rule,
    object_of,
    parts_of,
    replace_file,
    require_header,
    require_keys,
)
from mdp.large import SparseMDP
from mdp.model import FiniteMDP
from mdp.problem import Problem

CSR_KEYS = ("data", "indices", "indptr")
"""Parts of a sparse kernel, as scipy names them."""

SPARSE_KIND = "sparse_mdp"
SPARSE_KEYS: dict[str, Rule] = {"r": 3, "initial": 1, "gamma": 0, "n_actions": "integers"}
"""Keys of a sparse MDP's file besides the kernel."""

MAX_TEXT = 1000
"""Longest text member, in characters; ours: names are short, and what is not cannot fill memory."""


@dataclass(frozen=True)
class _Member:
    shape: tuple[int, ...]
    dtype: np.dtype


def write_npz(path: str | Path, item: FiniteMDP | SparseMDP | Problem) -> None:
    """Write an MDP or a problem (log-linear policy) as npz.

    Args:
        path: file to write; replaced at once, never half written. No suffix is added.
        item: what to write.

    Raises:
        TypeError: the object has no stored form (another policy class; exact rationals go to JSON or DRN).
    """
    if isinstance(item, SparseMDP):
        kind, name = SPARSE_KIND, item.name
        arrays = {f"mdp.{key}": np.asarray(getattr(item, key)) for key in SPARSE_KEYS}
        arrays |= {f"mdp.P.{key}": getattr(item.P, key) for key in CSR_KEYS}
    elif isinstance(item, (FiniteMDP, Problem)):
        kind, name, parts = parts_of(item)
        flat = {f"{section}.{key}": value for section, keys in parts.items() for key, value in keys.items()}
        psi = flat.pop("policy.psi", ())
        arrays = {key: np.asarray(value) for key, value in flat.items()}
        arrays |= {f"policy.psi.{i}": table for i, table in enumerate(psi)}
    else:
        raise TypeError(f"npz holds doubles: a {type(item).__name__} has no npz form")
    header: dict[str, Any] = {"format": FORMAT, "schema": SCHEMA_VERSION, "kind": kind, "name": name}
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **header, **arrays)
    replace_file(path, buffer.getvalue())


def read_npz(path: str | Path) -> FiniteMDP | SparseMDP | Problem:
    """Read an MDP or a problem; nothing is allocated before every declared size was compared with the file.

    Args:
        path: file to read.

    Raises:
        FormatError: not an npz file or a truncated one, compressed members, a header that declares more (or
            fewer) bytes than the member has, another dtype or number of dimensions, NaN, missing or
            unexpected keys, or data that `mdp` refuses; the message names file, key and entry.
        OSError: the file cannot be read.
    """
    with open(path, "rb") as stream:
        members = _inspect(str(path), stream)
        stream.seek(0)
        try:
            with np.load(stream, allow_pickle=False) as archive:
                return _read(str(path), members, archive.__getitem__)
        except FormatError:
            raise
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError) as error:
            raise FormatError(f"{path}: damaged: {error}") from error


def _inspect(path: str, stream: BinaryIO) -> dict[str, _Member]:
    size = stream.seek(0, io.SEEK_END)
    try:
        with zipfile.ZipFile(stream) as archive:
            members: dict[str, _Member] = {}
            for info in archive.infolist():
                where = f"{path}: {shown(info.filename)}"
                if not info.filename.endswith(".npy") or info.filename[:-4] in members:
                    raise FormatError(f"{where} is {'repeated' if info.filename.endswith('.npy') else 'no array'}")
                members[info.filename[:-4]] = _inspect_member(where, archive, info, size)
            return members
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        raise FormatError(f"{path}: not an npz file, or a truncated or damaged one: {error}") from error


def _inspect_member(where: str, archive: zipfile.ZipFile, info: zipfile.ZipInfo, size: int) -> _Member:
    if info.compress_type != zipfile.ZIP_STORED:
        raise FormatError(f"{where} is compressed; its size cannot be checked: save with numpy.savez")
    if info.file_size != info.compress_size or info.header_offset + info.file_size > size:
        raise FormatError(f"{where} declares {info.file_size} bytes; the whole file has {size}")
    with archive.open(info) as member:
        try:
            version = npy.read_magic(member)
            if version not in ((1, 0), (2, 0)):
                raise ValueError(f"npy version {version} is not one of plain arrays")
            read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, _, dtype = read(member)
        except ValueError as error:
            raise FormatError(f"{where}: {error}") from error
        header = member.tell()
    if dtype.hasobject or any(k < 0 for k in shape):
        raise FormatError(f"{where} has dtype {dtype} and shape {shape}; objects are pickled, and not read")
    declared = prod(shape) * dtype.itemsize
    if declared != info.file_size - header:
        raise FormatError(
            f"{where} declares shape {shape} of {dtype}, {declared} bytes, but has {info.file_size - header} bytes"
        )
    return _Member(shape, dtype)


def _read(path: str, members: dict[str, _Member], load: Callable[[str], np.ndarray]) -> Any:
    def text(key: str) -> str:
        return str(load(_expect(path, members, key, None, 0)))

    def value(full: str, rule: Rule) -> Any:
        if rule == "text":
            return text(full)
        if not isinstance(rule, int):
            ndim = 1 if rule == "integers" else 0
            return load(_expect(path, members, full, np.dtype(np.int64), ndim)).tolist()
        array = load(_expect(path, members, full, np.dtype(float), rule))
        return array if rule else float(array)

    header = {key: text(key) if key in members else None for key in ("format", "kind")}
    schema = value("schema", "integer") if "schema" in members else None
    kind = require_header(path, header | {"schema": schema}, {*KINDS, SPARSE_KIND})
    agents = sum(1 for key in members if re.fullmatch(r"policy\.psi\.\d{1,6}", key))
    require_keys(path, members, {"format", "schema", "kind", "name"} | _stored_keys(kind, agents))
    if kind == SPARSE_KIND:
        fields = {key: value(f"mdp.{key}", rule) for key, rule in SPARSE_KEYS.items()}
        csr = [load(_expect(path, members, f"mdp.P.{key}", None, 1)) for key in CSR_KEYS]
        kernel = _sparse_kernel(path, csr, len(fields["initial"]))
        return built(f"{path}: mdp", SparseMDP, P=kernel, name=text("name"), **fields)
    parts: Parts = {}
    for section in KINDS[kind]:
        rules = SECTIONS[section]
        parts[section] = {key: value(f"{section}.{key}", rule) for key, rule in rules.items() if key != "psi"}
        if "psi" in rules:
            parts[section]["psi"] = [value(f"policy.psi.{i}", 3) for i in range(agents)]
    return object_of(path, kind, text("name"), parts)


def _stored_keys(kind: str, agents: int) -> set[str]:
    if kind == SPARSE_KIND:
        return {f"mdp.{key}" for key in SPARSE_KEYS} | {f"mdp.P.{key}" for key in CSR_KEYS}
    keys = {f"{section}.{key}" for section in KINDS[kind] for key in SECTIONS[section]}
    if "policy.psi" in keys:
        keys = keys - {"policy.psi"} | {f"policy.psi.{i}" for i in range(max(agents, 1))}
    return keys


def _expect(path: str, members: dict[str, _Member], key: str, dtype: np.dtype | None, ndim: int) -> str:
    if key not in members:
        raise FormatError(f"{path}: key {key!r} is missing")
    member = members[key]
    if len(member.shape) != ndim:
        raise FormatError(f"{path}: {key} has shape {member.shape}; it has {ndim} dimensions")
    if dtype is not None and member.dtype != dtype:
        raise FormatError(f"{path}: {key} has dtype {member.dtype}, not {dtype}")
    if dtype is None and ndim == 0 and (member.dtype.kind != "U" or member.dtype.itemsize > 4 * MAX_TEXT):
        raise FormatError(f"{path}: {key} has dtype {member.dtype}, not a text of at most {MAX_TEXT} characters")
    return key


def _sparse_kernel(path: str, csr: list[np.ndarray], S: int) -> csr_array:
    data, indices, indptr = csr
    where = f"{path}: mdp.P"
    if data.dtype != float or indices.dtype.kind != "i" or indptr.dtype.kind != "i":
        raise FormatError(f"{where} has dtypes {data.dtype}, {indices.dtype}, {indptr.dtype}, not double and integers")
    steps = np.diff(indptr)
    if len(indptr) < 2 or indptr[0] != 0 or (steps < 0).any() or indptr[-1] != len(data) or len(indices) != len(data):
        raise FormatError(f"{where}.indptr does not rise from 0 to the {len(data)} stored entries")
    if indices.size and (indices.min() < 0 or indices.max() >= S):
        raise FormatError(f"{where}.indices leaves 0..{S - 1}, the states of mdp.initial")
    return csr_array((data, indices, indptr), shape=(len(steps), S))
