"""Does the tree keep the laws of its design: who may import what, and which pages and files go together?

The laws, one table each, so that a reviewer can judge them without reading the tests:

* sockets belong to `gate/`. `admin/` and the pretend origin may use `http.server`, and the control
  commands `http.client`: none of them is on the way of a request to an origin.
* mitmproxy belongs to `workbench/`, which runs it in a plain asyncio loop, in a process of its own.
* nothing imports `cli/`: it parses, calls and prints.
* in the core, Python (pyo3), the clock and `unsafe` belong to `lib.rs`; nothing reads a file, opens a
  socket or starts a thread.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "proxy" / "stopgap"
CORE = ROOT / "proxy" / "stopgap-core" / "src"

OWNERS = {
    "asyncio": ("gate", "workbench"),
    "socket": ("gate",),
    "ssl": ("gate",),
    "uvloop": ("gate",),
    "selectors": ("gate",),
    "mitmproxy": ("workbench",),
    "stopgap.cli": ("cli",),
}
FORBIDDEN_IN_CORE = ("std::fs", "std::io", "std::thread", "TcpStream", "UdpSocket")
ONLY_IN_LIB = ("pyo3", "Instant", "SystemTime", "unsafe ")  # Python, the clock, and the board's shared memory
LONGEST_FILE = 500

PYTHON_FILES = sorted(PACKAGE.rglob("*.py"))
RUST_FILES = sorted(CORE.rglob("*.rs"))
CORE_FILES = [path for path in RUST_FILES if "tests" not in path.parts]
TEST_FILES = sorted((ROOT / "tests").rglob("*.py"))


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def walk(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those that only a type checker sees."""
    yield node
    if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
        for child in ast.iter_child_nodes(node):
            yield from walk(child)


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Every module that a file imports, absolute, with its line."""
    package = ("stopgap", *path.relative_to(PACKAGE).parent.parts)
    for node in walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            parts = [*package[: len(package) - node.level + 1]] if node.level else []
            module = ".".join([*parts, *([node.module] if node.module else [])])
            for alias in node.names:
                yield node.lineno, f"{module}.{alias.name}"


@pytest.mark.parametrize("path", PYTHON_FILES, ids=name)
def test_import_law(path: Path) -> None:
    room = path.relative_to(PACKAGE).parts[0]
    breaches = [
        f"line {line}: {module} belongs to {' and '.join(owners)}"
        for line, module in imports(path)
        for owned, owners in OWNERS.items()
        if (module == owned or module.startswith(f"{owned}.")) and room not in (*owners, "__main__.py")
    ]
    assert not breaches


@pytest.mark.parametrize("path", CORE_FILES, ids=name)
def test_core_law(path: Path) -> None:
    code = re.sub(r"//[^\n]*", "", path.read_text("utf-8"))
    product = code.split("#[cfg(test)]")[0]
    forbidden = FORBIDDEN_IN_CORE if path == CORE / "lib.rs" else FORBIDDEN_IN_CORE + ONLY_IN_LIB
    assert [word for word in forbidden if word in product] == []


@pytest.mark.parametrize("path", [*PYTHON_FILES, *RUST_FILES, *TEST_FILES], ids=name)
def test_files_stay_readable(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= LONGEST_FILE


@pytest.mark.parametrize("path", [path for path in PYTHON_FILES if path.stat().st_size], ids=name)
def test_files_say_what_they_answer(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text("utf-8")))


@pytest.mark.parametrize("path", RUST_FILES, ids=name)
def test_rust_files_say_what_they_answer(path: Path) -> None:
    assert path.read_text("utf-8").startswith("//!")


def test_top_level_folders() -> None:
    shown = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")}
    assert shown - {"build", "dist"} == {"proxy", "rules", "tests", "deploy", "docs"}


def test_docs_exist_in_both_languages() -> None:
    english = {path.name for path in (ROOT / "docs").glob("*.md")}
    japanese = {path.name for path in (ROOT / "docs" / "ja").glob("*.md")}
    assert english == japanese
