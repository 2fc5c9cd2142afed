"""What the commands of all tasks share."""

import subprocess
import sys

import pytest

MODULES = [
    *(f"{task}.{command}" for task in ("superres", "colorize", "styletransfer")
      for command in ("train", "predict", "evaluate", "compare")),
    "styletransfer.optimize",
]  # fmt: skip

IMPORTED = """
import runpy, sys
sys.argv = sys.argv[1:]
try:
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=False)
except SystemExit as ended:
    print(ended.code, sorted({"torch", "fastai", "pandas", "kornia"} & set(sys.modules)))
"""


def status_and_imports(*words):
    """'STATUS [heavy packages that were imported]' of a command that ends early, and its messages."""
    done = subprocess.run([sys.executable, "-c", IMPORTED, *words], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1], done.stdout + done.stderr


@pytest.mark.parametrize("module", MODULES)
def test_help_imports_neither_torch_nor_fastai(module):
    ended, printed = status_and_imports(module, "--help")
    assert ended == "0 []"
    assert f"usage: python -m {module}" in printed


@pytest.mark.parametrize("task", ["superres", "colorize", "styletransfer"])
def test_a_typo_is_told_without_importing_torch(task):
    ended, printed = status_and_imports(f"{task}.train", "train.sede=1")
    assert ended == "2 []"
    assert "train.sede: unknown key" in printed
    assert "did you mean 'seed'?" in printed
