"""`python -m TASK.lr_find`: the loss over learning rates, and a suggestion."""

import logging
from functools import partial
from typing import NoReturn

from common.commands.arguments import number_at_least
from common.commands.configs import CONFIGS, add_picture_arguments, check_picture, get_config_parser, read_config
from common.runtime.command import run_command
from common.task import Task

log = logging.getLogger(__name__)


def lr_find(task: Task, doc: str | None) -> NoReturn:
    """[CONFIG.yaml] [section.key=value ...] [-o OUT.png] [--stage N] [--steps N]."""
    run_command(partial(lr_find_command, task, doc))


def lr_find_command(task: Task, doc: str | None) -> None:
    """Looks for a learning rate as the command line says. Raises UserError for a mistake in it."""
    parser = get_config_parser(task, "lr_find", doc, "[-o OUT.png] [--stage N] [--steps N]")
    add_picture_arguments(parser, "lr_find")
    parser.add_argument("--steps", type=number_at_least(20, int), default=100, help="training steps [100]")
    args = parser.parse_intermixed_args()
    config, path = read_config(args.config, task.config, CONFIGS / task.demo)
    output = check_picture("lr_find", args, config, path)
    from common.runs.balance import with_balance
    from common.runs.prepare import get_learner, prepare
    from common.training.lr_find import find_lr, format_override

    config, photos, device = prepare(task, config)
    learn = get_learner(task, with_balance(task, config, photos, device, None), photos, device)
    learn.begin_stage(args.stage)
    log.info("%d steps at learning rates from 1e-7 to 10", args.steps)
    lr = find_lr(learn, output, args.steps)
    log.info("curve: %s", output)
    override = format_override(args.stage, config.train.stages[args.stage], lr)
    log.info("The loss falls longest around this rate. To train with it:  %s", override)
