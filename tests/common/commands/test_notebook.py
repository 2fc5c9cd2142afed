"""What a fastai user does with a Learner, in every task."""

import importlib
import multiprocessing.spawn
import subprocess
import sys

import numpy as np
import pytest
import torch
import torchvision
from fastai.learner import load_learner
from filelock import FileLock
from PIL import Image

from common.commands.load import check_keywords
from common.commands.notebook import script_left_alone
from common.runs.fit import without_progress_bars
from common.runtime.errors import UserError
from common.task import Option
from styletransfer.task import TASK as STYLETRANSFER

TASKS = ("superres", "colorize", "styletransfer")
SCALES = {"superres": 2, "colorize": 1, "styletransfer": 1}


def get_words(photos, *words):
    stages = "train.stages=[{crop: 32, bs: 2, epochs: 1, lr: 1e-3}, {crop: 48, bs: 1, epochs: 2, lr: 1e-3}]"
    return [
        f"data.path={photos}", "data.valid=[0.png]", "data.crops_per_photo=1", "loss.vgg=random", "train.workers=0",
        stages, *words,
    ]  # fmt: skip


@pytest.fixture(params=TASKS)
def name(request):
    return request.param


@pytest.fixture
def task(name):
    return importlib.import_module(name)


@pytest.fixture
def learn(task, name, photos, tmp_path):
    learn = task.get_learner(f"{name}_demo.yaml", *get_words(photos))
    learn.path = tmp_path / "learner"
    learn.path.mkdir()
    return without_progress_bars(learn)


def weights(learn):
    return [parameter.detach().clone() for parameter in learn.model.parameters()]


def differ(before, after):
    return any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.slow
