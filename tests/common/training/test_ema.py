import torch
from fastai.data.core import DataLoaders
from fastai.data.load import DataLoader
from fastai.learner import Learner
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from common.runs.fit import without_progress_bars
from common.training.ema import Ema, model_in_training, model_to_save


class Remember(nn.Module):
    """A layer with weight norm, a buffer, and what its validation passes gave."""

    def __init__(self):
        super().__init__()
        self.layer = weight_norm(nn.Linear(2, 1))
        self.register_buffer("seen", torch.zeros(1))

    def forward(self, x):
        self.seen += 1
        return self.layer(x)


def get_learner(decay):
    batches = DataLoader(list(zip(torch.randn(40, 2), torch.randn(40, 1), strict=True)), bs=4)
    dls = DataLoaders(batches, batches)
    return without_progress_bars(Learner(dls, Remember(), loss_func=nn.MSELoss(), lr=0.1, cbs=[Ema(decay)]))


def test_the_average_is_that_of_its_formula():
    learn, history = get_learner(0.5), []
    update = learn.ema.after_step

    def noted():
        update()
        history.append([p.detach().clone() for p in learn.model.parameters()])

    learn.ema.after_step = noted
    learn.fit(1)
    expected = history[0]
    for n, weights in enumerate(history[1:], start=1):
        decay = min(0.5, (1 + n) / (10 + n))
        expected = [decay * e + (1 - decay) * w for e, w in zip(expected, weights, strict=True)]
    assert len(history) == 10
    for average, value, last in zip(model_to_save(learn).parameters(), expected, history[-1], strict=True):
        torch.testing.assert_close(average.detach(), value)
        assert not torch.equal(average, last)


def test_validation_measures_the_average_and_training_goes_on_with_the_weights():
    learn, used = get_learner(0.9), {True: [], False: []}
    model = learn.model
    note = learn.ema.before_validate

    def before_validate():
        note()
        used[False].append(learn.model)
        assert not learn.model.training
        assert model_in_training(learn) is model

    learn.ema.before_validate = before_validate
    learn.fit(2)
    assert used[False] == [model_to_save(learn)] * 2
    assert learn.model is model_in_training(learn) is model
    assert model_to_save(learn).seen == learn.model.seen + 10  # what is no parameter is the model's at the last step


def test_a_restored_average_goes_on_where_it_was():
    first, second = get_learner(0.9), get_learner(0.9)
    first.fit(1)
    second.ema.load_state_dict(first.ema.state_dict())
    assert second.ema.averaged.n_averaged == 10
    for a, b in zip(model_to_save(second).parameters(), model_to_save(first).parameters(), strict=True):
        assert torch.equal(a, b)
