"""`python -m TASK.compare`: variants of a config, trained under the same conditions and compared."""

import sys
from functools import partial
from pathlib import Path
from typing import NoReturn

from common.commands.arguments import add_perceptual_arguments, get_parser, user_path
from common.commands.configs import find_config
from common.runtime.command import run_command
from common.runtime.errors import UserError
from common.studies.study import SavedStudy, load_study, read_study
from common.task import Task


def compare(task: Task, doc: str | None) -> NoReturn:
    """STUDY.yaml [section.key=value ...], or --resume FOLDER [section.key=value ...]."""
    run_command(partial(compare_command, task, doc))


def compare_command(task: Task, doc: str | None) -> int:
    """Trains and compares as the command line says; returns the exit status. Raises UserError for a mistake in it."""
    module = f"{task.name}.compare"
    usage = f"python -m {module} STUDY.yaml [section.key=value ...]\n       python -m {module} --resume FOLDER"
    parser = get_parser(module, doc, usage=usage)
    parser.add_argument("study", nargs="*", metavar="STUDY.yaml section.key=value", help="keys are for every variant")
    parser.add_argument("--resume", type=user_path, metavar="FOLDER", help="continue the stopped study in this folder")
    add_perceptual_arguments(parser)
    args = parser.parse_intermixed_args()
    if args.resume is not None:
        study, configs = load_study(args.resume, task, args.study)
        study = study.model_copy(update={"vgg": args.vgg or study.vgg, "lpips": args.lpips or study.lpips})
    else:
        if not args.study:
            raise UserError("give a STUDY.yaml, such as one of configs/compare, or --resume FOLDER")
        path, *words = args.study
        path = find_config(Path(path))
        given, configs = read_study(path, task, words)
        study = SavedStudy(
            task=task.name,
            name=path.stem,
            command=sys.orig_argv,
            vgg=args.vgg,
            lpips=args.lpips,
            variants=given.variants,
            seeds=given.seeds,
        )
    from common.studies.compare import compare  # torch and fastai take seconds to import

    return compare(task, study, configs, args.resume)
