"""Files: round trips bit for bit, exact numbers, and clear refusals of whatever is damaged or hostile."""

from __future__ import annotations

import io
import json
import tracemalloc
import zipfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flint import fmpq
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib import format as npy

from mdp import FiniteMDP, LogLinearPolicy, Problem, coordination_game, ring3
from mdp.families import random_problem, random_rational_point
from mdp.io import (
    FormatError,
    RationalMDP,
    parse_rational,
    read_drn,
    read_json,
    read_json_exact,
    read_npz,
    readable_rational,
    write_drn,
    write_json,
    write_npz,
)
from mdp.io.exact_text import _simplest_between
from mdp.io.schema import parts_of
from mdp.linear import to_float
from mdp.optimal import J_star
from mdp.testing import problems, rational_mdps

THIRD = RationalMDP(
    P=[[[Fraction(1, 3), Fraction(2, 3)]], [[1, 0]]], r=[[[Fraction(-1, 7)], [2]]], initial=[Fraction(1, 2)] * 2,
    gamma=Fraction(9, 10), n_actions=(1,), name='a "name"\n<b>', labels={"goal": (1,), "two words": (0, 1)},
)


def same_mdp(left: FiniteMDP, right: FiniteMDP) -> bool:
    """Every array, bit for bit."""
    arrays = all((getattr(left, key) == getattr(right, key)).all() for key in ("P", "r", "initial"))
    return arrays and all(getattr(left, key) == getattr(right, key)
                          for key in ("gamma", "n_actions", "reward_noise", "name"))


def same_problem(left: Problem, right: Problem) -> bool:
    """Every array of every part, bit for bit."""
    assert isinstance(left.policy, LogLinearPolicy)
    assert isinstance(right.policy, LogLinearPolicy)
    pairs = [
        (left.features.phi_state, right.features.phi_state), (left.features.phi_joint, right.features.phi_joint),
        (left.schedule.matrices, right.schedule.matrices), *zip(left.policy.psi, right.policy.psi, strict=True),
    ]
    scalars = (left.policy.n_shared, left.features.norm_bound, left.name) == (
        right.policy.n_shared, right.features.norm_bound, right.name)
    return same_mdp(left.mdp, right.mdp) and scalars and all((a == b).all() for a, b in pairs)


def as_rational_json(path: Path, item: Any) -> None:
    """JSON with p/q strings."""
    write_json(path, item, numbers="rational")


# --- numbers --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("text", "value"), [
    ("1/3", Fraction(1, 3)), ("-2/4", Fraction(-1, 2)), ("0.1", Fraction(1, 10)), ("1e-3", Fraction(1, 1000)),
    ("+.5", Fraction(1, 2)), ("7", Fraction(7)), ("2.", Fraction(2)),
])
def test_numbers_are_read_exactly(text: str, value: Fraction) -> None:
    assert parse_rational(text) == value


