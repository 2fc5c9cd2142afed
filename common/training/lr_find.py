"""fastai's learning-rate finder: the curve as a picture, and a suggestion."""

from pathlib import Path
from tempfile import TemporaryDirectory

from matplotlib.figure import Figure

from common.config.sections import StageConfig
from common.runtime.errors import UserError
from common.runtime.files import atomic_write
from common.training.advice import advice_for
from common.training.learner import StageLearner, without_progress_bars


def find_lr(learn: StageLearner, path: Path, steps: int = 100) -> float:
    """Trains `steps` steps at rates from 1e-7 up to 10, and draws the loss over the rate into `path`.

    Returns the rate in the middle of the longest fall (fastai's `valley`). The weights stay as they were. The run ends
    early where the loss rises to four times its lowest. Raises UserError if that leaves too few steps to judge.
    """
    without_progress_bars(learn)
    try:
        with TemporaryDirectory() as folder:  # for the weights, which fastai saves and puts back
            learn.path = Path(folder)  # pyright: ignore[reportAttributeAccessIssue] (fastai sets it by name)
            lr = float(learn.lr_find(num_it=steps, show_plot=False).valley)  # pyright: ignore[reportAttributeAccessIssue]
    except (IndexError, ValueError, RuntimeError, MemoryError) as error:
        if advice := advice_for(error, learn.stage, learn.train_config):
            raise UserError(advice) from error
        if not isinstance(error, IndexError | ValueError) or len(learn.recorder.losses) > steps // 4:
            raise
        raise UserError(
            f"the loss diverged after {len(learn.recorder.losses)} steps, before a rate could be judged; is a weight "
            "of the loss far too high?"
        ) from error
    skipped = steps // 10  # the first ones, whose running mean is not one yet; fastai leaves them out as well
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
