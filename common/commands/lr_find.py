"""The command line of `lr_find`."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from common.commands.arguments import number_at_least, user_path
from common.commands.configs import CONFIGS, check_picture, get_config_parser, read_config
from common.config.sections import TaskConfig

if TYPE_CHECKING:
    from common.task import Task

log = logging.getLogger(__name__)

Config = TypeVar("Config", bound=TaskConfig)


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
    from common.runs.steps import prepare_training
    from common.training.lr_find import find_lr, format_override

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