@pytest.mark.parametrize("text", [
    "", "1/0", "nan", "inf", "-Infinity", "1/2/3", "0x10", "1_000", "1e99999999999", "9" * 3000, "1.5/2", "\u0663",
    " 1", "1\n",
], ids=ascii)
def test_other_text_is_no_number(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a number|zero denominator|exponent beyond|at most 2000"):
        parse_rational(text)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_readable_rationals_round_back(value: float) -> None:
    assert float(readable_rational(value)) == value


@given(st.integers(-10**6, 10**6), st.integers(1, 10**6))
def test_readable_rationals_recover_small_fractions(p: int, q: int) -> None:
    assert readable_rational(p / q) == Fraction(p, q)


def test_readable_rational_is_the_simplest() -> None:
    """By brute force over denominators, on numbers that are no small fractions."""
    for value in (0.3, 2.718281828, 1e-3 + 1e-9, 123.456, 0.30000000000000004):
        found = readable_rational(value)
        assert all(round(value * q) / q != value for q in range(1, min(found.denominator, 20_000)))


@given(st.fractions(0, 3, max_denominator=40), st.fractions(0, 3, max_denominator=40))
def test_simplest_fraction_between_two_by_brute_force(one: Fraction, other: Fraction) -> None:
    low, high = sorted((one, other))
    if low < high:
        found = _simplest_between(low, high)
        assert low < found < high
        assert not any(low < Fraction(p, q) < high for q in range(1, found.denominator) for p in range(3 * q + 1))


def test_simplest_fraction_above_an_integer() -> None:
    assert _simplest_between(Fraction(2), Fraction(9, 4)) == Fraction(11, 5)


# --- round trips ------------------------------------------------------------------------------------------------
WRITERS: list[tuple[Callable[..., None], Callable[..., Any]]] = [
    (write_json, read_json), (as_rational_json, read_json), (write_npz, read_npz),
]


@pytest.mark.parametrize(("write", "read"), WRITERS, ids=["json", "json-rational", "npz"])
@pytest.mark.parametrize("build", [ring3, coordination_game, lambda: random_problem(np.random.default_rng(1))[0]],
                         ids=["ring3", "coordination", "random"])
def test_problem_round_trip(build: Any, write: Any, read: Any, tmp_path: Path) -> None:
    problem = build()
    write(tmp_path / "file", problem)
    assert same_problem(read(tmp_path / "file"), problem)
    write(tmp_path / "file", problem.mdp)
    back = read(tmp_path / "file")
    assert isinstance(back, FiniteMDP)
    assert same_mdp(back, problem.mdp)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]  # no temporary file is left


@given(problems())
@settings(max_examples=25, deadline=None)
def test_any_problem_survives_every_form(problem: Problem) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        for write, read in WRITERS:
            write(path, problem)
            assert same_problem(read(path), problem)
        write_drn(path, problem.mdp)
        assert same_mdp(read_drn(path).to_mdp(), problem.mdp)


@given(rational_mdps(chains="any"))
@settings(max_examples=40, deadline=None)
def test_exact_mdps_survive_json_and_drn_exactly(mdp: RationalMDP) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        for write, read in ((write_json, read_json_exact), (write_drn, read_drn)):
            path = Path(folder) / "file"
            write(path, mdp)
            back = read(path)
            for key in ("P", "r", "initial"):
                assert (getattr(back, key) == getattr(mdp, key)).all()
            assert (back.gamma, back.n_actions) == (mdp.gamma, mdp.n_actions)


@pytest.mark.parametrize(("write", "read"), [(write_json, read_json_exact), (write_drn, read_drn)], ids=["json", "drn"])
def test_a_third_stays_a_third(write: Any, read: Any, tmp_path: Path) -> None:
    write(tmp_path / "file", THIRD)
    back = read(tmp_path / "file")
    assert back.P[0, 0, 0] == fmpq(1, 3)
    assert (back.gamma, back.name, back.labels) == (fmpq(9, 10), THIRD.name, THIRD.labels)
    point = back.tabular_uniform()
    assert list(point.exact().stationary) == [fmpq(3, 5), fmpq(2, 5)]
    assert back.to_mdp().P[0, 0, 0] == 1 / 3
    assert J_star(back).V[1] == 2 + fmpq(9, 10) * J_star(back).V[0]


def test_large_and_mostly_zero_arrays_are_written_as_entries(tmp_path: Path) -> None:
    S = 120
    P = np.eye(S)[:, None, :]
    mdp = FiniteMDP(P, np.zeros((1, S, 1)), np.eye(S)[0], 0.5, (1,))
    write_json(tmp_path / "file", mdp)
    document = json.loads((tmp_path / "file").read_text())
    assert document["mdp"]["P"]["shape"] == [S, 1, S]
    assert len(document["mdp"]["P"]["entries"]) == S
    assert same_mdp(read_json(tmp_path / "file"), mdp)  # type: ignore[arg-type]
    assert (read_json_exact(tmp_path / "file").P[:, 0] == np.eye(S, dtype=int)).all()


