"""The command lines of train, predict and evaluate: the same words and flags in every task."""

import argparse
import logging
import shlex
from functools import partial
from pathlib import Path

from common.config.yaml_file import describe_keys, load_config
from common.inference.tile_layout import TILE
from common.runtime.errors import TrainingDiverged, TrainingStopped, UserError, WriteError
from common.training.run_folder import check_run_folder, current_run

log = logging.getLogger(__name__)


def get_parser(name, doc, **options):
    """An ArgumentParser for `python -m name` whose help shows `doc`, the module's docstring, as it is written."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {name}", description=doc, formatter_class=argparse.RawDescriptionHelpFormatter, **options
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")  # seen by run_command
    return parser


def train_command(name, doc, config_class, demo, train):
    """Reads `[CONFIG.yaml] [section.key=value ...] [--resume RUN]`, trains, returns the exit status.

    name: of the module, TASK.train. config_class: the task's Config; demo: path of the config that is used without one
    on the command line. train(config, default run name, run folder to continue or None).
    """
    parser = get_parser(
        name,
        doc,
        usage=f"python -m {name} [CONFIG.yaml] [section.key=value ...] [--resume RUN]",
        epilog="keys, with [defaults]:\n" + "\n".join(describe_keys(config_class)),
    )
    parser.add_argument("config", nargs="*", metavar="CONFIG.yaml section.key=value", help="see above and below")
    parser.add_argument(
        "--resume", type=Path, metavar="RUN", help="folder of a run that was stopped: it goes on where it was"
    )
    args = parser.parse_intermixed_args()
    words, run = args.config, args.resume
    path = demo
    if run is not None:
        check_run_folder(run, task=name.partition(".")[0])
        path = run / "config.yaml"
    if words and (words[0].endswith((".yaml", ".yml")) or Path(words[0]).exists()):
        path = Path(words.pop(0))
    config = load_config(config_class, path, words)
    return run_training(name, partial(train, config, path.stem, run), current_run)


def run_training(name, work, folder_at_work):
    """Calls work(), which trains, and returns the exit status; what stops it early is told with how to go on.

    name: of the module, whose `--resume` takes the folder that folder_at_work() returns (None before there is one).
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
        if folder_at_work() is None:
            raise
        stop = TrainingStopped(f"{error}; what was saved before is intact")
    except KeyboardInterrupt:
        if folder_at_work() is None:
            raise
        stop = TrainingStopped("stopped at once: what was done since the last save is lost", status=130)
    message = f"error: {stop}" if stop.status == 1 else f"{stop}"
    if (folder := folder_at_work()) is not None:
        message += f"\nto go on:  python -m {name} --resume {shlex.quote(str(folder))}"
    log.log(logging.ERROR if stop.status == 1 else logging.INFO, message)
    return stop.status


def get_predict_parser(name, doc):
    """MODEL PHOTO_OR_FOLDER... -o OUT [--overwrite] [--tile] [--device] [--trust-pickle]."""
    parser = get_parser(name, doc)
    parser.add_argument("model", type=Path, help="model.safetensors of a training run")
    parser.add_argument("photos", nargs="+", type=Path, help="photos, and folders that are searched recursively")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the results; names are kept")
    parser.add_argument("--overwrite", action="store_true", help="replace results that exist")
    parser.add_argument(
        "--trust-pickle",
        action="store_true",
        help="open MODEL even if it is an export.pkl, which can run any code that somebody put into it",
    )
    add_device_arguments(parser)
    return parser


def get_evaluate_parser(name, doc, baseline):
    """[MODEL] --data FOLDER [--baseline NAME] [-o FOLDER] [--overwrite] [--tile] [--device]."""
    parser = get_parser(name, doc)
    parser.add_argument("model", nargs="?", type=Path, help="model.safetensors of a training run")
    parser.add_argument("--baseline", choices=[baseline], help=f"measure {baseline} alone, without a model")
    parser.add_argument("--data", type=Path, required=True, help="folder of photos, searched recursively")
    parser.add_argument(
        "-o", "--output", type=Path, help="folder for results.csv and comparison.png [beside the model]"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace results that exist")
    add_device_arguments(parser)
    return parser


def add_device_arguments(parser):
    """[--tile PIXELS] [--device NAME]."""
    parser.add_argument(
        "--tile",
        type=number_at_least(1, int),
        default=TILE,
        help=f"side of the tiles of a large result, in pixels [{TILE}]",
    )
    parser.add_argument("--device", default="auto", help="auto (a GPU if there is one), cpu, cuda, cuda:1, mps")


def add_perceptual_arguments(parser):
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
        help="AlexNet to measure LPIPS with: torchvision (downloaded once, 233 MB), or a .pth or .safetensors file "
        "[torchvision if it was downloaded before]",
    )


def number_at_least(lowest, number, at_most=None):
    """An argparse type: a number from `lowest` up, to `at_most` if given."""

    def convert(word):
        value = number(word)
        if not lowest <= value < float("inf"):
            raise argparse.ArgumentTypeError(f"{word}: must be {lowest} or more")
        if at_most is not None and value > at_most:
            raise argparse.ArgumentTypeError(f"{word}: must be {at_most} or less")
        return value

    convert.__name__ = number.__name__  # argparse names it when the word is no number
    return convert


def get_results_folder(args):
    """Where `evaluate` writes; None for a baseline without -o. Raises UserError for words that contradict."""
    if (args.model is None) == (args.baseline is None):
        raise UserError("give either a MODEL or --baseline")
    folder = args.output
    if folder is None and args.model is not None:
        folder = args.model.parent / f"evaluate_{args.data.resolve().name}"
    if folder is not None and (folder / "results.csv").exists() and not args.overwrite:
        raise UserError(f"{folder / 'results.csv'}: exists; add --overwrite, or give another folder with -o")
    return folder
