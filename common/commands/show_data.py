"""`python -m TASK.show_data`: training pairs, as the network will get them."""

import logging
from functools import partial
from typing import NoReturn

from common.commands.arguments import number_at_least
from common.commands.configs import CONFIGS, add_picture_arguments, check_picture, get_config_parser, read_config
from common.runtime.command import run_command
from common.runtime.files import atomic_write
from common.task import Task

log = logging.getLogger(__name__)


def show_data(task: Task, doc: str | None) -> NoReturn:
    """[CONFIG.yaml] [section.key=value ...] [-o OUT.png] [--n PAIRS] [--stage N]."""
    run_command(partial(show_data_command, task, doc))


def show_data_command(task: Task, doc: str | None) -> None:
    """Draws training pairs as the command line says. Raises UserError for a mistake in it."""
    parser = get_config_parser(task, "show_data", doc, "[-o OUT.png] [--n PAIRS] [--stage N]")
    add_picture_arguments(parser, "show_data")
    parser.add_argument("--n", type=number_at_least(1, int, at_most=200), default=16, help="pairs to show [16]")
    args = parser.parse_intermixed_args()
    config, path = read_config(args.config, task.config, CONFIGS / task.demo)
    output = check_picture("show_data", args, config, path)
    from common.batches.show_data import draw_data
    from common.runs.prepare import prepare

    config = config.model_copy(update={"train": config.train.model_copy(update={"workers": 0})})
    config, photos, device = prepare(task, config)
    sheet = draw_data(task.training().get_dls(photos, config, config.train.stages[args.stage], device), args.n)
    with atomic_write(output) as temporary:
        sheet.save(temporary, format="PNG")
    log.info("training pairs, input and target: %s", output)
