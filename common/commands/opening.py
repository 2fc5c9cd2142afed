"""A MODEL of a command line, opened as its options say."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from common.commands.arguments import mix_models, values_of
from common.runtime.errors import UserError
from common.task import Task

if TYPE_CHECKING:
    from torch import nn

    from common.models.onnx_model import OnnxModel


def open_any_model(task: Task, path: Path, args: argparse.Namespace) -> "nn.Module":
    """The model of a file, ONNX or other, ready to run. Raises UserError if it cannot be opened."""
    return open_onnx(task, path, args) if path.suffix.lower() == ".onnx" else open_model(task, path, args)


def open_model(task: Task, path: Path, args: argparse.Namespace) -> "nn.Module":
    """The model of a file, mixed with --blend, ready on its --device."""
    from common.inference.ready import ready
    from common.runtime.devices import get_device

    use = task.use()
    if args.trust_pickle:
        from common.models.fastai_export import import_exported_model  # fastai takes seconds to import

        model = import_exported_model(path, use.model_class)
    else:
        model = use.load(path)
    model = use.choose(mix_models(args, model, use.load), **values_of(task.options, args, at_opening=True))
    return ready(model, get_device(args.device), args.precision)


def open_onnx(task: Task, path: Path, args: argparse.Namespace) -> "OnnxModel":
    """The model of an ONNX file. Raises UserError for options that need a torch model."""
    from common.models.onnx_model import OnnxModel

    fixed = [option for option in task.options if not option.fits_onnx]
    for flag, given in (
        ("--blend", args.blend is not None),
        ("--part", args.part is not None),
        ("--precision", args.precision != "auto"),
        ("--trust-pickle", args.trust_pickle),
        *((option.flag, getattr(args, option.name) != option.default) for option in fixed),
    ):
        if given:
            raise UserError(f"{flag}: not for an ONNX file; give the model.safetensors that it was made from")
    return OnnxModel(path, task.name, args.device)
