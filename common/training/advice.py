"""What to change in a config when memory runs out."""

import textwrap

from common.config.sections import StageConfig, TrainConfig
from common.runtime import processes


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
        options.append(f"train.stages.{index}.bs={stage.bs // 2}")
    if crop < stage.crop:
        options.append(f"train.stages.{index}.crop={crop}")
    return (
        f"train.stages.{index} does not fit into memory ({textwrap.shorten(str(error), 120)}). Each of these needs "
        f"about half as much: {', '.join(options) or 'a smaller model'}. On resume train.accumulate may change"
    )
