"""The command lines of train, predict and evaluate: the same words and flags in every task.

Imports neither torch nor fastai before they are needed, so that --help and mistakes answer at once.
"""

import argparse
import logging
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from common.config.sections import TaskConfig
from common.config.yaml_file import describe_keys, load_config
from common.inference.tile_layout import TILE
from common.runtime.errors import TrainingDiverged, TrainingStopped, UserError, WriteError
from common.runtime.files import check_can_write, read_json

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import nn

    from common.evaluation.report import Results
    from common.task import Task

log = logging.getLogger(__name__)

CONFIGS = Path(__file__).parent.parent / "configs"

Config = TypeVar("Config", bound=TaskConfig)
Model = TypeVar("Model", bound="nn.Module")
Number = TypeVar("Number", int, float)


def get_parser(module: str, doc: str | None, **options: Any) -> argparse.ArgumentParser:
    """An ArgumentParser for `python -m module` whose help shows `doc`, the module's docstring, as it is written."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {module}", description=doc, formatter_class=argparse.RawDescriptionHelpFormatter, **options
    )
    # Read by common.runtime.command.run_command.
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


@dataclass(frozen=True)
class TrainArguments(Generic[Config]):
    """What `python -m TASK.train` was asked to do."""

    config: Config
    name: str  # of the run folder, if the config gives none
    resume: Path | None  # folder of a stopped run to continue


def read_train_arguments(
    module: str, doc: str | None, config_class: type[Config], demo: str | Path
) -> TrainArguments[Config]:
    """Reads and checks `[CONFIG.yaml] [section.key=value ...] [--resume RUN]`.

    module: TASK.train. demo: the config, in configs/ or by its path, that is used if the command line names none.
    Raises UserError for a mistake in the config.
    """
    parser = get_config_parser(module, doc, config_class, "[--resume RUN]")
    parser.add_argument("--resume", type=Path, metavar="RUN", help="continue the stopped run in this folder")
    args = parser.parse_intermixed_args()
    path = CONFIGS / demo
    if args.resume is not None:
        check_run_folder(args.resume, task_name=module.partition(".")[0])
        path = args.resume / "config.yaml"
    config, path = read_config(args.config, config_class, path)
    return TrainArguments(config, path.stem, args.resume)


def get_config_parser(
    module: str, doc: str | None, config_class: type[TaskConfig], options: str
) -> argparse.ArgumentParser:
    """CONFIG.yaml section.key=value, and a list of the keys. options: for the usage."""
    parser = get_parser(
        module,
        doc,
        usage=f"python -m {module} [CONFIG.yaml] [section.key=value ...] {options}",
        epilog="keys, with [defaults]:\n" + "\n".join(describe_keys(config_class)),
    )
    parser.add_argument("config", nargs="*", metavar="CONFIG.yaml section.key=value", help="see above and below")
    return parser


def read_config(words: list[str], config_class: type[Config], default: Path) -> tuple[Config, Path]:
    """The config of `CONFIG.yaml section.key=value`, and its file. Raises UserError for a mistake in it."""
    path = default
    if words and (words[0].endswith((".yaml", ".yml")) or Path(words[0]).exists()):
        path, words = find_config(Path(words[0])), words[1:]
    return load_config(config_class, path, words), path


@dataclass(frozen=True)
class LrFindArguments(Generic[Config]):
    """What `python -m TASK.lr_find` was asked to do."""

    config: Config
    output: Path  # the picture
    stage: int
    steps: int


def read_lr_find_arguments(
    module: str, doc: str | None, config_class: type[Config], demo: str
) -> LrFindArguments[Config]:
    """Reads and checks `[CONFIG.yaml] [section.key=value ...] [-o OUT.png] [--stage N] [--steps N]`.

    Raises UserError for a mistake in the config, and if the picture exists.
    """
    parser = get_config_parser(module, doc, config_class, "[-o OUT.png] [--stage N] [--steps N]")
    parser.add_argument("-o", "--output", type=user_path, help="the picture [runs/lr_find_CONFIG_TIME.png]")
    parser.add_argument("--stage", type=number_at_least(0, int), default=0, help="of train.stages, from 0 [0]")
    parser.add_argument("--steps", type=number_at_least(20, int), default=100, help="training steps [100]")
    args = parser.parse_intermixed_args()
    config, path = read_config(args.config, config_class, CONFIGS / demo)
    output = check_picture("lr_find", args, config, path)
    return LrFindArguments(config, output, args.stage, args.steps)


def lr_find_command(task: "Task[Config]", arguments: LrFindArguments[Config]) -> int:
    """Looks for a learning rate as the arguments say; returns the exit status."""
    from common.training.lr_find import find_lr, format_override
    from common.training.steps import prepare_training

    config, photos, device = prepare_training(arguments.config, task.get_photos)
    learn = task.get_learner(config, photos, device)
    learn.begin_stage(arguments.stage)
    log.info("%d steps at learning rates from 1e-7 to 10", arguments.steps)
    lr = find_lr(learn, arguments.output, arguments.steps)
    log.info("curve: %s", arguments.output)
    log.info(
        "The loss falls longest around this rate. To train with it:  %s",
        format_override(arguments.stage, config.train.stages[arguments.stage], lr),
    )
    return 0


def find_config(path: Path) -> Path:
    """The file; if there is none, the shipped one of that name: `configs/superres_2x.yaml` works in any folder."""
    shipped = CONFIGS.parent / path if path.parts[:1] == ("configs",) else CONFIGS / path
    return shipped if not path.exists() and shipped.is_file() else path


@dataclass(frozen=True)
class ShowDataArguments(Generic[Config]):
    """What `python -m TASK.show_data` was asked to do."""

    config: Config
    output: Path
    n: int  # pairs
    stage: int


def read_show_data_arguments(
    module: str, doc: str | None, config_class: type[Config], demo: str
) -> ShowDataArguments[Config]:
    """Reads and checks `[CONFIG.yaml] [section.key=value ...] [-o OUT.png] [--n PAIRS] [--stage N]`.

    Raises UserError for a mistake in the config, and if the picture exists.
    """
    parser = get_config_parser(module, doc, config_class, "[-o OUT.png] [--n PAIRS] [--stage N]")
    parser.add_argument("-o", "--output", type=user_path, help="the picture [runs/show_data_CONFIG_TIME.png]")
    parser.add_argument("--n", type=number_at_least(1, int, at_most=200), default=16, help="pairs to show [16]")
    parser.add_argument("--stage", type=number_at_least(0, int), default=0, help="of train.stages, from 0 [0]")
    args = parser.parse_intermixed_args()
    config, path = read_config(args.config, config_class, CONFIGS / demo)
    output = check_picture("show_data", args, config, path)
    return ShowDataArguments(config, output, args.n, args.stage)


def check_picture(command: str, args: argparse.Namespace, config: TaskConfig, path: Path) -> Path:
    """The picture that `lr_find` or `show_data` writes for the config `path`: -o, or a new name in the run's folder.

    Raises UserError if --stage is none of the config's, or the picture exists or cannot be written.
    """
    if args.stage >= len(config.train.stages):
        raise UserError(f"--stage {args.stage}: the last one is {len(config.train.stages) - 1}; they count from 0")
    name = f"{command}_{path.stem}_{time.strftime('%Y-%m-%d_%H-%M-%S')}.png"
    output = args.output or config.output.path.expanduser() / name
    if output.suffix.lower() != ".png":
        raise UserError(f"-o {output}: must end in .png")
    if output.exists():
        raise UserError(f"{output}: exists; give another name with -o")
    check_can_write(output.parent)
    return output


def show_data_command(task: "Task[Config]", arguments: ShowDataArguments[Config]) -> int:
    """Draws training pairs as the arguments say; returns the exit status."""
    from common.runtime.files import atomic_write
    from common.training.show_data import draw_data
    from common.training.steps import prepare_training

    config, photos, device = prepare_training(arguments.config, task.get_photos)
    dls = task.get_dls(photos, config, config.train.stages[arguments.stage], device)
    sheet = draw_data(dls, arguments.n)
    with atomic_write(arguments.output) as temporary:
        sheet.save(temporary, format="PNG")
    log.info("training pairs, input and target: %s", arguments.output)
    return 0


def user_path(word: str) -> Path:
    """An argparse type: a path, `~` expanded, as shells do not in `--output=~/out`."""
    return Path(word).expanduser()


def model_path(word: str) -> Path:
    """An argparse type: a model file, or the folder of the run that made it."""
    path = user_path(word)
    return path / "model.safetensors" if path.is_dir() else path


def check_run_folder(folder: Path, task_name: str) -> None:
    """Raises UserError if `folder` is not a run folder of the task."""
    if not folder.is_dir():
        raise UserError(f"--resume {folder}: no such run folder")
    if not (folder / "config.yaml").is_file():
        raise UserError(
            f"--resume {folder}: not a run folder (no config.yaml in it), or stopped before it began: start a new run"
        )
    try:
        trained = read_json(folder / "environment.json")[0]["task"]
    except (LookupError, TypeError):
        raise UserError(f"--resume {folder}: a run of an older version, which cannot be continued") from None
    if trained != task_name:
        raise UserError(f"--resume {folder}: a run of {trained}; use python -m {trained}.train")


def train_command(task: "Task[Config]", arguments: TrainArguments[Config]) -> int:
    """Trains `task` as the arguments say; returns the exit status."""
    from common.training.run_folder import current_run

    work = partial(task.train, arguments.config, arguments.name, arguments.resume)
    return run_training(f"{task.name}.train", work, current_run)


def run_training(module: str, work: Callable[[], object], current_folder: Callable[[], Path | None]) -> int:
    """Calls work(), which trains, and returns the exit status. If it stops early, a message says how to continue.

    module: whose `--resume` takes the folder that current_folder() returns (None before there is one).
    """
    try:
        work()
        return 0
    except TrainingDiverged as error:
        log.error("error: %s", error)
        return 1
    except TrainingStopped as error:
        stop = error
    except WriteError as error:
        if current_folder() is None:
            raise
        stop = TrainingStopped(f"{error}; what was saved before is intact")
    except KeyboardInterrupt:
        if current_folder() is None:
            raise
        stop = TrainingStopped("stopped at once: what was done since the last save is lost", status=130)
    failed = stop.status in (1, 2)
    message = f"error: {stop}" if failed else f"{stop}"
    if (folder := current_folder()) is not None:
        message += f"\nto continue:  python -m {module} --resume {shlex.quote(str(folder))}"
    log.log(logging.ERROR if failed else logging.INFO, message)
    return stop.status


def get_predict_parser(module: str, doc: str | None) -> argparse.ArgumentParser:
    """MODEL PHOTO_OR_FOLDER... -o OUT [--overwrite | --skip-existing] [--format] [--quality] [--tile] [--device] ..."""
    parser = get_parser(module, doc)
    parser.add_argument("model", type=model_path, help="model.safetensors of a training run, or the run's folder")
    parser.add_argument("photos", nargs="+", type=user_path, help="photos, and folders that are searched recursively")
    parser.add_argument(
        "-o",
        "--output",
        type=user_path,
        required=True,
        help="folder for the results, which keep the photos' names; for one photo also a file name",
    )
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument("--overwrite", action="store_true", help="replace results that exist")
    existing.add_argument("--skip-existing", action="store_true", help="make only the results that do not exist")
    parser.add_argument("--format", choices=["jpg", "png", "tif", "webp"], help="of the results [each photo's own]")
    parser.add_argument(
        "--quality",
        type=number_at_least(1, int, at_most=100),
        help="of JPEG and WebP, 1 to 100 [95; WebP lossless unless the photo is a lossy WebP]",
    )
    parser.add_argument(
        "--trust-pickle",
        action="store_true",
        help="open MODEL even if it is an export.pkl, which can run any code that somebody put into it",
    )
    add_blend_arguments(parser)
    add_tile_argument(parser)
    add_device_argument(parser)
    return parser


def add_blend_arguments(parser: argparse.ArgumentParser) -> None:
    """[--blend OTHER] [--part PART]."""
    parser.add_argument(
        "--blend",
        type=model_path,
        metavar="OTHER",
        help="mix MODEL's weights with those of another model of the same shape; it works best if one was trained from "
        "the other",
    )
    parser.add_argument(
        "--part", type=number_at_least(0.0, float, at_most=1.0), help="of OTHER: 0 is MODEL alone [0.5]"
    )


def mix_models(args: argparse.Namespace, model: Model, load_model: Callable[[Path], Model]) -> Model:
    """The model with --part of --blend, if that is given. Raises UserError if their shapes differ."""
    if args.blend is not None:
        from common.models.blend import blend

        blend(model, load_model(args.blend), 0.5 if args.part is None else args.part, args.blend)
    elif args.part is not None:
        raise UserError("--part needs --blend OTHER")
    return model


def open_model(
    args: argparse.Namespace, load_model: Callable[[Path], Model], import_exported: Callable[[Path], Model]
) -> Model:
    """The MODEL of `predict`, mixed with --blend, on its --device. import_exported opens an export.pkl."""
    from common.runtime.devices import get_device

    model = (import_exported if args.trust_pickle else load_model)(args.model)
    return mix_models(args, model, load_model).to(get_device(args.device))


def predict_command(
    args: argparse.Namespace,
    enhance: "Callable[[np.ndarray], np.ndarray]",
    keep_grey: bool = True,
    scale: int = 1,
) -> int:
    """Enhances the photos of `predict`, (H, W, 3) -> (scale H, scale W, 3), with the depth they have.

    Returns the exit status.
    """
    from common.inference.batch import enhance_photos, plan_outputs

    suffix = f".{args.format}" if args.format else None
    plan = plan_outputs(args.photos, args.output, args.overwrite, args.skip_existing, suffix)
    return 1 if enhance_photos(plan, enhance, keep_grey, args.quality, scale) else 0


def get_evaluate_parser(module: str, doc: str | None, baseline: str | None = None) -> argparse.ArgumentParser:
    """MODEL --data FOLDER [-o FOLDER] [--overwrite] [--device]; with a baseline [MODEL] [--baseline NAME] [--tile]."""
    parser = get_parser(module, doc)
    parser.add_argument(
        "model",
        nargs="?" if baseline else None,
        type=model_path,
        help="model.safetensors of a training run, or the run's folder",
    )
    parser.set_defaults(baseline=None)
    if baseline:
        parser.add_argument("--baseline", choices=[baseline], help=f"measure {baseline} alone, without a model")
        add_tile_argument(parser)
    add_blend_arguments(parser)
    parser.add_argument("--data", type=user_path, required=True, help="folder of photos, searched recursively")
    parser.add_argument(
        "-o", "--output", type=user_path, help="folder for results.csv and comparison.png [beside the model]"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace results that exist")
    add_device_argument(parser)
    return parser


@dataclass(frozen=True)
class Evaluation:
    """What `python -m TASK.evaluate` was asked to measure."""

    photos: list[Path]
    folder: Path | None  # for the results; None for a baseline without -o
    device: "torch.device"


def open_evaluation(args: argparse.Namespace) -> Evaluation:
    """Checks the arguments of `evaluate`. Raises UserError if they contradict each other or the results exist."""
    if (args.model is None) == (args.baseline is None):
        raise UserError("give either a MODEL or --baseline")
    if args.blend is not None and args.model is None:
        raise UserError("--blend needs a MODEL to mix with")
    if args.part is not None and args.blend is None:
        raise UserError("--part needs --blend OTHER")
    folder = args.output
    if folder is None and args.model is not None:
        folder = args.model.parent / f"evaluate_{args.data.resolve().name}"
    table = "damages.csv" if getattr(args, "damages", False) else "results.csv"
    table = "blend.csv" if getattr(args, "steps", None) else table
    if folder is not None and (folder / table).exists() and not args.overwrite:
        raise UserError(f"{folder / table}: exists; add --overwrite, or give another folder with -o")
    if folder is not None:
        check_can_write(folder)
    from common.data.folders import find_photos
    from common.runtime.devices import get_device

    return Evaluation(find_photos(args.data), folder, get_device(args.device))


def write_evaluation_page(args: argparse.Namespace, evaluation: Evaluation, results: "Results") -> None:
    """Writes `report.html` of what `evaluate` measured, if it has a folder for results."""
    from common.evaluation.report import write_evaluation_page

    if evaluation.folder is not None:
        what = args.model or args.baseline
        title = f"{what.parent.name}/{what.name}" if args.model is not None else str(what)
        subtitle = f"{len(results.table)} photos of {args.data}"
        write_evaluation_page(evaluation.folder, results, title, subtitle)


def add_tile_argument(parser: argparse.ArgumentParser) -> None:
    """[--tile PIXELS]."""
    parser.add_argument(
        "--tile",
        type=number_at_least(1, int),
        default=TILE,
        help=f"side of the tiles of a large result, in pixels [{TILE}]",
    )


def add_device_argument(parser: argparse.ArgumentParser) -> None:
    """[--device NAME]."""
    parser.add_argument("--device", default="auto", help="auto (a GPU if there is one), cpu, cuda, cuda:1, mps")


def add_perceptual_arguments(parser: argparse.ArgumentParser) -> None:
    """[--vgg WEIGHTS] [--lpips WEIGHTS]: of `common.evaluation.perceptual.get_perceptual_metrics`."""
    parser.add_argument(
        "--vgg",
        metavar="WEIGHTS",
        help="VGG16 to measure the VGG distance with: torchvision (downloaded once, 528 MB), random, or a .pth or "
        ".safetensors file [torchvision if it was downloaded before]",
    )
    parser.add_argument(
        "--lpips",
        metavar="WEIGHTS",
        help="network to measure LPIPS with: squeeze (downloaded once, 5 MB), alex (233 MB), or a .pth or .safetensors "
        "file of either [alex or squeeze if it was downloaded before]",
    )


def number_at_least(
    lowest: Number, number: Callable[[str], Number], at_most: Number | None = None
) -> Callable[[str], Number]:
    """An argparse type: a number (int or float) from `lowest` up, to `at_most` if given."""

    def convert(word: str) -> Number:
        value = number(word)
        if not lowest <= value < float("inf"):
            raise argparse.ArgumentTypeError(f"{word}: must be {lowest} or more")
        if at_most is not None and value > at_most:
            raise argparse.ArgumentTypeError(f"{word}: must be {at_most} or less")
        return value

    convert.__name__ = number.__name__  # argparse names it when the word is no number
    return convert