def test_it_is_looked_at_and_measured_without_being_changed(learn, name):
    before = weights(learn)
    learn.dls.show_batch()
    summary = learn.summary()
    assert summary.startswith(type(learn.model).__name__)
    assert summary.endswith(f"{sum(p.numel() for p in learn.model.parameters()):,}")
    figures = list(learn.validate())
    assert len(figures) == 1 + len(learn.metrics)
    x, preds, targets, losses = learn.get_preds(with_input=True, with_loss=True)
    scale = SCALES[name]
    assert preds.shape == targets.shape == (1, 3, 48, 48)
    assert x.shape == (1, 3, 48 // scale, 48 // scale)
    assert losses.shape == (1,)
    assert losses.mean().item() == pytest.approx(figures[0], rel=1e-5)
    assert learn.loss_func.reduction == "mean"
    learn.show_results()
    suggestion = learn.lr_find(num_it=20, stop_div=False)
    assert 1e-7 < suggestion.valley < 10
    assert not differ(before, weights(learn))
    assert list(learn.validate()) == pytest.approx(figures)


def test_an_encoder_from_a_file_leaves_no_path_in_the_model_file(task, name, photos, tmp_path):
    torch.save(torchvision.models.get_model("resnet18").state_dict(), tmp_path / "resnet.pth")
    unet = f"encoder: resnet18, pretrained: {tmp_path}/resnet.pth"
    network = f"model={{unet: {{{unet}}}}}" if name == "styletransfer" else f"model={{{unet}}}"
    learn = task.get_learner(f"{name}_demo.yaml", *get_words(photos, network))
    learn.save_model(tmp_path / "model.safetensors")
    assert str(tmp_path).encode() not in (tmp_path / "model.safetensors").read_bytes()
    assert task.load(tmp_path / "model.safetensors")(photos / "0.png").size == (SCALES[name] * 80, SCALES[name] * 72)


@pytest.mark.slow
def test_it_trains_by_one_cycle_and_by_the_configs_stages(learn):
    before = weights(learn)
    learn.fit_one_cycle(2, 1e-3)
    assert differ(before, weights(learn))
    assert learn.epochs_before == 2  # another fit sees other crops
    learn.fit_stages()
    assert learn.dls.train.one_batch()[1].shape == (1, 3, 48, 48)
    assert len(learn.recorder.values) == 2
    assert not list(learn.path.iterdir())  # nothing was written


@pytest.mark.slow
def test_a_photo_is_enhanced_whole_and_its_export_does_the_same(learn, task, name, photos):
    learn.fit_one_cycle(1, 1e-3)
    photo = photos / "1.png"
    picture, _, result = learn.predict(photo)
    with Image.open(photo) as image:
        height, width = SCALES[name] * image.height, SCALES[name] * image.width
        of_pixels = learn.predict(np.asarray(image))[2]
    assert result.shape == (3, height, width)
    assert torch.equal(result, of_pixels)
    network = learn.files.to_photo_model(learn.model.eval())  # the photo, as it is, must go through it
    with torch.no_grad(), Image.open(photo) as image:
        expected = network(torch.tensor(np.asarray(image.convert("RGB"))).permute(2, 0, 1)[None] / 255)[0]
    torch.testing.assert_close(result, expected.as_subclass(torch.Tensor), atol=1e-5, rtol=0)
    learn.export("exported.pkl")
    exported = load_learner(learn.path / "exported.pkl").predict(photo)[2]
    torch.testing.assert_close(exported, result, atol=1e-5, rtol=0)
    learn.fit_one_cycle(1, 1e-3)  # it is still whole

    learn.save_model(learn.path / "model.safetensors")
    model = task.load(learn.path / "model.safetensors")
    shown = model(photo)
    assert shown.size == (width, height)
    difference = np.asarray(shown).astype(int) - np.asarray(learn.predict(photo)[0].permute(1, 2, 0))
    assert abs(difference).max() <= 2  # colours are found on 8 bits
    with Image.open(photo) as image:
        assert np.array_equal(np.asarray(model(image)), np.asarray(shown))
    assert picture.shape == result.shape


@pytest.mark.slow
def test_a_run_from_python_can_be_repeated_and_continued_in_one_process(task, name, photos, tmp_path):
    words = get_words(photos, f"output.path={tmp_path}")
    short = "train.stages=[{crop: 32, bs: 2, epochs: 1, lr: 1e-3}]"
    first = task.train_run(f"{name}_demo.yaml", *words, short, "output.name=run")
    again = task.train_run(f"{name}_demo.yaml", *words, short, "output.name=again")
    assert (first / "model.safetensors").read_bytes() == (again / "model.safetensors").read_bytes()
    model = again / "model.safetensors"
    started = task.train_run(f"{name}_demo.yaml", *words, short, f"train.start_from={model}", "output.name=started")
    model.unlink()  # its weights are in the resume point by now
    assert task.resume_run(started, "train.stages.0.epochs=2") == started
    assert len((started / "history.csv").read_text().splitlines()) == 1 + 2
    assert str(model) in (started / "config.yaml").read_text()
    with FileLock(started / ".lock", timeout=0):
        pass  # free for other processes


def test_mistakes_are_told_as_on_the_command_line(task, name, photos, tmp_path):
    with pytest.raises(UserError, match="did you mean 'stages'"):
        task.get_learner(f"{name}_demo.yaml", "train.stage=1")
    with pytest.raises(UserError, match="no such run folder"):
        task.resume_run(tmp_path / "nothing")
    with pytest.raises(UserError, match="no such model file"):
        task.load(tmp_path / "nothing.safetensors")


UNGUARDED = """
import multiprocessing, sys
multiprocessing.set_start_method("forkserver", force=True)
import superres
print("the script runs")
run = superres.train_run("superres_demo.yaml", *sys.argv[1:], "loss={l1: 1}", "model={network: srcnn}")
print("done", run.name)
"""


@pytest.mark.slow
@pytest.mark.skipif("forkserver" not in multiprocessing.get_all_start_methods(), reason="not on Windows")
def test_a_script_without_the_main_guard_trains_once(photos, tmp_path):
    (tmp_path / "script.py").write_text(UNGUARDED)
    short = "train.stages=[{crop: 32, bs: 2, epochs: 1, lr: 1e-3}]"
    words = get_words(photos, f"output.path={tmp_path}/runs", "train.workers=1", short)
    done = subprocess.run(
        [sys.executable, "script.py", *words], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    (run,) = (tmp_path / "runs").iterdir()
    assert done.stdout.count("the script runs") == 1
    assert done.stdout.splitlines()[-1] == f"done {run.name}"
    assert done.stderr == ""


def test_loading_processes_of_a_run_do_not_import_the_script(monkeypatch):
    main = sys.modules["__main__"]
    monkeypatch.setattr(main, "__spec__", None)
    monkeypatch.setattr(main, "__file__", "script.py", raising=False)
    with script_left_alone():
        told = multiprocessing.spawn.get_preparation_data("a loading process")
    assert told["init_main_from_name"] == "common.runtime.errors"
    assert "init_main_from_path" not in told
    assert main.__spec__ is None


def test_keywords_that_there_are_not_are_refused():
    options = [
        Option("colors", str, "model", None, None, "", choices=("model", "photo")),
        Option("strength", float, 1.0, 0.0, 1.5, ""),
    ]
    check_keywords(options, {"colors": "photo", "strength": 0.5, "tile": 64})
    for values, message in (
        ({"colors": "fotos"}, "colors = fotos: must be one of model, photo"),
        ({"strenght": 1}, "strenght: no such option, but colors, strength, tile; did you mean 'strength'"),
        ({"strength": 2}, "strength = 2: must be a number, 0 or more, 1.5 or less"),
        ({"strength": None}, "strength = None: must be a number"),
        ({"tile": "512"}, "tile = 512: must be a whole number, 1 or more"),
        ({"tile": 0}, "tile = 0: must be a whole number"),
    ):
        with pytest.raises(UserError, match=message):
            check_keywords(options, values)


def test_keywords_that_contradict_each_other_are_refused_as_on_the_command_line():
    with pytest.raises(UserError, match="give a --stroke of more than 1"):
        check_keywords(STYLETRANSFER.options, {"detail": 0.5}, STYLETRANSFER.check_options)
    check_keywords(STYLETRANSFER.options, {"detail": 0.5, "stroke": 2}, STYLETRANSFER.check_options)
