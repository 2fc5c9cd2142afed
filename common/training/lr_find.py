"""fastai's learning-rate finder: the curve as a picture, and a suggestion."""

from pathlib import Path
from tempfile import TemporaryDirectory

from fastai.callback.core import Callback
from fastai.learner import CancelFitException  # pyright: ignore[reportAttributeAccessIssue]
from matplotlib.figure import Figure

from common.config.sections import StageConfig
from common.runtime.errors import UserError
from common.runtime.files import atomic_write
from common.training.advice import advice_for
from common.training.learner import StageLearner, without_progress_bars


class StopWhereLossRises(Callback):
    """Ends the run where the smoothed loss is four times its lowest, or as far above one that is below zero.

    fastai's own rule, four times the lowest, ends a run with a negative loss at its first batch.
    """

    order = 61  # after Recorder

    def before_fit(self) -> None:
        self.lowest = float("inf")

    def after_batch(self) -> None:
        loss = float(self.smooth_loss)
        self.lowest = min(self.lowest, loss)
        if loss > self.lowest + 3 * abs(self.lowest):
            raise CancelFitException


def find_lr(learn: StageLearner, path: Path, steps: int = 100) -> float:
    """Trains `steps` steps at rates from 1e-7 up to 10, and draws the loss over the rate into `path`.

    Returns the rate in the middle of the longest fall (fastai's `valley`). The weights stay as they were. The run ends
    early where the loss rises to four times its lowest. Raises UserError if that leaves too few steps to judge.
    """
    without_progress_bars(learn)
    batches = steps * learn.train_config.accumulate
    try:
        with TemporaryDirectory() as folder:  # for the weights, which fastai saves and puts back
            learn.path = Path(folder)  # pyright: ignore[reportAttributeAccessIssue] (fastai sets it by name)
            with learn.added_cbs([StopWhereLossRises()]):
                found = learn.lr_find(num_it=batches, stop_div=False, show_plot=False)  # pyright: ignore[reportAttributeAccessIssue]
            lr = float(found.valley)
    except (IndexError, ValueError, RuntimeError, MemoryError) as error:
        if advice := advice_for(error, learn.stage, learn.train_config):
            raise UserError(advice) from error
        if not isinstance(error, IndexError | ValueError) or len(learn.recorder.losses) > batches // 4:
            raise
        done = -(-len(learn.recorder.losses) // learn.train_config.accumulate)
        raise UserError(
            f"the loss diverged after {done} steps, before a rate could be judged; is a weight "
            "of the loss far too high?"
        ) from error
    skipped = batches // 10  # the first ones, whose running mean is not one yet; fastai leaves them out as well
    rates, losses = learn.recorder.lrs[skipped:-5], [float(loss) for loss in learn.recorder.losses[skipped:-5]]
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.plot(rates, losses)
    axes.axvline(lr, color="tab:orange", label=f"suggested: {format_rate(lr)}")
    axes.set(xscale="log", xlabel="learning rate", ylabel="training loss")
    axes.grid(alpha=0.3)
    axes.legend()
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=120, format="png")
    return lr


def format_rate(lr: float) -> str:
    """Two digits, as one would write them: 1.2e-3."""
    digits, exponent = f"{lr:.1e}".split("e")
    return f"{digits.removesuffix('.0')}e{int(exponent)}"


def format_override(index: int, stage: StageConfig, lr: float) -> str:
    """What to put on the command line: with the ratio that the stage has, if its rate is a pair."""
    if isinstance(stage.lr, list):
        encoder, rest = stage.lr
        return f"train.stages.{index}.lr=[{format_rate(lr * encoder / rest)},{format_rate(lr)}]"
    return f"train.stages.{index}.lr={format_rate(lr)}"
