"""The house: small files, no circle among them, and a library that knows no task.

(That no import runs upwards, `lint-imports` checks.)
"""

import ast
import importlib
import re
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from common.commands.arguments import add_perceptual_arguments

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
    paths = [*FILES.values(), *(ROOT / "tests").rglob("*.py")]
    assert len(paths) > 300
    lengths = {str(path): len(path.read_text(encoding="utf-8").splitlines()) for path in paths}
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


GENERAL = {  # words of a task that `common` has for something of its own
    '"scale"': "a network's attribute: how much larger results are",
    '"jpeg"': "a codec of videos",
    '"image"': "the input of an ONNX file",
    '"width"': "an axis of it",
    '"height"': "an axis of it",
    "--size": "of common.heatmaps",
    "--megapixels": "of the page: the largest photo that it takes",
    '"half"': "a precision",
    '"loss"': "the section that all tasks have",
    '"detail"': "of an answer in JSON, as gradio words a refusal",
}


def flags(add_arguments):
    parser = ArgumentParser(add_help=False)
    add_arguments(parser)
    return {flag for action in parser._actions for flag in action.option_strings}


def own_keys(section, package, prefix=""):
    """The dotted keys of a config that its own package declares."""
    for name, field in section.model_fields.items():
        owner = next(kind for kind in section.__mro__ if name in vars(kind).get("__annotations__", {}))
        if owner.__module__.startswith(f"{package}.") and name not in ("data", "model"):  # which each task has
            yield prefix + name
        for kind in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(kind, type) and hasattr(kind, "model_fields"):
                yield from own_keys(kind, package, f"{prefix}{name}.")


def words_of(task):
    """{what a task alone should say: as a regular expression}: its name, keys, flags, and names as strings."""
    keys, options = list(own_keys(task.config, task.name)), {option.name for option in task.options}
    its_flags = {option.flag for option in task.options} | {f"--{name}" for name in task.formats}
    its_flags |= flags(task.add_evaluate_arguments) - flags(add_perceptual_arguments)
    names = {key.rpartition(".")[2] for key in keys} | options | set(task.formats)
    return {
        task.name: rf"\b{task.name}\b",
        **{key: rf"\b{re.escape(key)}\b" for key in keys if "." in key},
        **{flag: rf"{flag}(?![\w-])" for flag in its_flags},
        **{f'"{name}"': rf"[\"']{name}[\"']" for name in names},
    }


@pytest.mark.parametrize("name", ["superres", "colorize", "styletransfer"])
def test_common_names_no_task_and_no_tasks_key_or_flag(name):
    words = words_of(importlib.import_module(f"{name}.task").TASK)
    known = {  # that the words are found at all
        "superres": {"data.low", "data.scale", "data.degrade", "--strength", "--damages", "--spandrel", '"upsample"'},
        "colorize": {"data.fade", "--saturation", '"saturation"', '"size"'},
        "styletransfer": {"style.image", "model.johnson", "--keep-colors", '"keep_colors"', '"style"', "--optimize"},
    }
    assert known[name] | {name} <= set(words)
    texts = {module: path.read_text(encoding="utf-8") for module, path in FILES.items() if module.startswith("common")}
    found = {word: [module for module, text in texts.items() if re.search(words[word], text)] for word in words}
    assert {word: modules for word, modules in found.items() if modules and word not in GENERAL} == {}
