"""A study: a base config and variants of it, to be trained under the same conditions and compared.

Imports neither torch nor fastai, so that --help and mistakes in a study answer at once.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

from pydantic import Field

from common.commands.arguments import add_perceptual_arguments, get_parser, user_path
from common.commands.configs import find_config
from common.config.overrides import parse_overrides
from common.config.sections import Section, TaskConfig, YamlPath
from common.config.yaml_file import load_config, load_config_with_changes, save_config
from common.runtime.errors import UserError

Changes = dict[str, Any]
VariantName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_+-]*$")]  # names a folder and a column
Config = TypeVar("Config", bound=TaskConfig)

STUDY_FILE, CONFIGS_FOLDER = "study.yaml", "configs"  # in a study's folder
SAME_SECTIONS = ("data", "output")  # of the config, in all variants


class Study(Section, frozen=True):
    """A study's file."""

    base: YamlPath = Field(description="the config that is varied, relative to this file")
    changes: Changes = Field(default={}, description="section.key: value, in every variant")
    variants: dict[VariantName, Changes] = Field(min_length=2, description="name: {section.key: value, ...}")


class SavedStudy(Section, frozen=True):
    """What a study's folder says of it."""

    task: str
    name: str
    command: list[str]
    vgg: str | None
    lpips: str | None
    variants: dict[VariantName, Changes]


@dataclass(frozen=True)
class CompareArguments(Generic[Config]):
    """What `python -m TASK.compare` was asked to do."""

    study: SavedStudy
    configs: dict[str, Config]  # of the variants
    resume: Path | None  # folder of a stopped study to continue


def read_compare_arguments(
    module: str,
    doc: str | None,
    config_class: type[Config],
    reserved_names: Iterable[str],
    same_sections: Iterable[str] = SAME_SECTIONS,
) -> CompareArguments[Config]:
    """Reads and checks `STUDY.yaml [section.key=value ...]` or `--resume FOLDER [section.key=value ...]`.

    module: TASK.compare. reserved_names, same_sections: of `read_study`. Raises UserError for a mistake.
    """
    usage = f"python -m {module} STUDY.yaml [section.key=value ...]\n       python -m {module} --resume FOLDER"
    parser = get_parser(module, doc, usage=usage)
    parser.add_argument("study", nargs="*", metavar="STUDY.yaml section.key=value", help="keys are for every variant")
    parser.add_argument("--resume", type=user_path, metavar="FOLDER", help="continue the stopped study in this folder")
    add_perceptual_arguments(parser)
    args = parser.parse_intermixed_args()
    task_name = module.partition(".")[0]
    if args.resume is not None:
        study, configs = load_study(args.resume, task_name, config_class, args.study)
        study = study.model_copy(update={"vgg": args.vgg or study.vgg, "lpips": args.lpips or study.lpips})
        return CompareArguments(study, configs, args.resume)
    if not args.study:
        raise UserError("give a STUDY.yaml, such as one of configs/compare, or --resume FOLDER")
    path, *words = args.study
    name, variants, configs = read_study(find_config(Path(path)), config_class, words, reserved_names, same_sections)
    study = SavedStudy(
        task=task_name, name=name, command=sys.orig_argv, variants=variants, vgg=args.vgg, lpips=args.lpips
    )
    return CompareArguments(study, configs, None)


def read_study(
    path: Path,
    config_class: type[Config],
    words: Sequence[str],
    reserved_names: Iterable[str] = (),
    same_sections: Iterable[str] = SAME_SECTIONS,
) -> tuple[str, dict[str, Changes], dict[str, Config]]:
    """(name, {variant: its changes}, {variant: its config}) of a study file; `section.key=value` words are for all.

    Raises UserError, with the place, for mistakes in it, for `reserved_names`, and for variants that cannot be
    compared: they differ in `same_sections`, or are the same as another one.
    """
    study = load_config(Study, path)
    for name in (*reserved_names, CONFIGS_FOLDER):
        if name in study.variants:
            raise UserError(f"{path}: variants.{name}: reserved for the comparison; choose another name")
    base = path.parent / study.base.expanduser()
    everywhere = [(f"{path}: changes", *change) for change in study.changes.items()]
    configs: dict[str, Config] = {}
    for name, variant in study.variants.items():
        place = f"{path}: variants.{name}"
        changes = [
            *everywhere,
            *((place, *change) for change in variant.items()),
            *parse_overrides(words, config_class),
        ]
        config = configs[name] = load_config_with_changes(config_class, base, changes)
        first = next(iter(configs.values()))
        for section in same_sections:
            if getattr(config, section) != getattr(first, section):
                raise UserError(f"{place}: {section}: must be the same in every variant; set it under changes")
    for one, other in combinations(configs, 2):
        if configs[one] == configs[other]:
            with_words = " with the command line's keys" if words else ""
            raise UserError(f"{path}: variants.{one} and variants.{other} are the same config{with_words}")
    return path.stem, study.variants, configs


def save_study(folder: Path, study: SavedStudy, configs: Mapping[str, TaskConfig]) -> None:
    """Writes into `folder` what `load_study` needs. configs: {variant: its config}."""
    (folder / CONFIGS_FOLDER).mkdir(exist_ok=True)
    for name, config in configs.items():
        save_config(config, folder / CONFIGS_FOLDER / f"{name}.yaml")
    save_config(study, folder / STUDY_FILE)


def load_study(
    folder: Path, task_name: str, config_class: type[Config], words: Sequence[str]
) -> tuple[SavedStudy, dict[str, Config]]:
    """(SavedStudy, {variant: its config}) of a study's folder; words: `section.key=value` for all that is not finished.

    Raises UserError if the folder is not a study's, or if the words change what a variant is.
    """
    if not (folder / STUDY_FILE).is_file():
        raise UserError(f"--resume {folder}: not the folder of a study (no {STUDY_FILE} in it)")
    study = load_config(SavedStudy, folder / STUDY_FILE)
    if study.task != task_name:
        raise UserError(f"--resume {folder}: a study of {study.task}; use python -m {study.task}.compare")
    if words:
        from common.runs.changes import RESUMABLE_KEYS

        for _, key, _ in parse_overrides(words, config_class):
            if key not in RESUMABLE_KEYS:
                free = ", ".join(RESUMABLE_KEYS)
                raise UserError(f"command line: {key}: may not change once a study has begun; {free} may")
    paths = {name: folder / CONFIGS_FOLDER / f"{name}.yaml" for name in study.variants}
    return study, {name: load_config(config_class, path, words) for name, path in paths.items()}