def test_sparse_mdp_round_trip(tmp_path: Path) -> None:
    from scipy.sparse import csr_array

    from mdp.large import SparseMDP

    mdp, _ = random_problem(np.random.default_rng(3), n_agents=2)
    dense = mdp.mdp
    S = dense.n_states
    sparse = SparseMDP(csr_array(dense.P.reshape(-1, S)), dense.r, dense.initial, dense.gamma, dense.n_actions, "thin")
    write_npz(tmp_path / "file", sparse)
    back = read_npz(tmp_path / "file")
    assert isinstance(back, SparseMDP)
    assert (back.P.toarray() == sparse.P.toarray()).all()
    assert (back.r == sparse.r).all()
    assert (back.gamma, back.n_actions, back.name) == (sparse.gamma, sparse.n_actions, "thin")


def test_nearby_rationals_of_rounded_doubles() -> None:
    """ring3 is made of twelfths, up to rounding."""
    exact = RationalMDP.near(ring3().mdp)
    assert {x.q for x in exact.P.ravel()} <= {1, 2, 3, 4, 6, 12}
    assert np.abs(to_float(exact.P) - ring3().mdp.P).max() < 1e-15
    with pytest.raises(ValueError, match=r"P\[0, 0, 0\] is 0\.\d+, not near p/q with q at most 1000"):
        RationalMDP.near(random_problem(np.random.default_rng(0))[0].mdp)


def test_objects_without_a_stored_form_are_refused(tmp_path: Path) -> None:
    problem = ring3()

    class Other:
        n_states, n_actions, n_shared, n_parameters = 3, (3, 3, 3), 0, 1

    odd = Problem(problem.mdp, Other(), problem.features, problem.schedule)  # type: ignore[arg-type]
    for write in (write_json, write_npz):
        with pytest.raises(TypeError, match="policy of class Other has no stored form; LogLinearPolicy has"):
            write(tmp_path / "file", odd)
    with pytest.raises(TypeError, match="RationalMDP has no npz form"):
        write_npz(tmp_path / "file", THIRD)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="a Problem has no DRN form"):
        write_drn(tmp_path / "file", problem)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


# --- damaged JSON -------------------------------------------------------------------------------------------------
def document(**mdp: Any) -> dict[str, Any]:
    """A good file of kind mdp, with changes to its MDP."""
    good = {"P": [[["1/2", 0.5]], [[1, 0]]], "r": [[[1], [0]]], "initial": [1, 0], "gamma": 0.5, "n_actions": [1],
            "reward_noise": "none", "name": "x"}
    return {"format": "lemmata", "schema": 1, "kind": "mdp", "mdp": {**good, **mdp}}


def text(**mdp: Any) -> str:
    """The same as JSON text."""
    return json.dumps(document(**mdp))


