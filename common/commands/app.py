"""`python -m TASK.app`: a web page that runs trained models."""

import argparse
import os
from collections.abc import Sequence
from functools import partial
from typing import NoReturn

from common.commands.arguments import (
    add_device_argument,
    add_options,
    add_precision_argument,
    add_tile_argument,
    get_parser,
    number_at_least,
    values_of,
)
from common.commands.box import find_model
from common.runtime.command import run_command
from common.task import Option, Task

AUTH_VARIABLE = "PERCEPTUAL_ENHANCE_AUTH"


def app(task: Task, doc: str | None) -> NoReturn:
    """MODEL... [--port] [--host] [--share] [--auth] [--root-path] [limits] [--tile] [--precision] [--device]."""
    run_command(partial(app_command, task, doc))


def app_command(task: Task, doc: str | None) -> int:
    """Serves the page until Ctrl-C; returns the exit status. Raises UserError if a model cannot be opened."""
    opening = [option for option in task.options if option.at_opening]
    args = get_app_parser(task, opening, doc).parse_args()
    from common.web.serve import serve

    return serve(task, args, values_of(opening, args, at_opening=True))


def get_app_parser(task: Task, opening: Sequence[Option], doc: str | None) -> argparse.ArgumentParser:
    """Its command line. opening: the task's options that choose among the models of a file."""
    parser = get_parser(f"{task.name}.app", doc)
    parser.add_argument(
        "models",
        nargs="+",
        type=partial(find_model, task),
        help="model files, or the folders of runs, or names of models in the box",
    )
    parser.add_argument("--port", type=number_at_least(1, int, at_most=65535), help="[the first free one from 7860]")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on [127.0.0.1: this computer]; 0.0.0.0: everybody who reaches it",
    )
    parser.add_argument(
        "--share",
        action="store_true",
        help="make it public for 72 hours through a server of gradio's, which sees all photos",
    )
    parser.add_argument(
        "--auth",
        type=user_and_password,
        default=os.environ.get(AUTH_VARIABLE) or None,
        metavar="USER:PASSWORD",
        help=f"ask visitors for it; other users of this computer see it here, and not in the variable {AUTH_VARIABLE}",
    )
    parser.add_argument(
        "--root-path",
        type=root_path,
        metavar="PATH",
        help="where a reverse proxy serves the page: /enhance, or its whole address [the variable GRADIO_ROOT_PATH]",
    )
    parser.add_argument(
        "--megapixels", type=number_at_least(0.1, float), default=50.0, help="the largest result that it makes [50]"
    )
    parser.add_argument(
        "--max-photos", type=number_at_least(1, int, at_most=1000), default=100, help="photos at once [100]"
    )
    parser.add_argument(
        "--max-megabytes", type=number_at_least(0.1, float), default=200.0, help="of a photo's file [200]"
    )
    parser.add_argument(
        "--max-minutes", type=number_at_least(0.1, float), default=60.0, help="that the photos of one Start take [60]"
    )
    add_tile_argument(parser)
    add_precision_argument(parser)
    add_device_argument(parser)
    add_options(parser, opening)
    return parser


def user_and_password(word: str) -> tuple[str, str]:
    """An argparse type: USER:PASSWORD. Its message does not repeat it."""
    user, _, password = word.partition(":")
    if not user.strip() or not password:
        raise argparse.ArgumentTypeError("must be USER:PASSWORD, neither of them empty")
    return user.strip(), password


def root_path(word: str) -> str:
    """An argparse type: /path or http(s)://host/path, without a slash at the end."""
    if not word.startswith(("/", "http://", "https://")):
        raise argparse.ArgumentTypeError(f"{word}: must begin with / or http")
    return word.rstrip("/")
