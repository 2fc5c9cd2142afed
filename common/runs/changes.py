"""What of a config may change between a stop and `--resume`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from common.config.losses import NO_FILES
from common.config.sections import TaskConfig
from common.runtime.errors import UserError


def resumable_keys(config: TaskConfig | type[TaskConfig]) -> dict[str, str]:
    """{key that may change between stop and resume, as it changes neither data nor schedule: how}."""
    train = ("device", "precision", "compile", "workers", "accumulate", "checkpoint_minutes", "measure", "tensorboard")
    return {
        "data.path": "where the same photos are now",
        "data.cache": "",
        **dict.fromkeys(config.movable, "where the same files are now"),
        "loss.vgg": "where the same file is now",
        **dict.fromkeys((f"train.{key}" for key in train), ""),
    }


def check_changes(old: TaskConfig, new: TaskConfig, position: Mapping[str, int], run: Path) -> list[str]:
    """Returns a line 'key: old -> new' for each difference between the configs. Raises UserError if one is not allowed.

    old, new: configs of a task. position: 'stage', 'epoch' and 'step' that the run has reached.
    """
    before, now = flatten_keys(old.model_dump(mode="json")), flatten_keys(new.model_dump(mode="json"))
    changed = [key for key in {**before, **now} if before.get(key) != now.get(key) and not key.startswith("output.")]
    lines = {key: f"{key}: {before.get(key, 'none')} -> {now.get(key, 'none')}" for key in changed}
    refused = [lines[key] for key in changed if not may_change(key, old, new, position)]
    if refused:
        allowed = ", ".join(f"{key}{note and f' ({note})'}" for key, note in resumable_keys(new).items())
        raise UserError(
            f"{run}: was not trained with these, so it cannot continue with them:\n       "
            + "\n       ".join(refused)
            + f"\n       What may change: {allowed}; epochs of the current stage and of later ones "
            f"(train.stages.{position['stage']}.epochs, at least {position['epoch']}), and more stages, with crops no "
            "larger. Anything else is a new run, without --resume"
        )
    return list(lines.values())


def may_change(key: str, old: TaskConfig, new: TaskConfig, position: Mapping[str, int]) -> bool:
    """Whether a resumed run may change this key, given the position that it has reached."""
    if key == "loss.vgg":
        return not {old.loss.vgg, new.loss.vgg} & {"torchvision", "random"}
    if key.startswith("loss.") and key.endswith(".weights"):  # where the same file is now
        name = key.split(".")[1]
        files = {getattr(getattr(loss, name), "weights", None) for loss in (old.loss, new.loss)}
        return not files & {None, *NO_FILES}
    if key in resumable_keys(new):
        return True
    if key.startswith("model.") and key.endswith("pretrained"):  # the resume point has what was read from the file
        return all(isinstance(flatten_keys(config.model_dump(mode="json")).get(key), str) for config in (old, new))
    if not key.startswith("train.stages."):
        return False
    index, name = int(key.split(".")[2]), key.split(".")[3]
    if index >= len(new.train.stages) or new.train.largest_crop() != old.train.largest_crop():
        return False
    if index >= len(old.train.stages):
        return True
    min_epochs = position["epoch"] + (position["step"] > 0) if index == position["stage"] else 1
    return name == "epochs" and index >= position["stage"] and new.train.stages[index].epochs >= min_epochs


def flatten_keys(values: Mapping[str, Any] | Sequence[Any], prefix: str = "") -> dict[str, Any]:
    """{'a': {'b': [1]}} -> {'a.b.0': 1}."""
    items = values.items() if isinstance(values, Mapping) else enumerate(values)
    result: dict[str, Any] = {}
    for key, value in items:
        if isinstance(value, dict | list) and value:
            result |= flatten_keys(value, f"{prefix}{key}.")
        else:
            result[f"{prefix}{key}"] = value
    return result
