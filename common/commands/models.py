"""`python -m TASK.models`: the models in the box, or one model's card."""

import logging
from functools import partial
from typing import NoReturn

from common.commands.arguments import get_parser
from common.commands.box import box_of, find_model
from common.runtime.command import run_command
from common.runtime.errors import UserError
from common.task import Task

log = logging.getLogger(__name__)


def models(task: Task, doc: str | None) -> NoReturn:
    """[MODEL]."""
    run_command(partial(models_command, task, doc))


def models_command(task: Task, doc: str | None) -> None:
    """Lists what is in the box, or shows a card. Raises UserError if the file has none."""
    parser = get_parser(f"{task.name}.models", doc)
    parser.add_argument("model", nargs="?", help="a name in the box, a model file or a run's folder: its card")
    args = parser.parse_args()
    from common.models.card import format_card, read_card

    if args.model is None:
        list_box(task)
        return
    path = find_model(task, args.model)
    if not path.is_file():
        raise UserError(f"{path}: no such model file")
    card = read_card(path)
    if not card:
        raise UserError(f"{path}: has no card, and there is none beside it")
    log.info("%s", format_card(card))


def list_box(task: Task) -> None:
    """A line a model: name, size, what for."""
    from common.models.card import read_card

    box = box_of(task)
    if not box:
        log.info("no model is in the box yet; train one: python -m %s.train", task.name)
    for name, path in box.items():
        card = read_card(path)
        log.info("%-12s %4.1f MB  %s", name, path.stat().st_size / 1e6, card.get("what for", ""))
        figures = card.get("figures", {})
        if figures:
            log.info("%-12s %s", "", "; ".join(f"{key} {value}" for key, value in figures.items()))
        log.info("%-12s %s", "", f"licence {card.get('licence', 'unknown')}, {card.get('author', 'unknown')}")
