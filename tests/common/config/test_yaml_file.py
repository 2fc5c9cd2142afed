from pathlib import Path

import pytest
import yaml

import colorize.task
import styletransfer.task
import superres.task
from common.config.damages import PRESETS
from common.config.keys import describe_keys
from common.config.yaml_file import load_config, save_config
from common.runtime.errors import UserError
from superres.config import Config
from tests.common.config.conftest import MINIMAL


def refusal(path, *overrides):
    with pytest.raises(UserError) as error:
        load_config(Config, path, overrides)
    return str(error.value)


def test_overrides_change_any_key(file):
    config = load_config(
        Config, file, ["data.scale=4", "train.stages.0.lr=[1e-5, 1e-3]", "data.valid=[a.png]", "model.norm=none"]
    )
    assert config.data.scale == 4
    assert config.train.stages[0].lr == [1e-5, 1e-3]
    assert config.data.valid == ["a.png"]
    assert config.model.norm == "none"
    assert config.train.stages[0].bs == 2


def test_an_override_makes_missing_sections(file):
    config = load_config(Config, file, ["loss.gram.weight=2", "loss.gram.layers.relu1_2=1e3"])
    assert config.loss.gram.layers == {"relu1_2": 1000.0}


@pytest.mark.parametrize(("text", "value"), [("1e-3", 0.001), ("2E2", 200.0), ("1", 1.0), (".5", 0.5), ("1.5e+1", 15)])
def test_numbers_as_people_write_them(file, text, value):
    assert load_config(Config, file, [f"train.wd={text}"]).train.wd == value


def test_saved_config_loads_as_it_was(file, tmp_path):
    config = load_config(Config, file, ["data.path=photos", "loss.features.weight=1", "loss.features.layers.relu2_2=5"])
    save_config(config, tmp_path / "resolved.yaml")
    assert load_config(Config, tmp_path / "resolved.yaml") == config


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.nrm=batch", "command line: model.nrm: unknown key; must be one of encoder, width, pretrained, norm, "
                            "attention, blur, network, upsample, architecture, options, on_bicubic, "
                            "fused, even; did you mean 'norm'?"),
        ("model.norm=spectrl", "command line: model.norm = spectrl: must be one of batch, weight, spectral, none; "
                               "did you mean 'spectral'?"),
        ("train.wd=ten", "command line: train.wd = ten: must be a valid number"),
        ("train.stages.0.bs=0", "command line: train.stages.0.bs = 0: must be greater than or equal to 1"),
        ("train.stages.0.epochs=1.5", "must be a valid integer"),
        ("train.stages.1.bs=1", "command line: train.stages.1.bs: '1' must be a number from 0 to 0 (which list entry)"),
        ("loss.l1=.nan", "command line: loss.l1 = nan: must be a finite number"),
        ("loss.l1=-1", "must be greater than or equal to 0"),
        ("loss.l1=true", "must be a valid number"),
        ("model.pretrained=1", "must be a valid boolean"),
        ("loss.features.wight=1", "command line: loss.features.wight: unknown key; must be one of weight, from, "
                                  "layers, net, weights, distance; did you mean 'weight'?"),
        ("train.seed.x=1", "command line: train.seed.x: seed is a value, not a section"),
        ("train.seed", "command line: 'train.seed': write an override as section.key=value"),
        ("model.encoder=resnt50", "did you mean 'resnet50'?"),
        ("data.scale=3", "command line: data.scale = 3: must be one of 1, 2, 4, 8"),
    ],
)  # fmt: skip
def test_a_wrong_override_names_place_key_value_and_rule(file, override, message):
    if override.startswith("train.seed.x"):
        file.write_text(yaml.safe_dump({**MINIMAL, "train": {**MINIMAL["train"], "seed": 3}}))
    assert message in refusal(file, override)


def test_an_empty_name_is_named(file):
    file.write_text(yaml.safe_dump({**MINIMAL, "": 3}))
    assert refusal(file).startswith(f"{file}: (an empty name): unknown key; must be one of data, model")


def test_an_unknown_layer_names_the_nearest(file):
    message = refusal(file, "loss.features.weight=1", "loss.features.layers={relu2_9: 1}")
    assert message.startswith("command line: loss.features: layers.relu2_9: must be one of relu1_1,")
    assert "did you mean 'relu2_2'?" in message


def test_a_crop_that_is_no_multiple_of_the_scale_is_refused(file):
    message = refusal(file, "data.scale=4", "train.stages.0.crop=66")
    place = f"{file} with the command line"
    assert message == f"{place}: train.stages.0.crop = 66: must be a multiple of data.scale = 4, such as 64 or 68"


