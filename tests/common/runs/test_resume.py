from unicodedata import normalize

import pytest
import torch

from common.config.sections import LossConfig, OutputConfig, PhotosConfig, Section, TrainConfig
from common.config.yaml_file import load_config
from common.runs.folder import make_folder_for
from common.runs.photos import read_photo_split, save_photo_split
from common.runs.resume import check_changes, flatten_keys, read_resume_point
from common.runtime.errors import TrainingStopped, UserError
from common.training.learner import out_of_memory_advice


class Config(Section):
    data: PhotosConfig = PhotosConfig()
    loss: LossConfig = LossConfig(l1=1)
    train: TrainConfig
    output: OutputConfig = OutputConfig()


STAGES = "train.stages=[{crop: 64, bs: 8, epochs: 4, lr: 1e-3}, {crop: 128, bs: 4, epochs: 5, lr: 1e-3}]"


def config(*overrides):
    return load_config(Config, None, ["loss.l1=1", STAGES, *overrides])


def changes(*overrides, stage=0, epoch=2, step=0, before=()):
    return check_changes(config(*before), config(*overrides), {"stage": stage, "epoch": epoch, "step": step}, "run")


def test_what_leaves_the_steps_as_they_are_may_change():
    overrides = ["data.path=elsewhere", "train.device=cuda", "train.workers=3", "train.accumulate=2", "output.name=x"]
    assert changes(*overrides) == [
        "data.path: None -> elsewhere",
        "train.device: auto -> cuda",
        "train.accumulate: 1 -> 2",
        "train.workers: None -> 3",
    ]


@pytest.mark.parametrize(("override", "line"), [
    ("train.seed=1", "train.seed: 0 -> 1"),
    ("train.wd=0.5", "train.wd: 0.001 -> 0.5"),
    ("loss.ssim=1", "loss.ssim: 0.0 -> 1.0"),
    ("loss.vgg=random", "loss.vgg: torchvision -> random"),
    ("train.stages.0.bs=4", "train.stages.0.bs: 8 -> 4"),
    ("train.stages.0.epochs=1", "train.stages.0.epochs: 4 -> 1"),
    ("train.stages.1.lr=[1e-4, 1e-3]", "train.stages.1.lr.0: none -> 0.0001"),
    ("train.stages=[{crop: 64, bs: 8, epochs: 4, lr: 1e-3}]", "train.stages.1.crop: 128 -> none"),
])  # fmt: skip
def test_what_changes_the_steps_may_not(override, line):
    with pytest.raises(UserError) as refused:
        changes(override, "train.workers=3")
    said = str(refused.value)
    assert said.startswith("run: was not trained with these")
    assert line in said
    assert "train.workers: None -> 3" not in said
    assert "What may change: data.path" in said


def test_more_epochs_are_allowed_where_they_are_not_over():
    assert changes("train.stages.0.epochs=2") == ["train.stages.0.epochs: 4 -> 2"]
    assert changes("train.stages.1.epochs=9") == ["train.stages.1.epochs: 5 -> 9"]
    assert changes("train.stages.1.epochs=6", stage=1, epoch=5) == ["train.stages.1.epochs: 5 -> 6"]
    for refused in ({"stage": 0, "epoch": 2, "step": 1}, {"stage": 1, "epoch": 0}):
        with pytest.raises(UserError, match=r"train.stages.0.epochs: 4 -> 2"):
            changes("train.stages.0.epochs=2", **refused)


def test_more_stages_are_allowed_unless_their_crops_would_change_what_is_measured():
    stages = STAGES[:-1] + ", {crop: 128, bs: 4, epochs: 1, lr: 1e-4}]"
    assert "train.stages.2.epochs: none -> 1" in changes(stages)
    with pytest.raises(UserError, match=r"train.stages.2.crop: none -> 256"):
        changes(STAGES[:-1] + ", {crop: 256, bs: 4, epochs: 1, lr: 1e-4}]")