BAD_JSON = {
    "truncated": (text()[:-20], r"not a JSON file, or a truncated one: .*line 1 column"),
    "binary": ("\udcff", r"not a JSON file"),
    "array": ("[]", r"the top level is not an object"),
    "format": (text().replace("lemmata", "other"), r"format is 'other', not 'lemmata'"),
    "schema": (text().replace('"schema": 1', '"schema": 2'), r"schema is 2; this version reads schema 1"),
    "kind": (text().replace('"kind": "mdp"', '"kind": "car"'), r"kind is 'car'"),
    "section": (
        text().replace('"kind": "mdp"', '"kind": "problem"'), r"keys 'features', 'policy', 'schedule' are missing"
    ),
    "missing": (text().replace('"gamma": 0.5, ', ""), r"mdp: key 'gamma' is missing"),
    "extra": (text(**{"<script>\x07": 1}), r"unexpected key '<script>\\x07'"),
    "repeated": (text().replace('"gamma": 0.5', '"gamma": 0.5, "gamma": 0.6'), r"key 'gamma' is repeated"),
    "nan": (text(gamma=float("nan")), r"NaN is not a finite number"),
    "huge number": (text().replace("0.5]]", "1e999]]"), r"P\[0, 0, 1\] is inf, not a finite number"),
    "huge exponent": (text(gamma="1e99999999999"), r"mdp.gamma: '1e99999999999' has an exponent beyond"),
    "word": (text(P=[[["1/2", "half"]], [[1, 0]]]), r"mdp.P\[0\]\[0\]\[1\]: 'half' is not a number"),
    "boolean": (text(P=[[[True, 0]], [[1, 0]]]), r"mdp.P\[0\]\[0\]\[0\] is True, not a number"),
    "zero denominator": (text(r=[[["1/0"], [0]]]), r"mdp.r\[0\]\[0\]\[0\]: '1/0' has a zero denominator"),
    "ragged": (text(P=[[[1, 0]], [[1]]]), r"mdp.P\[1\]\[0\] has 1 items where its first neighbour has 2: ragged"),
    "row": (text(P=[[["1/2", 0.6]], [[1, 0]]]), r"mdp: P\[0, 0\] sums to 1\.1, not 1"),
    "gamma": (text(gamma=1), r"mdp: gamma is 1; the discount factor lies in \[0, 1\)"),
    "actions": (text(n_actions=[1.5]), r"mdp.n_actions\[0\] is '1\.5', not an integer"),
    "shape": (text(n_actions=[2]), r"P has shape \(2, 1, 2\), not \(S, A, S\)"),
    "noise": (text(reward_noise="pink"), r"reward_noise is 'pink'"),
    "deep": ("[" * 200_000, r"nested too deeply"),
    "entries size": (text(P={"shape": [9**9, 9**9, 2], "entries": []}), r"declares \d+ entries; at most"),
    "entries index": (text(P={"shape": [2, 1, 2], "entries": [[0, 0, 2, 1]]}), r"P.entries\[0\]: index \[0, 0, 2\] is"),
    "entries repeated": (text(P={"shape": [2, 1, 2], "entries": [[0, 0, 1, 1]] * 2}), r"entries\[1\].* repeated"),
    "entries row": (text(P={"shape": [2, 1, 2], "entries": [[0, 0, 1, 1]]}), r"P\[1, 0\] sums to 0, not 1"),
}


def test_the_good_document_is_good(tmp_path: Path) -> None:
    (tmp_path / "file").write_text(text())
    assert read_json(tmp_path / "file").P[0, 0].tolist() == [0.5, 0.5]  # type: ignore[union-attr]