def test_a_blur_wider_than_the_crop_is_refused(file):
    message = refusal(file, "data.degrade=[{blur: {sigma: [1, 6]}}]")
    assert "data.degrade: a blur of sigma 6 must be less than a sixth of the input's side" in message


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("foto", "data.degrade: must be one of clean, photo, heavy, or a list of passes; did you mean 'photo'?"),
        (
            "[{jpeg: {quality: [90, 40]}}]",
            "degrade.0.jpeg: [90, 40]: the first must not be larger than the second",
        ),
        (
            "[{jpg: {quality: 40}}]",
            "data.degrade.0.jpg: unknown key; must be one of blur, resize, noise, jpeg",
        ),
        ("[{}]", "data.degrade.0: an empty pass: give at least one of blur, resize, noise, jpeg"),
        ("[{noise: {sigma: [1, 2, 3]}}]", "data.degrade.0.noise.sigma"),
    ],
)
def test_a_mistake_in_damages_is_named(file, value, message):
    assert message in refusal(file, f"data.degrade={value}")


def test_a_number_is_a_range_and_a_name_a_preset(file):
    degrade = load_config(Config, file, ["data.degrade=[{noise: {sigma: 5}, jpeg: {quality: 40}}]"]).data.degrade
    assert (degrade[0].noise.sigma, degrade[0].jpeg.quality) == ([5, 5], [40, 40])
    assert load_config(Config, file, ["data.degrade=heavy"]).data.degrade == PRESETS["heavy"]
    assert load_config(Config, file, ["data.degrade=clean"]).data.degrade == []


def test_the_same_size_without_damages_is_refused(file):
    assert "data.scale: 1 without damages leaves nothing to learn" in refusal(file, "data.scale=1")


def test_a_loss_without_terms_is_refused(file):
    assert "every term is zero" in refusal(file, "loss.l1=0")


def test_all_mistakes_are_told_at_once(file):
    file.write_text("losss: {l1: 1}\ntrain: {stages: [{crop: 64, bs: 2, epochs: one, lr: 1e-3}]}\n")
    lines = [line.strip() for line in refusal(file).splitlines()]
    assert lines == [
        f"{file}: loss: missing, and it has no default",
        f"{file}: train.stages.0.epochs = one: must be a valid integer",
        f"{file}: losss: unknown key; must be one of data, model, loss, train, output; did you mean 'loss'?",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1", "not valid YAML"),
        ("data: {scale: 2, scale: 4}", "key 'scale' is given twice"),
        ("- 1", "this is a list"),
        ("\x00", "not valid YAML"),
    ],
)
def test_broken_files_are_refused(tmp_path, text, message):
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    assert message in refusal(path)


def test_a_missing_file_is_refused(tmp_path):
    assert "No such file" in refusal(tmp_path / "none.yaml")


def test_help_names_every_key_with_its_default():
    lines = describe_keys(Config)
    assert any(line.split()[:2] == ["model.norm", "[spectral]"] for line in lines)
    assert any(line.startswith("  train.stages.0.crop") for line in lines)


TASKS = {"superres": superres.task.TASK, "colorize": colorize.task.TASK, "styletransfer": styletransfer.task.TASK}


STYLE_TERM = "loss.gram={weight: 1, layers: {relu1_1: 1}}"


def test_batch_norm_of_a_single_value_is_refused(file):
    message = "my.yaml with the command line: train.stages.0: batch norm needs more than one value"
    batch = ["model.norm=batch", "train.stages.0.bs=1"]
    assert message in refusal(file, *batch)  # crops of 64 px, 32 px at low resolution, 1 px in the middle of the U-Net
    assert message in refusal(file, "model.norm=batch", "train.accumulate=2")
    load_config(Config, file, ["model.norm=batch"])
    load_config(Config, file, [*batch, "model.upsample=before"])
    load_config(Config, file, [*batch, "train.stages.0.crop=66"])


@pytest.mark.parametrize("text", ["/x/Holiday #2", "2019", "001", "12:30", "on", "[2019] trip", "~", "a: b", "1e-3"])
def test_a_path_or_a_name_is_what_was_typed(file, text):
    config = load_config(Config, file, [f"data.path={text}", f"output.name={Path(text).name}", f"loss.vgg={text}"])
    assert (config.data.path, config.output.name, config.loss.vgg) == (Path(text), Path(text).name, text)
    style = [STYLE_TERM, "model.johnson={}", f"style.image={text}"]
    assert load_config(TASKS["styletransfer"].config, file, style).style.image == Path(text)


def test_only_the_word_null_means_no_path(file):
    assert load_config(Config, file, ["data.path=null"]).data.path is None
    assert refusal(file, "data.path=") == "command line: data.path: nothing after '='; write null for the default"


@pytest.mark.parametrize("name", ["../elsewhere", "a/b", "..", "a\\b", ""])
def test_a_runs_name_is_no_path(tmp_path, name):
    path = tmp_path / "my.yaml"
    path.write_text(yaml.safe_dump({**MINIMAL, "output": {"name": name}}))
    assert "output.name" in refusal(path)
    assert "must be a name, not a path; output.path says where" in refusal(path)


def test_a_config_in_utf_16_is_said_to_be_one(file):
    file.write_bytes(file.read_text().encode("utf-16"))
    assert refusal(file) == f"{file}: not text in UTF-8, as configs are; save it so"
