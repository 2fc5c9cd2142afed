"""The README and the pages behind it: their commands run, their YAML is valid, their links lead somewhere."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from common.config.yaml_file import load_config
from common.studies.study import read_study
from styletransfer import files as style_files
from styletransfer import network as style_network
from styletransfer.config import Config as StyleConfig
from styletransfer.config import JohnsonConfig, StyleModelConfig
from superres import files, network
from superres.config import Config
from superres.task import TASK
from tests.commands import run_here
from tests.videos import pan, write_video

ROOT = Path(__file__).parent.parent
PAGES = ["README.md", "superres/README.md", "colorize/README.md", "styletransfer/README.md", "configs/README.md"]
INSTALLS = ("python3 -m venv", "pip install", "accelerate launch", "python -m torch.distributed.run")
SERVERS = ".app "  # they run until they are stopped: tests/common/test_app.py

# What shortens the trainings to a step or two, of networks that are built in no time.
ONE_EPOCH = "train.stages=[{crop: 32, bs: 4, epochs: 1, lr: 1e-3}]"
SHORT = {
    "superres": ["model={network: srcnn}", ONE_EPOCH],
    "colorize": ["model.encoder=resnet18", "model.pretrained=false", ONE_EPOCH],
    "styletransfer": ["model={johnson: {width: 4}}", "train.stages=[{crop: 32, bs: 1, epochs: 1, lr: 1e-3}]"],
}


def blocks(page, language):
    """The code blocks of a page, in one language."""
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)


def commands(page):
    """The command lines of a page."""
    lines = [line.strip() for block in blocks(page, "bash") for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


@pytest.fixture
def workplace(photos, tmp_path, monkeypatch):
    """A folder to run commands in, with photos and the pictures that the pages name."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    for name in ("photo.jpg", "old.jpg", "starry_night.jpg"):
        Image.open(photos / "0.png").save(tmp_path / name)
    (tmp_path / "hints.json").write_text('[{"x": 20, "y": 20, "color": "#e07b39"}]')
    write_video(tmp_path / "video.mp4", pan(3))
    return tmp_path


@pytest.fixture
def special_models(workplace):
    """{what a command has: the folder of a model that it is about}, and a model file of others."""
    from spandrel.architectures.Compact import Compact

    torch.save(Compact(num_feat=4, num_conv=1, upscale=2).state_dict(), workplace / "4x_theirs.pth")
    folders = {"--spandrel": workplace / "of_spandrel", "--style": workplace / "of_styles"}
    for folder in folders.values():
        folder.mkdir()
    config = load_config(
        Config,
        None,
        ["model={network: spandrel, architecture: Compact, options: {num_feat: 4}}", "loss.l1=1", ONE_EPOCH],
    )
    files.save_model(folders["--spandrel"] / "model.safetensors", network.get_model(config.model, 2), config)
    styles = style_network.get_model(StyleModelConfig(johnson=JohnsonConfig(width=4)), ["starry_night", "wave"])
    config = load_config(StyleConfig, ROOT / "configs/styletransfer_johnson.yaml", ["model.johnson.width=4"])
    style_files.save_model(folders["--style"] / "model.safetensors", styles, config)
    return folders


def run_line(line, number, results, photos):
    """Runs one `python -m TASK.COMMAND ...`, shortened.

    number: a new one each time. results: {task: the run folder that its training made}.
    """
    _, _, module, *words = shlex.split(line)
    task, command = module.split(".")
    words = [word.replace("~/photos", str(photos)).replace("~/set5", str(photos)) for word in words]
    words = [re.sub(r"runs/(RUN|OTHER|first|second)", str(results.get(task)), word) for word in words]
    words = [{"50": "1", "100": "2"}.get(word, word) for word in words]  # iterations
    words = ["old.jpg" if word in ("out/photo.jpg", "small/photo.jpg") else word for word in words]
    short = ["loss.vgg=random", "data.valid=[0.png]", "data.crops_per_photo=1", f"data.path={photos}"]
    if task == "styletransfer":
        short.append("style.size=48")
    if command == "train" and "--resume" not in words:
        words += [*short, *SHORT[task], "output.path=runs", f"output.name=run{number}"]
        results[task] = Path("runs", f"run{number}")
    elif command == "compare":
        words += [*short, *SHORT[task], "output.path=runs", f"output.name=run{number}"]
    elif command == "optimize":
        words += ["loss.vgg=random", "--iterations", "2", "--size", "48"]
    elif command == "lr_find":
        words += [*short, *SHORT[task], "--steps", "20", "-o", f"{task}_{number}.png"]
    elif command == "show_data":
        words += [*short, *SHORT[task]]
        words[words.index("-o") + 1] = f"{task}_{number}.png"
    elif command == "heatmaps":
        words += ["--vgg", "random", "--layers", "relu2_2"]
    elif command == "evaluate":
        words += ["-o", f"evaluated/{number}"]
    elif command == "predict":
        words[words.index("-o") + 1] = f"predicted/{number}"
    elif command == "export":
        words += ["--overwrite"]
    assert not run_here(module, *words), line


