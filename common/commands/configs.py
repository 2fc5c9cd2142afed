"""CONFIG.yaml section.key=value on a command line, and the shipped configs."""

import argparse
import time
from pathlib import Path
from typing import TypeVar

from common.commands.arguments import get_parser, number_at_least, user_path
from common.config.keys import describe_keys
from common.config.sections import TaskConfig
from common.config.yaml_file import load_config
from common.runtime.errors import UserError
from common.runtime.files import check_can_write
from common.task import Task

CONFIGS = Path(__file__).parent.parent.parent / "configs"

Config = TypeVar("Config", bound=TaskConfig)


def find_config(path: Path) -> Path:
    """The file; if there is none, the shipped one of that name: `configs/NAME.yaml` works in any folder."""
    path = path.expanduser()
    shipped = CONFIGS.parent / path if path.parts[:1] == ("configs",) else CONFIGS / path
    return shipped if not path.exists() and shipped.is_file() else path


def get_config_parser(task: Task, command: str, doc: str | None, options: str) -> argparse.ArgumentParser:
    """CONFIG.yaml section.key=value, and a list of the keys. options: for the usage."""
    module = f"{task.name}.{command}"
    parser = get_parser(
        module,
        doc,
        usage=f"python -m {module} [CONFIG.yaml] [section.key=value ...] {options}",
        epilog="keys, with [defaults]:\n" + "\n".join(describe_keys(task.config)),
    )
    parser.add_argument("config", nargs="*", metavar="CONFIG.yaml section.key=value", help="see above and below")
    return parser


def read_config(words: list[str], config_class: type[Config], default: Path) -> tuple[Config, Path]:
    """The config of `CONFIG.yaml section.key=value`, and its file. Raises UserError for a mistake in it."""
    path = default
    if words and (words[0].endswith((".yaml", ".yml")) or Path(words[0]).exists()):
        path, words = find_config(Path(words[0])), words[1:]
    return load_config(config_class, path, words), path


def add_picture_arguments(parser: argparse.ArgumentParser, command: str) -> None:
    """[-o OUT.png] [--stage N], of commands that draw a picture."""
    parser.add_argument("-o", "--output", type=user_path, help=f"the picture [runs/{command}_CONFIG_TIME.png]")
    parser.add_argument("--stage", type=number_at_least(0, int), default=0, help="of train.stages, from 0 [0]")


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
    output.parent.mkdir(parents=True, exist_ok=True)
    return output
