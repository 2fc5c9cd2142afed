"""The command line of `show_data`."""

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


def show_data_command(task: "Task[Config]", arguments: ShowDataArguments[Config]) -> int:
    """Draws training pairs as the arguments say; returns the exit status."""
    from common.batches.show_data import draw_data
    from common.runs.steps import prepare_training
    from common.runtime.files import atomic_write

    config, photos, device = prepare_training(arguments.config, task.get_photos)
    dls = task.get_dls(photos, config, config.train.stages[arguments.stage], device)
    sheet = draw_data(dls, arguments.n)
    with atomic_write(arguments.output) as temporary:
        sheet.save(temporary, format="PNG")
    log.info("training pairs, input and target: %s", arguments.output)
    return 0
