"""Files that are either whole or absent, and that can tell when they were damaged.

A file is written beside its target under a hidden name, forced to the disk, and renamed over the target; a process
killed at any moment leaves the old file, the new one, or a hidden leftover, never half a file.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TEMPORARY = ".tmp"
"""Suffix of files being written; ``.<target>.<process>-<random>.tmp``."""

_HEAD, _MIDDLE, _TAIL = b'{"sha256":"', b'","content":', b"}\n"


class DamagedFileError(ValueError):
    """A sealed file whose bytes are not those that were written."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path in the same folder that becomes `path` when the block ends without an error.

    Args:
        path: target; replaced if it exists.

    Raises:
        OSError: the file cannot be written (disk full, folder gone); nothing is left behind then.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}{TEMPORARY}")
    try:
        yield temporary
        _sync(temporary)
        os.replace(temporary, path)
    except BaseException:  # an interrupt must not leave half a file either
        temporary.unlink(missing_ok=True)
        raise
    _sync(path.parent)  # the rename itself lives in the folder


def target_of(temporary: Path) -> str | None:
    """Name of the file that a leftover of `replacing` was to become; None for any other file.

    Args:
        temporary: a file found in a folder.
    """
    parts = temporary.name.removesuffix(TEMPORARY).rsplit(".", 1)
    if not temporary.name.endswith(TEMPORARY) or not temporary.name.startswith(".") or len(parts) != 2:
        return None
    return parts[0][1:] or None


def seal(content: Any) -> bytes:
    """Content as JSON with the SHA-256 of its bytes in front; equal contents give equal bytes.

    Args:
        content: what `json` can write; numbers must be finite.

    Raises:
        ValueError: a number is not finite.
    """
    body = json.dumps(content, allow_nan=False, separators=(",", ":")).encode()
    return _HEAD + hashlib.sha256(body).hexdigest().encode() + _MIDDLE + body + _TAIL


def unseal(raw: bytes) -> Any:
    """The content of sealed bytes.

    Args:
        raw: what a file holds.

    Raises:
        DamagedFileError: any byte differs from what `seal` wrote, or some are missing.
    """
    start = len(_HEAD) + 64 + len(_MIDDLE)
    body = raw[start : -len(_TAIL)]
    digest = hashlib.sha256(body).hexdigest().encode()
    if raw != _HEAD + digest + _MIDDLE + body + _TAIL:
        raise DamagedFileError("the checksum does not match the content")
    return json.loads(body)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