def test_the_file_of_the_vgg_may_lie_elsewhere():
    assert changes("loss.vgg=b.pth", before=["loss.vgg=a.pth"]) == ["loss.vgg: a.pth -> b.pth"]


def test_flat_names_every_value():
    assert flatten_keys({"a": {"b": [1, {"c": 2}]}, "d": [], "e": None}) == {
        "a.b.0": 1,
        "a.b.1.c": 2,
        "d": [],
        "e": None,
    }


def test_a_newer_or_broken_state_is_refused(tmp_path):
    path = tmp_path / "resume.pt"
    assert read_resume_point(path) is None
    torch.save({"format_version": 99}, path)
    with pytest.raises(UserError, match=r"written by a newer version of the program \(format 99\)"):
        read_resume_point(path)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(UserError, match="broken, or not what --resume saves"):
        read_resume_point(path)


def test_a_run_keeps_its_photos_wherever_they_lie_later(photos, tmp_path, caplog):
    train, held_out = [photos / "3.png", photos / "0.png"], [photos / "1.png", photos / "2.png"]
    save_photo_split(tmp_path / "photos.json", (train, held_out), photos)
    photos.rename(tmp_path / "moved")
    moved = tmp_path / "moved"
    (moved / "new.png").write_bytes(b"not of this run")
    (moved / "2.png").unlink()
    expected = [moved / "3.png", moved / "0.png"], [moved / "1.png"]
    assert read_photo_split(tmp_path / "photos.json", moved) == expected
    assert caplog.messages == [f"{moved}/2.png: missing; it was there when the run began"]
    with pytest.raises(UserError, match="no such folder; give the one where the photos of this run are now"):
        read_photo_split(tmp_path / "photos.json", photos)
    (moved / "1.png").unlink()
    with pytest.raises(UserError, match="too few photos of this run are here"):
        read_photo_split(tmp_path / "photos.json", moved)


def test_a_runs_photos_are_found_under_their_names_other_form(photos, tmp_path):
    (photos / "1.png").rename(photos / normalize("NFC", "é.png"))
    split = [photos / "3.png"], [photos / normalize("NFC", "é.png")]
    save_photo_split(tmp_path / "photos.json", split, photos)
    split[1][0].rename(photos / normalize("NFD", "é.png"))  # copied to a Mac
    train, (held_out,) = read_photo_split(tmp_path / "photos.json", photos)
    assert (train, held_out.name) == (split[0], normalize("NFD", "é.png"))


def test_sample_photos_are_found_again(tmp_path):
    from common.batches.folders import sample_photos

    split = sample_photos()[2:], sample_photos()[:2]
    save_photo_split(tmp_path / "photos.json", split, None)
    assert read_photo_split(tmp_path / "photos.json", None) == split


def test_out_of_memory_names_what_needs_half():
    train = config("train.accumulate=2").train
    said = out_of_memory_advice(0, train.stages[0], train, torch.OutOfMemoryError("CUDA out of memory.\nmore"))
    assert said.startswith("train.stages.0 does not fit into memory (CUDA out of memory. more)")
    assert "train.accumulate=4 (the same steps in smaller parts), train.stages.0.bs=4, train.stages.0.crop=32." in said
    smallest = config("train.stages=[{crop: 32, bs: 1, epochs: 1, lr: 1}]").train
    assert "a smaller model" in out_of_memory_advice(0, smallest.stages[0], smallest, RuntimeError("x"))
    assert TrainingStopped(said).status == 1


def test_two_runs_of_one_second_have_two_folders(tmp_path, monkeypatch):
    monkeypatch.setattr("time.strftime", lambda *_: "now")
    names = [make_folder_for(OutputConfig(path=tmp_path), "demo").name for _ in range(3)]
    assert names == ["demo_now", "demo_now_2", "demo_now_3"]
    make_folder_for(OutputConfig(path=tmp_path, name="mine"), "demo")
    with pytest.raises(UserError, match="mine: exists, and a run never overwrites another"):
        make_folder_for(OutputConfig(path=tmp_path, name="mine"), "demo")
