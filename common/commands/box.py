"""The models in the box: trained ones that a task's package brings along, found by their names."""

import logging
from argparse import ArgumentParser
from functools import partial
from pathlib import Path

from common.commands.arguments import model_path, number_at_least
from common.photos.formats import HEIF_SUFFIXES, READABLE_SUFFIXES, UNREADABLE_SUFFIXES, VIDEO_SUFFIXES
from common.runtime.errors import UserError
from common.runtime.nearest import did_you_mean
from common.task import Task

log = logging.getLogger(__name__)

PHOTOS_AND_VIDEOS = (*READABLE_SUFFIXES, *HEIF_SUFFIXES, *UNREADABLE_SUFFIXES, *VIDEO_SUFFIXES)  # readable here or not
MODEL_SUFFIXES = (".safetensors", ".pth", ".pt", ".ckpt", ".onnx", ".pkl", ".bin", ".pickle")


def box_of(task: Task) -> dict[str, Path]:
    """{name: model file}."""
    return {path.stem: path for path in sorted(task.box.glob("*.safetensors"))} if task.box is not None else {}


def find_model(task: Task, word: str) -> Path:
    """The model file that a word of the command line means: a file, a run's folder, or a name in the box.

    A file or folder of one's own goes before the box, with a line.
    """
    path, box = model_path(word), box_of(task)
    if word in box and not path.exists():
        return box[word]
    if word in box:
        log.info("%s: the one in this folder, not the model in the box", word)
    return path


def add_blend_arguments(parser: ArgumentParser, task: Task) -> None:
    """[--blend OTHER] [--part PART]."""
    parser.add_argument(
        "--blend",
        type=partial(find_model, task),
        metavar="OTHER",
        help="mix MODEL's weights with those of another model of the same shape (file, run's folder, or name in the "
        "box); it works best if one was trained from the other",
    )
    parser.add_argument(
        "--part",
        type=number_at_least(0.0, float, at_most=1.0),
        help="share of OTHER: 0 is MODEL alone, 1 is OTHER [0.5]",
    )


def split_words(task: Task, words: list[str]) -> tuple[Path, list[str]]:
    """(the model, the photos) of a command line MODEL PHOTO...; without a model, the task's own first choice.

    Raises UserError if there is none, or no photo.
    """
    first, box = words[0], box_of(task)
    path = Path(first).expanduser()
    is_run = (path / "model.safetensors").exists()
    if not is_run and (path / "environment.json").exists():
        raise UserError(f"{first}: a run that has no model yet (python -m {task.name}.train --resume {first})")
    if is_run or first in box or path.suffix.lower() in MODEL_SUFFIXES:
        if len(words) == 1:
            raise UserError(f"{first}: a model; name the photos after it")
        return find_model(task, first), words[1:]
    if path.is_file() and path.suffix.lower() not in PHOTOS_AND_VIDEOS:
        if len(words) == 1:
            raise UserError(f"{first}: neither a photo of a kind that is read nor a model")
        return path, words[1:]  # whoever opens it says what is wrong
    if len(words) > 1 and not path.exists():
        raise UserError(f"{first}: no such model file, photo or folder{did_you_mean(first, box)}")
    choice = next((box[name] for name in task.first_choice if name in box), None)
    if choice is None:
        raise UserError(f"{first}: not a model; give MODEL.safetensors or a run's folder first")
    log.info("model: %s, of those in the box (python -m %s.models)", choice.stem, task.name)
    return choice, words
