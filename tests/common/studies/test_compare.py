import pytest

from common.config.yaml_file import load_config
from common.runs.outcome import run_training
from common.runs.resume import RESUME_FILE
from common.runtime.errors import TrainingDiverged, TrainingStopped, UserError
from common.studies.compare import train_variants
from common.studies.report import draw_trade_offs, study_table
from common.studies.seeds import clear_best, over_seeds, run_names
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
    given, configs = read_study(study, TASK, ["train.wd=0", "loss.tv=0.25"])
    assert given.variants["mixed"] == {"loss.l1": 0.5}
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
    (runs / "plain" / RESUME_FILE).parent.mkdir()
    (runs / "plain" / RESUME_FILE).touch()  # killed after its pictures, before its card and its page
    (runs / "plain/config.yaml").touch()
    train_variants(TASK, runs, configs, photos="photos")
    assert calls[2:] == [("plain", runs / "plain", "photos", True)]
    assert not (runs / "plain" / RESUME_FILE).exists()


def test_a_study_can_be_loaded_as_it_was_saved_and_changes_where_it_may(study, tmp_path):
    given, configs = read_study(study, TASK, [])
    variants = {"1e-3": {"train.seed": 5}, **given.variants}  # a name that looks like a number
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
        averages, {"dB": True, "ab error": False, "absent": True}, run_names("abc", 1), {"a": 3}, {"a": 0.51}, {}
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


def test_each_variant_is_trained_with_several_seeds(study, tmp_path):
    study.write_text(study.read_text() + "\nseeds: 2\n")
    given, configs = read_study(study, TASK, [])
    assert list(configs) == [f"{name}_seed{i}" for name in ("plain", "mixed", "features") for i in (0, 1)]
    assert [config.train.seed for config in configs.values()] == [0, 1, 0, 1, 7, 8]
    assert configs["plain_seed0"].loss == configs["plain_seed1"].loss
    saved = SavedStudy(
        task="superres", name="mine", command=[], vgg=None, lpips=None, variants=given.variants, seeds=given.seeds
    )
    save_study(tmp_path, saved, configs)
    assert load_study(tmp_path, TASK, []) == (saved, configs)


def test_means_over_seeds_and_what_is_clear():
    runs = run_names(["a", "b"], 2)
    averages = {"bicubic dB": 30.0, "a_seed0 dB": 31.0, "a_seed1 dB": 31.4, "b_seed0 dB": 32.0}  # one of b diverged
    spreads = over_seeds(averages, runs)
    assert spreads["a dB"] == pytest.approx((31.2, 0.2, 2))
    assert spreads["b dB"] == (32.0, 0, 1)
    assert clear_best(spreads, runs, "dB", higher=True) is None  # one of the best's runs diverged
    both = over_seeds({**averages, "b_seed1 dB": 32.2}, runs)
    assert clear_best(both, runs, "dB", higher=True) == "b"
    assert clear_best(both, runs, "dB", higher=False) == "a"
    near = over_seeds({**averages, "b_seed1 dB": 31.1}, runs)
    assert clear_best(near, runs, "dB", higher=True) is None  # within the ranges
    table = study_table(averages, {"dB": True}, runs, {"a_seed0": 3}, {"a_seed0": 0.5, "a_seed1": 0.7}, {})
    cells = [[f"**{cell['text']}**" if cell["best"] else cell["text"] for cell in row] for row in table["rows"]]
    assert cells == [
        ["bicubic", "30.00", "", ""],
        ["a", "31.20 ± 0.2", "3", "0.6"],
        ["b", "32.00 ± 0 (1 of 2)", "", ""],
    ]


def test_a_point_for_each_variant_where_two_metrics_were_measured():
    means = {
        "a PSNR-Y": 30.0,
        "a LPIPS": 0.1,
        "b PSNR-Y": 31.0,
        "b LPIPS": 0.2,
        "bicubic PSNR-Y": 29.0,
        "c PSNR-Y": 3.0,
    }
    (chart,) = draw_trade_offs(means, ["a", "b", "c"])
    assert chart.count("<circle") == 2
    assert "LPIPS over PSNR-Y: a 30, 0.1; b 31, 0.2" in chart
    assert draw_trade_offs({"a PSNR-Y": 1.0}, ["a"]) == []
