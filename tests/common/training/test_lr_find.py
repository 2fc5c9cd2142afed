import numpy as np
import pytest
import torch
from fastai.data.core import DataLoaders
from PIL import Image
from torch import nn

from common.batches.loader import SeededDL
from common.config.losses import LossConfig
from common.config.sections import StageConfig, TrainConfig
from common.losses.loss import PerceptualLoss
from common.runtime.errors import TrainingStopped, UserError
from common.training import learner as training
from common.training.learner import ModelFiles
from common.training.lr_find import find_lr, format_override, format_rate


class Brightness(nn.Module):
    """x + bias: the best bias is 0.5 on PAIRS."""

    def __init__(self, steep=1.0):
        super().__init__()
        self.bias, self.steep = nn.Parameter(torch.zeros(1)), steep

    def forward(self, x):
        return x + self.steep * self.bias


def make_learner(model, accumulate=1, **terms):
    pairs = [(torch.full((3, 32, 32), 0.2), torch.full((3, 32, 32), 0.7))] * 4
    dls = DataLoaders(*(SeededDL(pairs, bs=2, num_workers=0, device=torch.device("cpu")) for _ in range(2)))
    train = TrainConfig(stages=[StageConfig(crop=32, bs=2, epochs=1, lr=1e-3)], precision="fp32", accumulate=accumulate)
    files = ModelFiles(save=lambda path, model: None, load=lambda path: model)
    loss = PerceptualLoss(LossConfig(**terms or {"mse": 1}))
    return training.make_learner(train, lambda stage: dls, model, loss, [], lambda *_: {}, files)


def test_the_suggestion_is_where_the_loss_falls(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    learn = make_learner(Brightness())
    lr = find_lr(learn, tmp_path / "curve.png")
    # Adam moves by the rate in each step: with 1e-3 hardly by a tenth in 100 steps, with 1 far beyond 0.5.
    assert 1e-3 < lr < 1
    assert learn.model.bias.item() == 0
    with Image.open(tmp_path / "curve.png") as picture:
        assert np.asarray(picture.convert("L")).std() > 5  # not blank
    assert [path.name for path in tmp_path.iterdir()] == ["curve.png"]


def test_a_loss_below_zero_does_not_end_at_its_first_step(tmp_path):
    learn = make_learner(Brightness(), psnr=1)
    assert 1e-5 < find_lr(learn, tmp_path / "curve.png") < 1
    assert len(learn.recorder.losses) > 50


def test_steps_of_several_batches_are_counted_as_steps(tmp_path):
    learn = make_learner(Brightness(steep=1e-9), accumulate=2)  # its loss stays as it is
    find_lr(learn, tmp_path / "curve.png", steps=20)
    assert len(learn.recorder.losses) == 40


def test_a_loss_that_explodes_at_once_is_told(tmp_path):
    with pytest.raises(UserError, match=r"the loss diverged after \d+ steps"):
        find_lr(make_learner(Brightness(steep=1e9)), tmp_path / "curve.png")
    assert not (tmp_path / "curve.png").exists()


def test_another_error_is_not_called_a_loss_that_diverged(tmp_path):
    class Wrong(Brightness):
        def forward(self, x):
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        find_lr(make_learner(Wrong()), tmp_path / "curve.png")


@pytest.mark.parametrize(("lr", "text"), [(1.23e-3, "1.2e-3"), (1e-3, "1e-3"), (0.96, "9.6e-1"), (2, "2e0")])
def test_rates_have_two_digits(lr, text):
    assert format_rate(lr) == text
    assert float(text) == pytest.approx(lr, rel=0.05)


def test_a_pair_keeps_its_ratio():
    assert format_override(1, StageConfig(crop=32, bs=2, epochs=1, lr=[1e-5, 1e-3]), 2e-3) == (
        "train.stages.1.lr=[2e-5,2e-3]"
    )
    assert format_override(0, StageConfig(crop=32, bs=2, epochs=1, lr=1e-3), 2e-3) == "train.stages.0.lr=2e-3"


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("CUDA out of memory. Tried to allocate 2.00 GiB", r"train.stages.0 does not fit into memory .*stages.0.bs=1"),
        (
            "DataLoader worker (pid 7) is killed by signal: Bus error. ",
            r"a process that loads photos has ended .*--shm-size",
        ),
    ],
)
def test_memory_that_ran_out_is_not_called_a_loss_that_diverged(tmp_path, said, advice):
    class Full(Brightness):
        def forward(self, x):
            raise RuntimeError(said)

    with pytest.raises(UserError, match=advice):
        find_lr(make_learner(Full()), tmp_path / "curve.png")


def test_a_training_whose_loading_process_was_lost_says_what_to_change():
    class Lost(Brightness):
        def forward(self, x):
            raise RuntimeError("DataLoader worker (pid(s) 7) exited unexpectedly")

    learn = make_learner(Lost())
    learn.begin_stage(0)
    with pytest.raises(TrainingStopped, match=r"train.workers=2, or 0. On resume train.workers may change"):
        learn.fit_stage()