@pytest.mark.parametrize("name", BAD_JSON)
def test_bad_json_is_refused(name: str, tmp_path: Path) -> None:
    content, message = BAD_JSON[name]
    (tmp_path / "bad.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(FormatError, match=r"bad\.json: .*" + message):
        read_json(tmp_path / "bad.json")


# --- damaged npz --------------------------------------------------------------------------------------------------
def members() -> dict[str, Any]:
    """Arrays of a good npz file."""
    _, name, parts = parts_of(random_problem(np.random.default_rng(0), n_states=3, n_agents=2)[0].mdp)
    arrays = {f"mdp.{key}": np.asarray(value) for key, value in parts["mdp"].items()}
    header = {"format": "lemmata", "schema": 1, "kind": "mdp", "name": name}
    return {key: np.array(value) for key, value in header.items()} | arrays


def save(path: Path, arrays: dict[str, Any], raw: dict[str, bytes] | None = None) -> None:
    """An npz file of arrays, with some members given as raw bytes."""
    with zipfile.ZipFile(path, "w") as archive:
        for key, value in arrays.items():
            buffer = io.BytesIO()
            npy.write_array(buffer, np.asarray(value), allow_pickle=True)
            archive.writestr(f"{key}.npy", buffer.getvalue())
        for key, content in (raw or {}).items():
            archive.writestr(f"{key}.npy", content)


def header(shape: tuple[int, ...], descr: str = "<f8") -> bytes:
    """An npy header that declares `shape` and no data."""
    buffer = io.BytesIO()
    npy.write_array_header_1_0(buffer, {"descr": descr, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def without(key: str) -> dict[str, Any]:
    """The good members less one."""
    return {k: v for k, v in members().items() if k != key}


def test_the_good_members_are_good(tmp_path: Path) -> None:
    save(tmp_path / "file", members())
    assert read_npz(tmp_path / "file").n_states == 3  # type: ignore[union-attr]


def test_a_huge_declared_shape_is_refused_before_allocation(tmp_path: Path) -> None:
    """A few hundred bytes that declare 8 TB: refused with less than a megabyte of memory."""
    path = tmp_path / "huge.npz"
    save(path, without("mdp.P"), {"mdp.P": header((10**6, 1, 10**6)) + b"\0" * 64})
    tracemalloc.start()
    with pytest.raises(FormatError, match=r"'mdp\.P\.npy' declares shape \(1000000, 1, 1000000\) of float64"):
        read_npz(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


@pytest.mark.parametrize("shape", [(2**62, 2**62), (2**40,), (-1, 5)], ids=str)
def test_absurd_shapes_are_refused(shape: tuple[int, ...], tmp_path: Path) -> None:
    save(tmp_path / "bad.npz", without("mdp.P"), {"mdp.P": header(shape)})
    with pytest.raises(FormatError, match=r"bad\.npz: 'mdp\.P\.npy' (declares|has)"):
        read_npz(tmp_path / "bad.npz")


@pytest.mark.parametrize("keep", [0, 10, 200, 900, -1], ids=lambda k: f"keep{k}")
def test_truncated_npz_is_refused(keep: int, tmp_path: Path) -> None:
    write_npz(tmp_path / "good", ring3())
    (tmp_path / "cut.npz").write_bytes((tmp_path / "good").read_bytes()[:keep])
    with pytest.raises(FormatError, match=r"cut\.npz: not an npz file, or a truncated or damaged one"):
        read_npz(tmp_path / "cut.npz")


def test_flipped_bytes_are_noticed(tmp_path: Path) -> None:
    write_npz(tmp_path / "good", ring3())
    content = bytearray((tmp_path / "good").read_bytes())
    where = content.index(np.float64(0.75).tobytes())
    content[where + 2] ^= 1
    (tmp_path / "bad.npz").write_bytes(content)
    with pytest.raises(FormatError, match=r"bad\.npz: .*Bad CRC-32"):
        read_npz(tmp_path / "bad.npz")


def test_compressed_members_are_refused(tmp_path: Path) -> None:
    with open(tmp_path / "bad.npz", "wb") as stream:
        np.savez_compressed(stream, **members())
    with pytest.raises(FormatError, match=r"is compressed; its size cannot be checked: save with numpy\.savez"):
        read_npz(tmp_path / "bad.npz")


def nan_kernel() -> np.ndarray:
    """The good kernel with one NaN."""
    P = np.array(members()["mdp.P"])
    P[1, 2, 0] = np.nan
    return P


BAD_NPZ: dict[str, tuple[dict[str, Any], str]] = {
    "missing": (without("mdp.gamma"), r"key 'mdp\.gamma' is missing"),
    "extra": ({**members(), "other": 1.0}, r"unexpected key 'other'"),
    "format": (without("format"), r"format is None, not 'lemmata'"),
    "schema": ({**members(), "schema": np.array(7)}, r"schema is 7; this version reads schema 1"),
    "kind": ({**members(), "kind": np.array("car")}, r"kind is 'car'"),
    "float32": ({**members(), "mdp.P": members()["mdp.P"].astype("f4")}, r"mdp\.P has dtype float32, not float64"),
    "integers": ({**members(), "mdp.r": np.ones((2, 3, 4), int)}, r"mdp\.r has dtype int64, not float64"),
    "pickle": ({**members(), "mdp.P": np.array([{}], dtype=object)}, r"'mdp\.P\.npy' has dtype object .*not read"),
    "dimensions": ({**members(), "mdp.P": np.ones(3)}, r"mdp\.P has shape \(3,\); it has 3 dimensions"),
    "nan": ({**members(), "mdp.P": nan_kernel()}, r"mdp: P\[1, 2, 0\] is nan, not a finite number"),
    "text": ({**members(), "name": np.array("x" * 2000)}, r"name has dtype <U2000, not a text of at most 1000"),
    "number as text": ({**members(), "mdp.gamma": np.array("0.5")}, r"mdp\.gamma has dtype <U3, not float64"),
}


@pytest.mark.parametrize("name", BAD_NPZ)
def test_bad_npz_is_refused(name: str, tmp_path: Path) -> None:
    arrays, message = BAD_NPZ[name]
    save(tmp_path / "bad.npz", arrays)
    with pytest.raises(FormatError, match=r"bad\.npz: .*" + message):
        read_npz(tmp_path / "bad.npz")


@pytest.mark.parametrize(("key", "value", "message"), [
    ("indptr", np.array([0, 3, 2, 4]), "does not rise"), ("indices", np.array([0, 1, 9, 1]), r"leaves 0\.\.1"),
    ("data", np.ones(4, dtype="f4"), "dtypes float32"),
])
def test_bad_sparse_kernels_are_refused(key: str, value: np.ndarray, message: str, tmp_path: Path) -> None:
    good = {"data": np.full(4, 0.5), "indices": np.array([0, 1, 0, 1]), "indptr": np.array([0, 2, 4])}
    arrays = {"format": "lemmata", "schema": 1, "kind": "sparse_mdp", "name": "", "mdp.r": np.zeros((1, 2, 1)),
              "mdp.initial": np.ones(2) / 2, "mdp.gamma": 0.5, "mdp.n_actions": np.array([1])}
    kernel = {f"mdp.P.{k}": v for k, v in good.items()}
    save(tmp_path / "good", {**arrays, **kernel})
    read_npz(tmp_path / "good")
    save(tmp_path / "bad", {**arrays, **kernel, f"mdp.P.{key}": value})
    with pytest.raises(FormatError, match=message):
        read_npz(tmp_path / "bad")


def test_no_file_is_an_oserror(tmp_path: Path) -> None:
    for read in (read_json, read_npz, read_drn):
        with pytest.raises(FileNotFoundError):
            read(tmp_path / "absent")


# --- DRN ------------------------------------------------------------------------------------------------------------
DRN = """\
// Exported by somebody
@type: MDP
@value_type: rational
@parameters

@reward_models
time r1
@nr_states
2
@nr_choices
4
@model
state 0 [1, 0] init "a label" b
\taction go [0, 1/3]
\t\t0 : 1/3
\t\t1 : 2/3
\taction stay
\t\t0 : 1
state 1 [0, 0]
\taction stay [2, -1]
\t\t1 : 1
\taction go [0.1, 1e-2]
\t\t0 : 1
"""


def drn(tmp_path: Path, content: str) -> Path:
    """A DRN file."""
    path = tmp_path / "model.drn"
    path.write_text(content)
    return path


def test_drn_by_hand(tmp_path: Path) -> None:
    """State rewards are added to each action; actions are matched by name; gamma is the caller's."""
    mdp = read_drn(drn(tmp_path, DRN), gamma=Fraction(1, 2), rewards=["time"])
    assert mdp.P.tolist() == [[[fmpq(1, 3), fmpq(2, 3)], [1, 0]], [[1, 0], [0, 1]]]
    assert mdp.r.tolist() == [[[1, 1], [fmpq(1, 10), 2]]]
    assert read_drn(drn(tmp_path, DRN), gamma=0, rewards=["r1"]).r.tolist() == [[[fmpq(1, 3), 0], [fmpq(1, 100), -1]]]
    assert mdp.labels == {"a label": (0,), "b": (0,)}
    assert list(mdp.initial) == [1, 0]
    assert mdp.n_actions == (2,)


def test_drn_agents_and_rewards(tmp_path: Path) -> None:
    path = drn(tmp_path, DRN)
    two = read_drn(path, gamma=0, n_actions=(2, 1))
    assert two.r[1, 0, 0] == fmpq(1, 3)
    shared = read_drn(path, gamma=0, n_actions=(1, 2), rewards=["r1"])
    assert (shared.r[0] == shared.r[1]).all()
    with pytest.raises(FormatError, match=r"reward models .* for 1 agents; the file has .*time"):
        read_drn(path, gamma=0)
    with pytest.raises(FormatError, match=r"n_actions \(3,\) make 3 joint actions; states have 2"):
        read_drn(path, gamma=0, n_actions=(3,))
    with pytest.raises(FormatError, match=r"has no discount factor; pass gamma="):
        read_drn(path, rewards=["r1"])


def test_joint_actions_are_named_by_their_local_actions(tmp_path: Path) -> None:
    point = random_rational_point(np.random.default_rng(1), n_states=2, n_actions=(2, 3))
    write_drn(tmp_path / "file", point)
    lines = (tmp_path / "file").read_text().splitlines()
    names = [line.split()[1] for line in lines if line.startswith("\taction")]
    assert names == ["0_0", "0_1", "0_2", "1_0", "1_1", "1_2"] * 2
    plain = drn(tmp_path, "\n".join(line for line in lines if "n_actions" not in line) + "\n")
    back = read_drn(plain)
    assert back.n_actions == (2, 3)  # from the names alone
    assert (back.at(point.tables, point.psi, point.phi_state, point.phi_joint).exact().grad_J
            == point.exact().grad_J).all()


def test_markov_chain_and_padding(tmp_path: Path) -> None:
    chain = "@type: DTMC\n@nr_states\n2\n@model\nstate 0 init\n\taction 0\n\t\t1 : 1\nstate 1\n\taction 0\n\t\t0 : 1\n"
    assert read_drn(drn(tmp_path, chain), gamma=0).P.shape == (2, 1, 2)
    fewer = DRN.replace("\taction stay\n\t\t0 : 1\n", "").replace("@nr_choices\n4", "@nr_choices\n3")
    with pytest.raises(FormatError, match=r"line 13: state 0 has 1 actions and another state has 2; pad_actions=True"):
        read_drn(drn(tmp_path, fewer), gamma=0)
    padded = read_drn(drn(tmp_path, fewer), gamma=0, rewards=["r1"], pad_actions=True)
    assert (padded.P[0, 0] == padded.P[0, 1]).all()
    assert (padded.r[0, 0] == fmpq(1, 3)).all()


def test_cut_decimals_can_be_renormalised(tmp_path: Path) -> None:
    short = DRN.replace("rational", "double").replace("1/3\n\t\t1 : 2/3", "0.3333\n\t\t1 : 0.6666")
    with pytest.raises(FormatError, match=r"line 14: action 'go' of state 0 has probabilities that sum to .*, not 1"):
        read_drn(drn(tmp_path, short), gamma=0, rewards=["r1"])
    mdp = read_drn(drn(tmp_path, short), gamma=0, rewards=["r1"], renormalise=1e-3)
    assert list(mdp.P[0, 0]) == [fmpq(1, 3), fmpq(2, 3)]


def test_doubles_that_are_no_small_rationals_are_written_as_doubles(tmp_path: Path) -> None:
    mdp = ring3().mdp
    write_drn(tmp_path / "file", mdp)
    assert "@value_type: double" in (tmp_path / "file").read_text()
    assert same_mdp(read_drn(tmp_path / "file").to_mdp(), mdp)
    with pytest.raises(ValueError, match=r"P\[0, 8\] sums to .* over the simplest rationals"):
        write_drn(tmp_path / "file", mdp, values="rational")
    write_drn(tmp_path / "file", RationalMDP.near(mdp), values="rational")
    assert "\t\t1 : 1/3\n" in (tmp_path / "file").read_text()


BAD_DRN = {
    "row": (DRN.replace("2/3", "1/2"), r"line 14: action 'go' of state 0 has probabilities that sum to 5/6, not 1"),
    "duplicate state": (DRN.replace("state 1", "state 0"), r"line 19: state 0 is repeated; state 1 is next"),
    "skipped state": (DRN.replace("state 1", "state 5"), r"line 19: state 5 is out of order; state 1 is next"),
    "unknown target": (DRN.replace("1 : 2/3", "2 : 2/3"), r"line 16: unknown target 2; states are 0\.\.1"),
    "duplicate target": (DRN.replace("1 : 2/3", "0 : 2/3"), r"line 16: target 0 is repeated"),
    "negative": (DRN.replace("0 : 1/3", "0 : -1/3"), r"line 15: probability '-1/3' is negative"),
    "nan": (DRN.replace("0 : 1/3", "0 : nan"), r"line 15: 'nan' is not a number"),
    "interval": (DRN.replace("0 : 1/3", "0 : [0,1]"), r"line 15: '\[0,1\]' is not a number"),
    "fewer states": (DRN[: DRN.index("state 1")], r"line 18: truncated: 1 of 2 declared states"),
    "no transitions": (DRN[: DRN.rindex("\t\t0 : 1")], r"line 22: the action of line 22 has no transitions"),
    "no actions": (DRN[: DRN.index("\taction stay [2")], r"line 19: state 1 \(line 19\) has no action"),
    "fewer actions": (DRN[: DRN.rindex("\taction go")], r"line 21: 3 actions, but @nr_choices declares 4"),
    "header only": (DRN[: DRN.index("@model")], r"line 11: truncated: no @model"),
    "empty": ("", r"line 0: truncated: no @model"),
    "huge": (DRN.replace("@nr_states\n2", "@nr_states\n999999999999"), r"truncated: 2 of 999999999999 declared"),
    "states": (DRN.replace("@nr_states\n2", "@nr_states\nmany"), r"line 9: @nr_states is 'many', not a positive"),
    "extra state": (DRN.replace("@nr_states\n2", "@nr_states\n1").replace("\t\t1 : 2/3\n", ""), r"line 18: state 1"),
    "no type": (DRN.replace("@type: MDP\n", ""), r"line 11: section @type is missing before @model"),
    "type": (DRN.replace("@type: MDP", "@type: CTMC"), r"line 2: model type 'CTMC'; MDP and DTMC are read"),
    "parameters": (DRN.replace("@parameters\n", "@parameters\np q"), r"line 5: parameters 'p q'"),
    "repeated section": (DRN.replace("@model", "@nr_states\n2\n@model"), r"section '@nr_states' is repeated"),
    "rewards": (DRN.replace("[0, 1/3]", "[0]"), r"line 14: 1 rewards for 2 reward models"),
    "open rewards": (DRN.replace("[0, 1/3]", "[0, 1/3"), r"line 14: rewards .* not closed"),
    "open label": (DRN.replace('"a label"', '"a label'), r"line 13: labels .* open quotation"),
    "same action": (DRN.replace("action stay\n", "action go\n"), r"line 17: action 'go' of state 0 is repeated"),
    "other names": (DRN.replace("action stay\n", "action wait\n"), r"line 19: the actions of state 1 are not named"),
    "garbage": (DRN.replace("\t\t0 : 1/3", "\t\tzero 1/3"), r"line 15: 'zero 1/3' is no state, action or transition"),
    "no init": (DRN.replace(" init", ""), r"0 states are labelled init; with other than one, pass initial="),
    "comment": ("// lemmata speed 3\n" + DRN, r"line 1: unknown comment '// lemmata speed'"),
    "initial comment": ("// lemmata initial 1/2 1/3\n" + DRN, r"line 1: initial is no law on 2 states"),
    "markup": (DRN.replace("0 : 1/3", "0 : <b>\x1b[31m"), r"line 15: '<b>\\x1b\[31m' is not a number"),
}


@pytest.mark.parametrize("name", BAD_DRN)
def test_bad_drn_names_the_line(name: str, tmp_path: Path) -> None:
    content, message = BAD_DRN[name]
    with pytest.raises(FormatError, match=r"model\.drn.*" + message):
        read_drn(drn(tmp_path, content), gamma=0, rewards=["r1"])


@pytest.mark.parametrize("label", ["", 'a"b', "a\nb", "[x", "init", "a // b"], ids=ascii)
def test_labels_that_drn_cannot_hold_are_refused(label: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="label"):
        write_drn(tmp_path / "file", THIRD, labels={label: [0]})
    with pytest.raises(ValueError, match=r"is on state 2; states are 0\.\.1"):
        write_drn(tmp_path / "file", THIRD, labels={"fine": [2]})
