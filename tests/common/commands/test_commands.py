"""What the commands of all tasks share."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from common.commands.box import split_words
from common.commands.configs import CONFIGS, find_config
from common.commands.predict import get_predict_parser
from superres.task import TASK
from tests.commands import run_here
from tests.common.commands.models import write_model

TASKS = ("superres", "colorize", "styletransfer")
MODULES = [
    *(f"{task}.{command}" for task in TASKS
      for command in ("train", "predict", "evaluate", "compare", "gallery", "export", "app")),
    "styletransfer.optimize",
]  # fmt: skip

HEAVY = {  # modules that are not needed to apply a model, and take 0.2 to 2 s each
    "fastai", "torchvision", "torch._dynamo", "kornia", "pandas", "matplotlib", "scipy", "sklearn", "skimage",
    "spandrel", "cv2", "av",
}  # fmt: skip
IMPORTED = f"""
import runpy, sys
sys.argv = sys.argv[1:]
try:
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=False)
except SystemExit as ended:
    print(ended.code, sorted({HEAVY | {"torch"}} & set(sys.modules)))
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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "needed"),
    [
        ({"network": "srcnn"}, ["torch"]),
        pytest.param(
            {"encoder": "resnet18", "pretrained": False},
            ["torch", "torch._dynamo", "torchvision"],
            marks=pytest.mark.slow,
        ),
    ],
)
@pytest.mark.usefixtures("wide")
def test_to_enlarge_a_photo_imports_nothing_heavy_but_what_makes_the_network(network, needed, tmp_path):
    write_model(tmp_path / "model.safetensors", **network)
    Image.new("RGB", (40, 30)).save(tmp_path / "a.png")
    ended, printed = status_and_imports("superres.predict", tmp_path, tmp_path / "a.png", "-o", tmp_path / "out")
    assert ended == f"0 {needed}", printed
    assert Image.open(tmp_path / "out/a.png").size == (80, 60)


@pytest.mark.parametrize("task", ["superres", "colorize", "styletransfer"])
def test_a_typo_is_told_without_importing_torch(task):
    ended, printed = status_and_imports(f"{task}.train", "train.sede=1")
    assert ended == "2 []"
    assert "train.sede: unknown key" in printed
    assert "did you mean 'seed'?" in printed


def test_shipped_configs_are_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shipped = CONFIGS / "superres_2x.yaml"
    assert find_config(Path("configs/superres_2x.yaml")) == find_config(Path("superres_2x.yaml")) == shipped
    assert find_config(Path("configs/compare/losses.yaml")) == CONFIGS / "compare/losses.yaml"
    assert find_config(Path("mine.yaml")) == Path("mine.yaml")
    Path("superres_2x.yaml").write_text("x")
    assert find_config(Path("superres_2x.yaml")) == Path("superres_2x.yaml")  # one's own comes first


def test_a_tilde_that_the_shell_leaves_is_the_home_folder_in_every_option(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for command in ("train", "compare"):
        assert run_here(f"superres.{command}", "--resume=~/nothing") == 2
        assert f"--resume {tmp_path / 'nothing'}: " in capsys.readouterr().err
    (tmp_path / "mine.yaml").write_text("x")
    assert find_config(Path("~/mine.yaml")) == tmp_path / "mine.yaml"
    code = (path for package in ("common", *TASKS, "benchmarks") for path in (CONFIGS.parent / package).rglob("*.py"))
    assert [str(path) for path in code if "type=Path" in path.read_text(encoding="utf-8")] == []  # but user_path


def test_a_runs_folder_stands_for_its_model_and_a_tilde_for_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "model.safetensors").touch()
    args = get_predict_parser(TASK, None).parse_args(["~", "a.png", "--output=~/out"])
    assert args.output == tmp_path / "out"
    assert split_words(TASK, args.words) == (tmp_path / "model.safetensors", ["a.png"])


WITHOUT = """
import importlib, sys
for package in "av cv2 gradio onnx onnxruntime accelerate tensorboard torchmetrics pillow_heif".split():
    sys.modules[package] = None  # importing it fails
for task in ("superres", "colorize", "styletransfer"):
    task = importlib.import_module(f"{task}.task").TASK
    task.use(), task.training(), task.measuring()
import common.runs.train, common.studies.compare, common.commands.notebook
"""


@pytest.mark.slow
def test_the_tasks_need_none_of_the_optional_packages():
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
