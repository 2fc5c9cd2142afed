"""What to do when memory runs out, a loading worker is lost, or compiled code fails."""

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager

from common.config.sections import StageConfig, TrainConfig
from common.runtime import processes
from common.runtime.errors import TrainingStopped
from common.runtime.out_of_memory import is_out_of_memory, lost_worker_advice
from common.training.compiled import compiled_code_advice


@contextmanager
def advising(index: int, train: TrainConfig) -> Iterator[None]:
    """Within it TrainingStopped, with advice, takes the place of errors of stage `index` for which there is some."""
    try:
        yield
    except (RuntimeError, MemoryError, AssertionError) as error:
        if advice := advice_for(error, index, train):
            raise TrainingStopped(advice) from error
        raise


def advice_for(error: Exception, index: int, train: TrainConfig) -> str | None:
    """What to do about an error of stage `index`; None if nothing is known."""
    if is_out_of_memory(error):
        return out_of_memory_advice(index, train.stages[index], train, error)
    return lost_worker_advice(error) or compiled_code_advice(error)


def out_of_memory_advice(index: int, stage: StageConfig, train: TrainConfig, error: BaseException) -> str:
    """What to change when stage `index` does not fit into memory, with values that need about half as much."""
    parts = processes.count() * train.accumulate
    candidates = range(2 * train.accumulate, stage.bs + 1)
    more_parts = next((n for n in candidates if stage.bs % (processes.count() * n) == 0), None)
    crop = max(32, round(stage.crop / 2**0.5) // 32 * 32)
    options: list[str] = []
    if more_parts and stage.bs > parts:
        options.append(f"train.accumulate={more_parts} (the same steps in smaller parts)")
    if stage.bs >= 2 * parts:
        options.append(f"train.stages.{index}.bs={stage.bs // 2 // parts * parts}")
    if crop < stage.crop:
        options.append(f"train.stages.{index}.crop={crop}")
    return (
        f"train.stages.{index} does not fit into memory ({textwrap.shorten(str(error), 120)}). Each of these needs "
        f"about half as much: {', '.join(options) or 'a smaller model'}. On resume train.accumulate may change"
    )
