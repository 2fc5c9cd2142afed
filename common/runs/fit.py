"""The fit of a run: its folder gets history, pictures and checkpoints, and it can be stopped and resumed."""

from pathlib import Path

from fastai.callback.core import Callback

from common.runs.callbacks import Checkpoints, History, Pictures
from common.runs.page import RELOAD_SECONDS, Report, write_run_page
from common.runs.resume import RESUME_FILE, ResumePoint, read_resume_point
from common.runtime import processes
from common.runtime.errors import TrainingStopped
from common.runtime.interrupt import StopRequest
from common.training.learner import StageLearner, without_progress_bars


def fit_run(learn: StageLearner, run: Path) -> Path:
    """Trains as `StageLearner.fit_stages` does, and keeps all that comes of it in the folder `run`.

    Returns the checkpoint with the lowest validation loss. If the folder has a resume point, training continues from
    there. TensorBoard logs, if wanted, go into one folder per stage. Raises TrainingStopped after Ctrl-C or when memory
    runs out, TrainingDiverged as `common.runtime.finite` says, WriteError if a checkpoint
    cannot be written.
    """
    train, request = learn.train_config, StopRequest()
    learn.path = run  # pyright: ignore[reportAttributeAccessIssue] (fastai sets it in __init__ by name)
    checkpoints = Checkpoints(run / "checkpoints", learn.files.save)
    resume_point = ResumePoint(run / RESUME_FILE, train.checkpoint_minutes, train.accumulate, request)
    writers = [
        History(run / "history.csv", train.stages),
        Pictures(run / "pictures", learn.get_columns),
        checkpoints,
        Report(run),
        resume_point,
    ]
    without_progress_bars(learn)
    if processes.is_main():
        write_run_page(run, "training", reload_seconds=RELOAD_SECONDS)
    with request, learn.added_cbs(writers):  # already here: fastai, making loaders, would swallow what Ctrl-C raises
        state = read_resume_point(run / RESUME_FILE)
        for index, stage in enumerate(train.stages):
            if state is not None and index < state["stage"]:
                continue
            learn.begin_stage(index)
            if state is not None and index == state["stage"]:
                resume_point.restore(state)
                state = None  # frees it: it is as large as the model and the optimizer
            if learn.start[0] < stage.epochs:
                logs = run / f"tensorboard/stage_{index + 1}"
                learn.fit_stage([tensorboard_callback(logs)] if train.tensorboard and processes.is_main() else [])
        if resume_point.stop_requested():
            raise TrainingStopped("stopped after the last epoch", 130)
    return checkpoints.best


def tensorboard_callback(folder: Path) -> Callback:
    from fastai.callback.tensorboard import TensorBoardCallback  # an optional package, checked by TrainConfig

    return TensorBoardCallback(folder, trace_model=False, log_preds=False)
