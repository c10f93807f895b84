"""Sweeps in a folder: the same bits as in memory, resuming, damage, other configurations, full disks."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from rates import atomic, claims
from rates.atomic import DamagedFileError, replacing, seal, target_of, unseal
from rates.cells import cut
from rates.store import FolderStore
from rates.sweep import SweepConfigurationError, SweepVersionWarning, SweepWriteError, load, plan, save, sweep

GRID, COUNTS = [10, 100, 1000], [4, 4, 2]
N_CELLS = sum(COUNTS)


def noisy(scale: float, horizon: int, seed: np.random.SeedSequence) -> dict[str, float]:
    x = np.random.default_rng(seed).standard_normal()
    odd = {"nan": float("nan"), "inf": -float("inf"), "zero": -0.0, "tiny": 5e-324}
    return {"value": scale * x / horizon} | odd


def never(scale: float, horizon: int, seed: np.random.SeedSequence) -> dict[str, float]:
    raise AssertionError("a cell ran")


never.__qualname__, never.__module__ = noisy.__qualname__, noisy.__module__  # the same run, as a folder sees it

RUN = partial(noisy, 2.0)


def fill(out: Path | None, **changes: Any) -> xr.Dataset:
    arguments: dict[str, Any] = {"run": RUN, "horizons": GRID, "n_seeds": COUNTS, "seed": 7} | changes
    return sweep(arguments.pop("run"), arguments.pop("horizons"), arguments.pop("n_seeds"), out=out, **arguments)


def bits(dataset: xr.Dataset) -> dict[str, bytes]:
    return {str(name): dataset[name].values.tobytes() for name in dataset.variables}


def cell_bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "cells").iterdir())}


def altered(path: Path, position: int, mask: int = 1) -> None:
    raw = bytearray(path.read_bytes())
    raw[position] ^= mask
    path.write_bytes(raw)


def test_a_folder_gives_the_bits_of_memory(tmp_path: Path) -> None:
    memory, folder = fill(None), fill(tmp_path / "a")
    assert bits(memory) == bits(folder)
    assert bits(memory) != bits(fill(None, seed=8))
    assert bits(fill(tmp_path / "a", run=partial(never, 2.0))) == bits(memory), "a finished sweep runs nothing"
    assert folder.attrs["root_seed"] == 7
    assert json.loads(folder.attrs["configuration"])["run"]["arguments"] == [2.0]


def test_unequal_seed_counts_are_marked(tmp_path: Path) -> None:
    data = fill(tmp_path)
    assert data["n_seeds"].values.tolist() == COUNTS
    assert np.isnan(data["value"].values).tolist() == [[k >= n for k in range(4)] for n in COUNTS]
    assert data.identical(fill(tmp_path, n_seeds=dict(zip(GRID, COUNTS, strict=True))))
    full = fill(None, n_seeds=4)
    np.testing.assert_array_equal(full["value"][:2], data["value"][:2])
    np.testing.assert_array_equal(full["value"][2, :2], data["value"][2, :2])


@pytest.mark.parametrize("block", [1, 3, 100])
def test_blocks_cut_the_work_and_change_nothing(tmp_path: Path, block: int) -> None:
    assert bits(fill(tmp_path, block=block)) == bits(fill(None))
    cells = cut(GRID, COUNTS, block)
    assert sorted(cell_bytes(tmp_path)) == sorted(cell.name for cell in cells)
    seen = [(cell.horizon, k) for cell in cells for k in range(cell.first, cell.first + cell.count)]
    assert sorted(seen) == [(T, k) for T, n in zip(GRID, COUNTS, strict=True) for k in range(n)]


def test_equal_sweeps_give_equal_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save(fill(tmp_path / name), tmp_path / f"{name}.nc")
    assert cell_bytes(tmp_path / "a") == cell_bytes(tmp_path / "b")
    assert (tmp_path / "a.nc").read_bytes() == (tmp_path / "b.nc").read_bytes()
    assert load(tmp_path / "a.nc").equals(fill(None))
    assert cell_bytes(tmp_path / "a") != (fill(tmp_path / "c", seed=8), cell_bytes(tmp_path / "c"))[1]


# --- damage -------------------------------------------------------------------------------------------------


def test_every_altered_byte_and_every_truncation_is_found() -> None:
    content = {"values": [0.1, -0.0, "nan"], "text": "aA"}
    raw = seal(content)
    assert unseal(raw) == content == json.loads(raw)["content"]
    for k in range(len(raw)):
        for mask in (1, 32, 128):  # 32 changes only the case of a letter
            with pytest.raises(DamagedFileError):
                unseal(raw[:k] + bytes([raw[k] ^ mask]) + raw[k + 1 :])
        with pytest.raises(DamagedFileError):
            unseal(raw[:k])
    with pytest.raises(DamagedFileError):
        unseal(raw + b"\n")


def test_damaged_cells_are_computed_again_and_no_others(tmp_path: Path) -> None:
    whole = fill(tmp_path)
    before = cell_bytes(tmp_path)
    first, second, third, fourth = sorted((tmp_path / "cells").iterdir())[:4]
    first.write_bytes(first.read_bytes()[:-40])
    altered(second, -30)
    third.write_bytes(fourth.read_bytes())  # whole, but another cell
    fourth.write_bytes(b"")
    assert plan(RUN, GRID, COUNTS, seed=7, out=tmp_path).damaged == 4
    computed, damaged = [], []
    again = fill(tmp_path, on_cell=lambda: computed.append(1), on_progress=lambda now: damaged.append(now.damaged))
    assert (len(computed), damaged[0]) == (4, 4)
    assert again.identical(whole)
    assert cell_bytes(tmp_path) == before


def test_a_damaged_manifest_is_restored(tmp_path: Path) -> None:
    fill(tmp_path)
    manifest = tmp_path / "manifest.json"
    before = manifest.read_bytes()
    altered(manifest, 120)
    with pytest.raises(SweepConfigurationError, match="root_seed: stored 7, requested 8"):
        fill(tmp_path, seed=8)
    fill(tmp_path, run=partial(never, 2.0))
    assert manifest.read_bytes() == before


# --- configuration ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 8}, "root_seed: stored 7, requested 8"),
        ({"n_seeds": 4}, r"n_seeds: stored \[4, 4, 2\], requested \[4, 4, 4\]"),
        ({"horizons": [10, 100, 2000]}, r"horizons: stored \[10, 100, 1000\], requested \[10, 100, 2000\]"),
        ({"block": 2}, "block: stored 1, requested 2"),
        ({"run": partial(never, 3.0)}, r"run.arguments: stored \[2.0\], requested \[3.0\]"),
        ({"config": {"step": 0.5}}, r"config.step: stored \(absent\), requested 0.5"),
    ],
    ids=["seed", "counts", "horizons", "block", "run", "config"],
)
def test_another_configuration_is_an_error_that_shows_the_difference(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    whole = fill(tmp_path)
    with pytest.raises(SweepConfigurationError, match=message):
        fill(tmp_path, **{"run": partial(never, 2.0)} | changes)
    assert fill(tmp_path).identical(whole)


def test_other_versions_are_a_warning_and_are_recorded(tmp_path: Path) -> None:
    fill(tmp_path)
    for path in [tmp_path / "manifest.json", sorted((tmp_path / "cells").iterdir())[0]]:
        content = unseal(path.read_bytes())
        content["versions"]["numpy"] = "1.0"
        path.write_bytes(seal(content))
    with pytest.warns(SweepVersionWarning, match=r"versions: numpy: stored 1.0, requested"):
        data = fill(tmp_path, run=partial(never, 2.0))
    assert {found["numpy"] for found in json.loads(data.attrs["versions"])} == {"1.0", np.__version__}


@pytest.mark.parametrize("hidden", [lambda T, seed: {"x": 1.0}, partial(lambda T, seed: {"x": 1.0})])
def test_a_run_that_cannot_be_described_needs_a_config(tmp_path: Path, hidden: Any) -> None:
    with pytest.raises(ValueError, match=r"parameters cannot be read; use functools\.partial"):
        sweep(hidden, [10], 1, out=tmp_path)
    sweep(hidden, [10], 1, out=tmp_path, config={"x": 1.0})


def test_wrong_folders_are_errors_before_any_cell(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="file, which is a file"):
        fill(tmp_path / "file", run=partial(never, 2.0))
    with pytest.raises(SweepWriteError, match=r"cannot write into .*file/below"):
        fill(tmp_path / "file" / "below", run=partial(never, 2.0))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_an_error_before_any_cell(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(SweepWriteError, match="cannot write into"):
        fill(tmp_path / "below", run=partial(never, 2.0))


# --- full disk ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_keeps_what_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    real, calls = getattr(os, call), []

    def full(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) > 9:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(atomic.os, call, full)
        with pytest.raises(SweepWriteError, match=r"No space left on device; \d finished cells are kept") as e:
            fill(tmp_path)
    assert e.value.errno == errno.ENOSPC
    assert 0 < len(cell_bytes(tmp_path)) < N_CELLS
    assert not list(tmp_path.rglob("*.tmp"))
    computed: list[int] = []
    kept = len(cell_bytes(tmp_path))
    assert bits(fill(tmp_path, on_cell=lambda: computed.append(1))) == bits(fill(None))
    assert len(computed) == N_CELLS - kept


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 kB: room for the manifest and a few cells of one page each."""
    disk = tmp_path / "disk"
    disk.mkdir()
    try:
        mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24k", "tmpfs", str(disk)], capture_output=True)
    except FileNotFoundError:
        pytest.skip("no mount command")
    if mount.returncode:
        pytest.skip("mounting needs root")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_disk_that_is_really_full(tiny_disk: Path) -> None:
    with pytest.raises(SweepWriteError, match="No space left on device"):
        fill(tiny_disk)
    kept = cell_bytes(tiny_disk)
    assert 0 < len(kept) < N_CELLS
    assert not list(tiny_disk.rglob("*.tmp"))
    for raw in kept.values():
        unseal(raw)
    subprocess.run(["mount", "-o", "remount,size=1m", str(tiny_disk)], check=True)
    assert bits(fill(tiny_disk)) == bits(fill(None))


