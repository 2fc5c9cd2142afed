"""The card of a run's model: what was trained on what, for how long, and how good it is."""

import time
from pathlib import Path
from typing import Any

from common.batches.block import count_steps
from common.batches.folders import PhotoSplit
from common.config.sections import TaskConfig
from common.evaluation.report import Results
from common.models.card import CARD_FILE
from common.pages.page import flatten
from common.runs.page import read_history
from common.runtime.files import read_json, write_json


def write_card(run: Path, task: str, config: TaskConfig, photos: PhotoSplit, results: Results) -> None:
    """Writes `card.json` into a run's folder."""
    environments = read_json(run / "environment.json")
    last = environments[-1]
    kept_back: Any = {"output": True, "loss": True, "data": {"path", "cache", "valid"}}
    sections = without_files(config.model_dump(exclude_defaults=True, exclude=kept_back))
    sections["loss"] = {name: value for name, value in config.loss.without_paths().items() if value}
    card: dict[str, Any] = {
        "task": task,
        "trained": time.strftime("%Y-%m-%d"),
        "photos": f"{len(photos.train)} to train on, {len(photos.held_out)} held out",
        "steps": count_steps(len(photos.train), config),
        "minutes": round(minutes_of(run), 1),
        "hardware": last["device"],
        "precision": last["precision"],
        "program": f"perceptual-enhance {last['version']}, commit {last['git_commit'] or 'unknown'}",
        "torch": last["packages"]["torch"],
        "config": flatten(sections),
        "held-out photos": results.averages,
    }
    write_json(run / CARD_FILE, card)


def minutes_of(run: Path) -> float:
    """Of all epochs, with what was measured after each."""
    history = read_history(run)
    return 0.0 if history.empty else sum(history["seconds"].tolist()) / 60


def without_files(value: Any) -> Any:
    """A config's values without what names a file or a folder of this machine, or a list of them."""
    if isinstance(value, dict):
        return {key: without_files(each) for key, each in value.items() if not names_files(each)}
    if isinstance(value, list | tuple):
        return [without_files(each) for each in value if not names_files(each)]
    return value


def names_files(value: Any) -> bool:
    return isinstance(value, Path) or (isinstance(value, list | tuple) and bool(value) and all(map(names_files, value)))
