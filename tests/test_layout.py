"""The house: small files, and no circle among them. (That no import runs upwards, `lint-imports` checks.)"""

import ast
from collections.abc import Iterator, Sequence
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("common", "superres", "colorize", "styletransfer", "configs", "benchmarks")
FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
}  # by the names of their modules


def imports(statements: Sequence[ast.stmt]) -> Iterator[str]:
    """What a file imports when it is imported: not in functions, and not for types alone."""
    for statement in statements:
        if isinstance(statement, ast.Import):
            yield from (name.name for name in statement.names)
        elif isinstance(statement, ast.ImportFrom):
            yield from (f"{statement.module}.{name.name}" for name in statement.names)
            yield str(statement.module)
        elif isinstance(statement, ast.If) and ast.unparse(statement.test) != "TYPE_CHECKING":
            yield from imports([*statement.body, *statement.orelse])


def graph(files: dict[str, Path]) -> dict[str, set[str]]:
    """{module: those of ours that it imports}."""
    found = {name: set(imports(ast.parse(path.read_text(encoding="utf-8")).body)) for name, path in files.items()}
    return {name: {other for other in imported if other in files and other != name} for name, imported in found.items()}


def test_no_file_has_more_than_250_lines():
    assert len(FILES) > 150
    lengths = {str(path): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES.values()}
    assert {path: length for path, length in lengths.items() if length > 250} == {}


def test_files_make_no_circle():
    modules = graph(FILES)
    assert {"common.runtime.errors", "common.runs.lock"} <= modules["common.runs.folder"]
    TopologicalSorter(modules).prepare()  # raises CycleError, which names the circle


def test_a_circle_is_found(tmp_path):
    texts = {"a": "from b import x", "b": "def f():\n    import a\nimport c.d", "c": "", "c.d": "from a import f"}
    files = {name: tmp_path / f"{name}.py" for name in texts}
    for name, text in texts.items():
        files[name].write_text(text)
    assert graph(files) == {"a": {"b"}, "b": {"c.d"}, "c": set(), "c.d": {"a"}}
