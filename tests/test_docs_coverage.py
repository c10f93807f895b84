"""No public name without a docstring that gives arguments, shapes, errors and source: read from the text of the code.

`test_mdp_documented.py` asks the imported modules for docstrings; this one reads the files, so it sees what a function
raises and how it is annotated, and needs no optional package.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

COMMANDS = re.compile(r"verify/(cli|commands/\w+|experiments/\w+/command)\.py")
"""Modules of commands, which document options and exit codes where they declare them."""

ARRAY = re.compile(r"\bnp\.ndarray\b|\bNDArray\b|\bArrayLike\b")
SHAPED = re.compile(r"\b(?:Float|Int|Bool|Num|Shaped|Complex|UInt8)\[[^'\[\]]+, '[^']*'\]")
"""An annotation that gives the shape itself, such as ``Float[np.ndarray, 'S A']``."""

SHAPE = re.compile(
    # (S, A), (n,), (..., K), (rows, columns)
    r"\((?:\.\.\.|(?:[A-Za-z]{1,2}\b|[A-Za-z]_|\d|rows\b|count\b|[a-z]+ \+ 1)[^,;]{0,30}),[^;]{0,40}\)"
    r"|\bshapes?\b|\bscalar|\blength\b|\bnumbers?\b|\bone (?:\w+ )?(?:per|for each|for every|by)\b|\bby name\b"
    r"|\bany dimension|\bany array|\blike\b|\bas `\w+`|\bflat\b"
)
"""What counts as saying which shape: a tuple of sizes, or words."""

SOURCE = re.compile(
    r"\b[A-Z][\w'-]+(?:,? (?:and|et al\.?|[A-Z][\w'-]+),?)*,? \(?(?:19|20)\d{2}\)?"  # Levin and Peres (2017)
    r"|\b(?:zeng2022|zhang2025|bhandari2018)\b|\bSource:|\bours\b"
)
"""What counts as a source: a paper with its year, one of the ledgers, or the word *ours*."""

NO_FORMULA = {
    "mdp": """__init__ io/__init__ io/rational_mdp io/schema optional problem testing/__init__ testing/mdps
        testing/problems large/protocol large/rewards certify/certificate io/drn_parse""",
    "rates": """__init__ atomic cells claims describe files request store fit/data synthetic
        progress sweep workers""",
    "algorithms": """__init__ deep/pursuit/environments deep/pursuit/extras deep/rlhf/checkpoint deep/rlhf/errors
        deep/rlhf/materials/manifest deep/rlhf/sampling deep/rlhf/tables""",
}
"""Modules that store, move, validate or wrap; every other one of these packages names the source of its mathematics."""


@dataclass(frozen=True)
class Function:
    """A public function or method, as written."""

    where: str
    node: ast.FunctionDef
    private: dict[str, ast.FunctionDef]
    overrides: bool

    @property
    def doc(self) -> str:
        return ast.get_docstring(self.node) or ""

    @property
    def parameters(self) -> list[ast.arg]:
        a = self.node.args
        every = [*a.posonlyargs, *a.args, a.vararg, *a.kwonlyargs, a.kwarg]
        return [p for p in every if p is not None and p.arg not in ("self", "cls") and not p.arg.startswith("_")]


def files() -> list[Path]:
    """Every module with public names."""
    found = []
    for package in ("mdp", "algorithms", "rates", "verify"):
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).parts
            private = any(p.startswith("_") and p != "__init__.py" for p in parts)
            if not private and "templates" not in parts:
                found.append(path)
    return found


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def is_public(node: ast.AST) -> bool:
    return isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_")


def is_overload(node: ast.FunctionDef) -> bool:
    return any("overload" in ast.unparse(decorator) for decorator in node.decorator_list)


def functions(tree: ast.Module) -> Iterator[Function]:
    """Public functions of a module, and public methods of its public classes."""
    private = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name.startswith("_")}
    owners: list[tuple[str, list[ast.stmt], bool]] = [("", tree.body, False)]
    for prefix, body, overrides in owners:
        for node in body:
            if isinstance(node, ast.ClassDef) and is_public(node):
                owners.append((f"{prefix}{node.name}.", node.body, bool(node.bases)))
            if isinstance(node, ast.FunctionDef) and is_public(node) and not is_overload(node):
                yield Function(f"{prefix}{node.name}", node, private, overrides)


def section(doc: str, *titles: str) -> str:
    """Text of the sections of a docstring that have one of these titles."""
    text, inside = [], False
    for line in doc.splitlines():
        if line and not line.startswith(" "):
            head = re.match(r"(\w+):(.*)", line)
            inside = head is not None and head[1] in titles
            if inside and head is not None:
                text.append(head[2])
        elif inside:
            text.append(line)
    return "\n".join(text)


def arguments(doc: str) -> dict[str, str]:
    """What the section on arguments says of each; ``low, high: ends`` speaks of both."""
    found: dict[str, str] = {}
    current: list[str] = []
    for line in section(doc, "Args").splitlines():
        head = re.match(r" {4}(\*{0,2}\w+(?:, \*{0,2}\w+)*):(.*)", line)
        if head:
            current = [name.strip().lstrip("*") for name in head[1].split(",")]
        for name in current:
            found[name] = f"{found.get(name, '')} {head[2] if head else line}".strip()
    return found


def own(node: ast.AST, caught: frozenset[str] = frozenset()) -> Iterator[tuple[ast.AST, frozenset[str]]]:
    """What runs when a function is called, each with the exceptions that are caught around it.

    Functions and lambdas inside it run later, and are left out.
    """
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (ast.FunctionDef, ast.Lambda, ast.ClassDef)):
            here = caught | handled(node) if isinstance(node, ast.Try) and child in node.body else caught
            yield child, here
            yield from own(child, here)


def handled(block: ast.Try) -> frozenset[str]:
    """Names of the exceptions that end in a ``try``; those that a handler raises again do not."""
    found: set[str] = set()
    for handler in block.handlers:
        if handler.type is not None and not any(isinstance(n, ast.Raise) and n.exc is None for n in ast.walk(handler)):
            kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
            found |= {ast.unparse(kind).rsplit(".", 1)[-1] for kind in kinds}
    return frozenset(found)


def raised(node: ast.FunctionDef) -> set[str]:
    """Names of the exceptions in ``raise`` statements; re-raising and what means a bug of ours are left out."""
    found = set()
    for child, caught in own(node):
        if isinstance(child, ast.Raise) and child.exc is not None:
            exception = child.exc.func if isinstance(child.exc, ast.Call) else child.exc
            found |= {ast.unparse(exception).rsplit(".", 1)[-1]} - caught
    return {name for name in found if name[0].isupper()} - {"AssertionError"}


def errors(function: Function) -> set[str]:
    """What it raises itself, or through a private function of its module that it calls."""
    found = raised(function.node)
    for child, caught in own(function.node):
        if isinstance(child, ast.Call) and isinstance(child.func, ast.Name) and child.func.id in function.private:
            found |= raised(function.private[child.func.id]) - caught
    return found


def is_bare_array(annotation: ast.expr | None) -> bool:
    """Whether an annotation says "array" without a shape."""
    if annotation is None:
        return False
    text = SHAPED.sub("", ast.unparse(annotation))
    return "Callable" not in text and ARRAY.search(text) is not None


def about_arguments(function: Function) -> list[str]:
    if not function.doc:
        return [] if function.overrides else [f"{function.where} has no docstring"]
    said = arguments(function.doc)
    silent = [p.arg for p in function.parameters if p.arg not in said]
    return [f"{function.where} does not say what {', '.join(silent)} is"] if silent else []


def about_shapes(function: Function) -> list[str]:
    said = arguments(function.doc)
    found = [
        f"{function.where}: shape of {p.arg}? It says {said[p.arg]!r}"
        for p in function.parameters
        if is_bare_array(p.annotation) and p.arg in said and not SHAPE.search(said[p.arg])
    ]
    # without a section of its own, what is returned has a shape that follows from what is said of the arguments
    returned = section(function.doc, "Returns", "Yields") or function.doc
    if function.doc and is_bare_array(function.node.returns) and not SHAPE.search(returned):
        found.append(f"{function.where}: shape of what it returns? It says {returned.strip().splitlines()[0]!r}")
    return found


def about_errors(function: Function) -> list[str]:
    if not function.doc:
        return []
    stated = section(function.doc, "Raises")
    missing = sorted(name for name in errors(function) if not re.search(rf"\b{name}\b", stated))
    return [f"{function.where} raises {', '.join(missing)} and does not say so"] if missing else []


def about_classes(tree: ast.Module) -> list[str]:
    """Fields without a description, and construction that raises without saying so."""
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.ClassDef) or not is_public(node):
            continue
        doc = ast.get_docstring(node) or ""
        described = section(doc, "Attributes", "Args")
        for k, field in enumerate(node.body):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                below = node.body[k + 1] if k + 1 < len(node.body) else None
                text = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
                name = field.target.id
                if not name.startswith("_") and not text and not re.search(rf"^ +[^:\n]*\b{name}\b", described, re.M):
                    found.append(f"{node.name}.{name} is not described")
        for build in node.body:
            if isinstance(build, ast.FunctionDef) and build.name in ("__init__", "__post_init__"):
                stated = section(doc, "Raises") + section(ast.get_docstring(build) or "", "Raises")
                missing = sorted(name for name in raised(build) if not re.search(rf"\b{name}\b", stated))
                found += [f"{node.name}() raises {name} and does not say so" for name in missing]
    return found


def findings(text: str, *, commands: bool = False) -> list[str]:
    """Everything that the docstrings of a module leave out."""
    tree = ast.parse(text)
    found = [] if ast.get_docstring(tree) else ["the module has no docstring"]
    if commands:
        return found + [f"{f.where} has no docstring" for f in functions(tree) if not f.doc]
    for function in functions(tree):
        found += about_arguments(function) + about_shapes(function) + about_errors(function)
    return found + about_classes(tree)


@pytest.mark.parametrize("path", files(), ids=name_of)
def test_docstrings_say_arguments_shapes_and_errors(path: Path) -> None:
    found = findings(path.read_text(encoding="utf-8"), commands=bool(COMMANDS.fullmatch(name_of(path))))
    assert not found, "\n".join(f"{name_of(path)}: {line}" for line in found)


def has_source(text: str) -> bool:
    """Whether a docstring or a comment of a module names where its mathematics comes from."""
    tree = ast.parse(text)
    nodes = [n for n in ast.walk(tree) if isinstance(n, (ast.Module, ast.ClassDef, ast.FunctionDef))]
    docs = "\n".join(ast.get_docstring(n) or "" for n in nodes)
    strings = [n.value.value for n in tree.body if isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant)]
    comments = re.findall(r"#.*", text)
    return SOURCE.search("\n".join([docs, *map(str, strings), *comments])) is not None


def mathematical() -> list[Path]:
    """Modules of the mathematical packages that are not listed as free of formulas."""
    plain = {f"{package}/{name}.py" for package, names in NO_FORMULA.items() for name in names.split()}
    return [
        path for path in files()
        if path.relative_to(ROOT).parts[0] in NO_FORMULA and path.name != "__init__.py" and name_of(path) not in plain
    ]  # fmt: skip


@pytest.mark.parametrize("path", mathematical(), ids=name_of)
def test_mathematical_modules_name_their_sources(path: Path) -> None:
    assert has_source(path.read_text(encoding="utf-8")), (
        f"{name_of(path)} cites nothing: write 'Source: author (year), theorem' or 'Source: ours.' into the docstring "
        f"that states the formula, or list the module in NO_FORMULA"
    )


def test_modules_listed_as_free_of_formulas_exist() -> None:
    for package, names in NO_FORMULA.items():
        for name in names.split():
            assert (ROOT / package / f"{name}.py").is_file(), f"{package}/{name}.py"


GOOD = '''
"""A module."""
from dataclasses import dataclass

@dataclass
class Pair:
    """Two.

    Attributes:
        first: one of them.

    Raises:
        ValueError: not positive.
    """
    first: int
    def __post_init__(self):
        raise ValueError("no")

def norm(x: np.ndarray, W: Float[np.ndarray, "N N"]) -> np.ndarray:
    """Norms.

    Args:
        x: vectors, (n, K).
        W: weights.

    Returns:
        Norms, (n,).

    Raises:
        ValueError: empty.
    """
    _check(x)
    later = lambda: _type(x)
    try:
        _look(x)
        raise IndexError("x")
    except (KeyError, IndexError):
        pass

def _check(x):
    raise ValueError("x")

def _look(x):
    raise KeyError("x")

def _type(x):
    raise TypeError("x")
'''

MUTATIONS = {
    "no module docstring": ('"""A module."""', "", "the module has no docstring"),
    "no docstring": ('"""Two.', 'x = """', "Pair.first is not described"),
    "argument": ("        W: weights.\n", "", "norm does not say what W is"),
    "shape of an argument": ("vectors, (n, K)", "vectors", "norm: shape of x?"),
    "shape lost from the annotation": ('Float[np.ndarray, "N N"]', "np.ndarray", "norm: shape of W?"),
    "shape returned": ("Norms, (n,).", "Norms.", "norm: shape of what it returns?"),
    "error of a helper": ("        ValueError: empty.\n", "", "norm raises ValueError and does not say so"),
    "another error": ('raise ValueError("x")', 'raise KeyError("x")', "norm raises KeyError and does not say so"),
    "error of a helper, not caught": ("(KeyError, ", "(", "norm raises KeyError and does not say so"),
    "error not caught": (", IndexError)", ",)", "norm raises IndexError and does not say so"),
    "error raised again": ("        pass\n", "        raise\n", "norm raises IndexError, KeyError and does not say so"),
    "error of a handler": ("        pass\n", "        raise TypeError\n", "norm raises TypeError and does not say so"),
    "field": ("        first: one of them.\n", "", "Pair.first is not described"),
    "construction": ("        ValueError: not positive.\n", "", "Pair() raises ValueError and does not say so"),
}


def test_a_complete_docstring_passes() -> None:
    assert findings(GOOD) == []


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_every_omission_is_seen(mutation: str) -> None:
    old, new, expected = MUTATIONS[mutation]
    assert old in GOOD
    assert any(line.startswith(expected) for line in findings(GOOD.replace(old, new)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"""As in Levin and Peres (2017), Lemma 4.10."""', True),
        ('"""As usual."""\nK = 3  # ours: keeps it short', True),
        ('"""One round.\n\nzeng2022 Eq. (13).\n"""', True),
        ('"""As usual, by induction from 2017 on."""', False),
        ('x = "Levin and Peres (2017)"', False),
    ],
    ids=["paper", "ours", "ledger", "a year alone", "a string in the code"],
)
def test_sources_are_recognised(text: str, expected: bool) -> None:
    assert has_source(text) is expected
