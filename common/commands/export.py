"""`python -m TASK.export`: a trained model as a file that other programs run."""

import argparse
import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NoReturn

from common.commands.arguments import add_options, get_parser, number_at_least, stem_of, user_path, values_of
from common.commands.box import find_model
from common.runtime.command import run_command
from common.runtime.errors import UserError
from common.runtime.files import atomic_write, check_can_write, check_may_replace
from common.task import Task

log = logging.getLogger(__name__)

CARD_ENTRIES = ("what for", "licence", "author")  # that a person says


def export(task: Task, doc: str | None) -> NoReturn:
    """MODEL -o FILE.onnx [--overwrite] [--half], or MODEL --FORMAT FILE."""
    run_command(partial(export_command, task, doc))


def export_command(task: Task, doc: str | None) -> None:
    """Writes the file that the command line asks for. Raises UserError if it cannot."""
    parser = get_parser(f"{task.name}.export", doc)
    parser.add_argument(
        "model", type=partial(find_model, task), help="model.safetensors of a training run, or the run's folder"
    )
    parser.add_argument("-o", "--output", type=user_path, metavar="FILE.onnx")
    parser.add_argument(
        "--share",
        type=user_path,
        metavar="OUT.safetensors",
        help="the model for others: weights in float16, with its card in the file",
    )
    parser.add_argument(
        "--card", action="store_true", help="with --share: the card as README.md, too, as Hugging Face has it"
    )
    for name in CARD_ENTRIES:
        parser.add_argument(f"--{name.replace(' ', '-')}", metavar="TEXT", help="with --share: an entry of the card")
    for name, what in task.formats.items():
        parser.add_argument(f"--{name}", type=user_path, metavar="OUT.safetensors", help=what)
    parser.add_argument("--overwrite", action="store_true", help="replace the file if it exists")
    parser.add_argument("--half", action="store_true", help="with -o: weights in float16, half the size")
    parser.add_argument(
        "--opset",
        type=number_at_least(18, int, at_most=23),
        metavar="N",
        help="of ONNX's operators, 18 to 23: an older one opens in older programs [what torch takes]",
    )
    opening = [option for option in task.options if option.at_opening]
    add_options(parser, opening)
    args = parser.parse_args()
    wanted = {name: getattr(args, name) for name in task.formats if getattr(args, name) is not None}
    entries = {name: value for name in CARD_ENTRIES if (value := getattr(args, name.replace(" ", "_"))) is not None}
    if (entries or args.card) and args.share is None:
        flag = next(iter(entries), "card").replace(" ", "-")
        raise UserError(f"--{flag}: only with --share OUT.safetensors")
    if len(wanted) + (args.output is not None) + (args.share is not None) != 1:
        flags = ["-o FILE.onnx", "--share OUT.safetensors", *(f"--{name} OUT.safetensors" for name in task.formats)]
        raise UserError(f"give one of {', '.join(flags[:-1])} and {flags[-1]}")
    if args.share is not None:
        for name, value in values_of(opening, args, at_opening=True).items():
            if value is not None:
                raise UserError(f"--{name}: not with --share, which writes the model as it is")
    for path in [*wanted.values(), *([args.share] if args.share is not None else [])]:
        check_output(path, ".safetensors", args.overwrite, "give another name")
        for flag, given in (("--half", args.half), ("--opset", args.opset is not None)):
            if given:
                raise UserError(f"{flag}: only with -o FILE.onnx")
    if args.output is not None:
        check_output(args.output, ".onnx", args.overwrite)
    use = task.use()
    if args.share is not None:
        share_model(task, args, entries)
        return
    model = use.choose(use.load(args.model), **values_of(opening, args, at_opening=True))
    for name, path in wanted.items():
        use.formats[name](path, model)
    if args.output is None:
        return
    from common.models.onnx_export import export_onnx

    network, values = use.to_onnx(model)
    try:
        made = export_onnx(args.output, network, {"task": task.name, **values}, args.half, args.opset)
    except UserError:
        raise
    except Exception as error:  # of torch's exporter or of onnxruntime, which have many
        others = "".join(f". Other programs may open its weights: --{name} OUT.safetensors" for name in task.formats)
        why = type(error).__name__
        raise UserError(f"this model cannot be written as ONNX ({why}; --debug shows where){others}") from error
    size = args.output.stat().st_size / 1e6
    log.info("%s  %.1f MB; at most %.4f of 255 off torch's results", args.output, size, 255 * made.difference)
    log.info("opset %d: opens in onnxruntime %s or newer", made.opset, made.onnxruntime)


def share_model(task: Task, args: argparse.Namespace, entries: Mapping[str, str]) -> None:
    """Writes OUT.safetensors, and with --card README.md. Raises UserError if the file is no model of the task."""
    from common.models.card import read_card, to_markdown
    from common.models.model_file import read_model_file
    from common.models.share import share

    page = args.share.with_name("README.md")
    if args.card:
        check_page(page, args.overwrite)
    read_model_file(args.model, task.name)  # raises UserError for what is none
    card = {**entries, **read_card(args.model), **entries}
    if figures := read_figures(args.model):
        card["figures"] = figures
    args.share.parent.mkdir(parents=True, exist_ok=True)
    card = share(args.model, args.share, card)
    if args.card:
        with atomic_write(page) as temporary:
            temporary.write_text(to_markdown(card, args.share.stem), encoding="utf-8")
    log.info("%s  %.1f MB", args.share, args.share.stat().st_size / 1e6)


def read_figures(model: Path) -> dict[str, str]:
    """What `evaluate` has measured beside a run's model: {name of the photos' folder: averages of the model}."""
    import pandas as pd

    from common.evaluation.report import average_photos

    figures: dict[str, str] = {}
    before = f"{stem_of(model)}evaluate_"
    for table in sorted(model.parent.glob(f"{before}*/results.csv")):
        measured = pd.read_csv(table)
        means = average_photos(measured)
        ours = {str(key).split(" ", 1)[1]: v for key, v in means.items() if str(key).startswith("prediction ")}
        ours = ours or {str(key): v for key, v in means.items() if str(key).endswith(" loss")}  # each style's
        figures[table.parent.name.removeprefix(before)] = ", ".join(f"{k} {v:.4g}" for k, v in ours.items())
    return figures


def check_page(page: Path, overwrite: bool) -> None:
    """Raises UserError if a card may not be written there: a README.md that is no card is never replaced."""
    from common.models.card import LIBRARY

    if page.exists() and f"library_name: {LIBRARY}" not in page.read_text(encoding="utf-8", errors="replace"):
        raise UserError(f"{page}: exists, and is not a model's card; give the file of --share a folder of its own")
    check_may_replace([page], overwrite, "give the file of --share a folder of its own")


def check_output(path: Path, suffix: str, overwrite: bool, otherwise: str = "give another name with -o") -> None:
    """Raises UserError if the file may not be written, or has another suffix."""
    if path.suffix.lower() != suffix:
        raise UserError(f"{path}: must end in {suffix}")
    check_may_replace([path], overwrite, otherwise)
    check_can_write(path.parent)