@pytest.mark.slow
def test_every_command_of_the_readme_runs(workplace, photos):
    results = {}
    lines = commands("README.md")
    installs = [line for line in lines if line.startswith(INSTALLS)]
    assert len(installs) == 2, "the two commands, which .ci/run runs in a fresh environment"
    for number, line in enumerate(lines):
        if line not in installs and SERVERS not in line:
            run_line(line, number, results, photos)
    assert Image.open(next(workplace.glob("predicted/*/photo.jpg"))).size == (160, 144)
    assert sorted(results) == ["colorize", "styletransfer", "superres"]
    for run in results.values():
        assert (run / "model.safetensors").exists()


@pytest.mark.slow
def test_the_commands_of_the_other_pages_run(workplace, special_models, photos):
    """Those that the README does not have; a study once is enough."""
    results = {}
    for task in SHORT:
        config = " configs/colorize.yaml" * (task == "colorize")  # its commands are about what that config trains
        run_line(f"python -m {task}.train{config}", task, results, photos)
    known = set(commands("README.md"))
    lines = dict.fromkeys(line for page in PAGES[1:] for line in commands(page) if line not in known)
    for number, line in enumerate(lines):
        if not line.startswith(INSTALLS) and not any(word in line for word in (SERVERS, ".compare", ".train")):
            special = next((folder for option, folder in special_models.items() if f" {option} " in line), None)
            runs = dict.fromkeys(SHORT, special) if special else results
            run_line(line, number, runs, photos)


@pytest.mark.slow
def test_the_python_of_the_readme_runs(workplace, photos):
    (code,) = blocks("README.md", "python")
    words = [
        f"data.path={photos}",
        "loss.vgg=random",
        "data.valid=[0.png]",
        "data.crops_per_photo=4",
        *SHORT["superres"],
    ]
    plain = '"data.path=~/photos"'
    assert plain in code
    namespace = {}
    exec(code.replace(plain, ", ".join(map(repr, words))), namespace)
    with Image.open("photo.jpg") as photo:
        assert namespace["model"](photo).size == (2 * photo.width, 2 * photo.height)


def test_yaml_blocks_are_valid(tmp_path):
    found = 0
    for page in PAGES:
        for block in blocks(page, "yaml"):
            found += 1
            if block.startswith("base:"):
                shutil.copy(ROOT / "configs/superres_demo.yaml", tmp_path)
                (tmp_path / "studies").mkdir()
                (tmp_path / "studies/study.yaml").write_text(block)
                read_study(tmp_path / "studies/study.yaml", TASK, [])
            else:
                text = (ROOT / "configs/superres_demo.yaml").read_text(encoding="utf-8")
                for section in re.findall(r"^(\w+):", block, flags=re.MULTILINE):
                    text = re.sub(rf"^{section}:\n(  .*\n)*", "", text, flags=re.MULTILINE)
                (tmp_path / "config.yaml").write_text(text + block, encoding="utf-8")
                load_config(Config, tmp_path / "config.yaml")
    assert found >= 3


@pytest.mark.parametrize(
    "page", [*PAGES, "benchmarks/README.md", "benchmarks/CLAIMS.md", "CONTRIBUTING.md", "CHANGELOG.md"]
)
def test_links_lead_to_files_and_headings(page):
    for link in re.findall(r"\]\(([^)]+)\)", (ROOT / page).read_text(encoding="utf-8")):
        if not link.startswith("http"):
            name, _, heading = link.partition("#")
            path = (ROOT / page).parent / name if name else ROOT / page
            assert path.exists(), link
            assert not heading or heading in headings(path), link


def headings(path):
    """A page's headings as links name them."""
    lines = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in lines}


def test_the_reading_lists_name_files_that_exist():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    config, photo = (text.split(f"### Follow one {what}\n")[1].split("\n#")[0] for what in ("config", "photo"))
    first, second = (re.findall(r"^\d+\. `([^`]+)`", part, flags=re.MULTILINE) for part in (config, photo))
    assert [path for path in [*first, *second] if not (ROOT / path).is_file()] == []
    assert first[0] == "superres/train.py"
    assert len(first) <= 8 < len(second)


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_every_config_is_on_a_page():
    text = "".join((ROOT / page).read_text(encoding="utf-8") for page in PAGES)
    missing = [path.name for path in ROOT.glob("configs/**/*.yaml") if f"{path.name})" not in text]
    assert missing == []