# --- temporary files and claims -----------------------------------------------------------------------------

HOLDER = """
import sys, time
from pathlib import Path
from rates.claims import Claims
assert Claims(Path(sys.argv[1])).take(0)
print("held", flush=True)
time.sleep(60)
"""


def test_leftovers_are_removed_when_their_writer_is_dead_and_not_before(tmp_path: Path) -> None:
    fill(tmp_path)
    cell = cut(GRID, COUNTS, 1)[0]
    leftover = tmp_path / "cells" / f".{cell.name}.1-0000.tmp"
    leftover.write_bytes(b"half")
    other = tmp_path / "cells" / ".notes.tmp"
    other.write_bytes(b"not ours")
    assert target_of(leftover) == cell.name
    assert target_of(other) != cell.name
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path / "claims.lock")], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    fill(tmp_path)
    assert leftover.exists(), "the process that has the claim may be writing it"
    holder.kill()
    holder.communicate()
    fill(tmp_path)
    assert not leftover.exists()
    assert other.exists()


def test_without_working_locks_cells_are_computed_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(*arguments: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(claims.fcntl, "lockf", unsupported)
    assert bits(fill(tmp_path)) == bits(fill(None))


def test_one_process_sweeps_into_a_folder_once_at_a_time(tmp_path: Path) -> None:
    store = FolderStore(tmp_path, {}, ())
    with pytest.raises(RuntimeError, match="already sweeping into"):
        FolderStore(tmp_path, {}, ())
    store.close()
    FolderStore(tmp_path, {}, ()).close()


def test_replacing_leaves_the_old_file_when_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def interrupted() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert (path.read_text(), os.listdir(tmp_path)) == ("old", ["file"])
    with replacing(path) as temporary:
        temporary.write_text("new")
    assert (path.read_text(), os.listdir(tmp_path)) == ("new", ["file"])
