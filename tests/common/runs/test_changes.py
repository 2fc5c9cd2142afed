import pytest

from common.config.losses import LossConfig
from common.config.sections import NetworkConfig, PhotosConfig, TaskConfig
from common.config.yaml_file import load_config
from common.runs.changes import check_changes, flatten_keys
from common.runtime.errors import UserError
from superres.config import Config as SuperresConfig


class Config(TaskConfig):
    data: PhotosConfig = PhotosConfig()
    model: NetworkConfig = NetworkConfig()
    loss: LossConfig = LossConfig(l1=1)


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


def test_the_file_of_an_encoder_may_lie_elsewhere_but_not_take_its_place():
    place = {"stage": 0, "epoch": 2, "step": 0}
    first, other, none = (
        load_config(SuperresConfig, None, ["loss.l1=1", STAGES, f"model.pretrained={value}"])
        for value in ("a.pth", "b.pth", "false")
    )
    assert check_changes(first, other, place, "run") == ["model.pretrained: a.pth -> b.pth"]
    with pytest.raises(UserError, match=r"model.pretrained: False -> b.pth"):
        check_changes(none, other, place, "run")
