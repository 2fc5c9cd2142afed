import pytest

from common.config.yaml_file import load_config
from common.runs.outcome import run_training
from common.runtime.errors import TrainingDiverged, TrainingStopped, UserError
from common.studies.compare import train_variants
from common.studies.report import study_table
from common.studies.study import SavedStudy, load_study, read_study, save_study
from superres.task import TASK

BASE = "data: {scale: 2}\nloss: {l1: 1, ssim: 0.1}\ntrain: {stages: [{crop: 64, bs: 4, epochs: 2, lr: 1e-3}]}\n"
STUDY = """
base: ../base.yaml
changes: {loss: {mse: 1}, train.stages.0.epochs: 3}
variants:
  plain: {}
  mixed: {loss.l1: 0.5}
  features: {loss: {features: {weight: 1, layers: {relu2_2: 1}}}, train.seed: 7}
"""


@pytest.fixture
def study(tmp_path):
    (tmp_path / "base.yaml").write_text(BASE)
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies/mine.yaml").write_text(STUDY)
    return tmp_path / "studies/mine.yaml"


def test_a_variant_is_the_base_with_the_changes_its_own_and_the_words(study):
    variants, configs = read_study(study, TASK, ["train.wd=0", "loss.tv=0.25"])
    assert variants["mixed"] == {"loss.l1": 0.5}
    losses = {name: config.loss for name, config in configs.items()}
    # A section that is given whole takes the place of the one before.
    assert (losses["plain"].mse, losses["plain"].l1, losses["plain"].ssim, losses["plain"].tv) == (1, 0, 0, 0.25)
    assert (losses["mixed"].mse, losses["mixed"].l1) == (1, 0.5)
    assert losses["features"].active_terms() == ["tv", "features"]
    assert {config.train.stages[0].epochs for config in configs.values()} == {3}
    assert [config.train.seed for config in configs.values()] == [0, 0, 7]
    assert {config.train.wd for config in configs.values()} == {0}
    assert load_config(TASK.config, study.parent.parent / "base.yaml").train.stages[0].epochs == 2


def test_what_is_finished_is_not_trained_again_and_what_began_goes_on(study, tmp_path, monkeypatch):
    _, configs = read_study(study, TASK, [])
    runs, calls = tmp_path / "runs", []
    for name, file in (("plain", "comparison.png"), ("mixed", "config.yaml"), ("features", "environment.json")):
        (runs / name).mkdir(parents=True)
        (runs / name / file).touch()

    def train(task, config, name, resume, photos):
        assert task is TASK
        calls.append((name, resume, photos, (runs / name).exists()))
        assert (config.output.path, config.output.name) == (runs, name)
        if name == "mixed":
            raise TrainingDiverged("the loss is nan")

    monkeypatch.setattr("common.studies.compare.log_to_file", lambda path: None)
    monkeypatch.setattr("common.studies.compare.train", train)
    assert train_variants(TASK, runs, configs, photos="photos") == ["mixed"]
    assert calls == [("mixed", runs / "mixed", "photos", True), ("features", None, "photos", False)]
    (runs / "features").mkdir()
    (runs / "features/comparison.png").touch()
    assert train_variants(TASK, runs, configs, photos="photos") == ["mixed"]  # not again: it would be a second chance
    assert len(calls) == 2


def test_a_study_can_be_loaded_as_it_was_saved_and_changes_where_it_may(study, tmp_path):
    variants, configs = read_study(study, TASK, [])
    variants = {"1e-3": {"train.seed": 5}, **variants}  # a name that looks like a number
    configs["1e-3"] = configs["plain"]
    saved = SavedStudy(task="superres", name="mine", command=["python"], vgg=None, lpips=None, variants=variants)
    save_study(tmp_path, saved, configs)
    assert load_study(tmp_path, TASK, []) == (saved, configs)
    _, changed = load_study(tmp_path, TASK, ["train.accumulate=2"])
    assert {config.train.accumulate for config in changed.values()} == {2}
    with pytest.raises(
        UserError,
        match=r"train.wd: may not change once a study has begun; data.path, data.cache, data.low, loss.vgg, .* may",
    ):
        load_study(tmp_path, TASK, ["train.wd=2"])


@pytest.mark.parametrize(
    ("raised", "status", "said"),
    [
        (KeyboardInterrupt(), 130, "stopped at once: what was done since the last save is lost"),
        (TrainingStopped("stopped after epoch 1", 130), 130, "stopped after epoch 1"),
        (TrainingStopped("does not fit into memory"), 1, "error: does not fit into memory"),
    ],
)
def test_what_stops_a_study_is_told_with_how_to_go_on(tmp_path, caplog, raised, status, said):
    def work():
        raise raised

    with caplog.at_level("INFO"):
        assert run_training("x.compare", work, lambda: tmp_path) == status
    assert caplog.messages == [f"{said}\nto continue:  python -m x.compare --resume {tmp_path}"]


def test_the_best_variant_of_each_metric_is_bold_and_a_baseline_never():
    averages = {"bicubic dB": 40.0, "bicubic ab error": 0.1, "a dB": 30.0, "a ab error": 3.0, "b dB": 31.0}
    averages |= {"b ab error": 4.0, "target colours": 12.3}
    table = study_table(
        averages, {"dB": True, "ab error": False, "absent": True}, ["a", "b", "c"], {"a": 3}, {"a": 0.51}
    )
    assert table["columns"] == ["", "dB ↑", "ab error ↓", "colours", "steps", "minutes"]
    cells = [[f"**{cell['text']}**" if cell["best"] else cell["text"] for cell in row] for row in table["rows"]]
    assert cells == [
        ["bicubic", "40.00", "0.1000", "", "", ""],
        ["a", "30.00", "**3.000**", "", "3", "0.5"],
        ["b", "**31.00**", "4.000", "", "", ""],
        ["target", "", "", "12.30", "", ""],
        ["c", "diverged", "diverged", "diverged", "", ""],
    ]
