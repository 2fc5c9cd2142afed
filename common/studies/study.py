"""A study: a base config and variants of it, to be trained under the same conditions and compared.

Imports neither torch nor fastai, so that --help and mistakes in a study answer at once.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from common.config.overrides import parse_overrides
from common.config.section import Count, Section, YamlPath
from common.config.sections import TaskConfig
from common.config.yaml_file import load_config, load_config_with_changes, save_config
from common.runtime.errors import UserError
from common.studies.seeds import run_names
from common.task import Task

Changes = dict[str, Any]
VariantName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_+-]*$")]  # names a folder and a column

STUDY_FILE, CONFIGS_FOLDER = "study.yaml", "configs"  # in a study's folder


class Study(Section, frozen=True):
    """A study's file."""

    base: YamlPath = Field(description="the config that is varied, relative to this file")
    changes: Changes = Field(default={}, description="section.key: value, in every variant")
    variants: dict[VariantName, Changes] = Field(min_length=2, description="name: {section.key: value, ...}")
    seeds: Count = Field(default=1, description="how often each variant is trained, with train.seed and those after it")


class SavedStudy(Section, frozen=True):
    """What a study's folder says of it."""

    task: str
    name: str
    command: list[str]
    vgg: str | None
    lpips: str | None
    variants: dict[VariantName, Changes]
    seeds: int = 1

    def runs(self) -> dict[str, list[str]]:
        """{variant: the names of its runs}."""
        return run_names(list(self.variants), self.seeds)


def read_study(path: Path, task: Task, words: Sequence[str]) -> tuple[Study, dict[str, TaskConfig]]:
    """(what a study file says, {run: its config}); `section.key=value` words are for all.

    Raises UserError, with the place, for mistakes in it, for names that tables have for something else, and for
    variants that cannot be compared: they differ in what must be the same, or not at all.
    """
    study = load_config(Study, path)
    for name in (*task.columns, CONFIGS_FOLDER):
        if name in study.variants:
            raise UserError(f"{path}: variants.{name}: reserved for the comparison; choose another name")
    base = path.parent / study.base.expanduser()
    everywhere = [(f"{path}: changes", *change) for change in study.changes.items()]
    configs: dict[str, TaskConfig] = {}
    for name, variant in study.variants.items():
        place = f"{path}: variants.{name}"
        changes = [
            *everywhere,
            *((place, *change) for change in variant.items()),
            *parse_overrides(words, task.config),
        ]
        config = configs[name] = load_config_with_changes(task.config, base, changes)
        first = next(iter(configs.values()))
        for section in task.same_sections:
            if getattr(config, section) != getattr(first, section):
                raise UserError(f"{place}: {section}: must be the same in every variant; set it under changes")
    for one, other in combinations(configs, 2):
        if configs[one] == configs[other]:
            with_words = " with the command line's keys" if words else ""
            raise UserError(f"{path}: variants.{one} and variants.{other} are the same config{with_words}")
    return study, with_seeds(configs, study.seeds)


def with_seeds(configs: Mapping[str, TaskConfig], seeds: int) -> dict[str, TaskConfig]:
    """{run: config} of variants, each with so many seeds."""
    runs: dict[str, TaskConfig] = {}
    for variant, names in run_names(list(configs), seeds).items():
        train = configs[variant].train
        for i, name in enumerate(names):
            seeded = train.model_copy(update={"seed": train.seed + i})
            runs[name] = configs[variant].model_copy(update={"train": seeded})
    return runs


def save_study(folder: Path, study: SavedStudy, configs: Mapping[str, TaskConfig]) -> None:
    """Writes into `folder` what `load_study` needs. configs: {run: its config}."""
    (folder / CONFIGS_FOLDER).mkdir(exist_ok=True)
    for name, config in configs.items():
        save_config(config, folder / CONFIGS_FOLDER / f"{name}.yaml")
    save_config(study, folder / STUDY_FILE)


def load_study(folder: Path, task: Task, words: Sequence[str]) -> tuple[SavedStudy, dict[str, TaskConfig]]:
    """(SavedStudy, {run: its config}) of a study's folder; words: `section.key=value` for all that is not finished.

    Raises UserError if the folder is not a study's, or if the words change what a variant is.
    """
    if not (folder / STUDY_FILE).is_file():
        raise UserError(f"--resume {folder}: not the folder of a study (no {STUDY_FILE} in it)")
    study = load_config(SavedStudy, folder / STUDY_FILE)
    if study.task != task.name:
        raise UserError(f"--resume {folder}: a study of {study.task}; use python -m {study.task}.compare")
    if words:
        from common.runs.changes import resumable_keys

        free = resumable_keys(task.config)
        for _, key, _ in parse_overrides(words, task.config):
            if key not in free:
                raise UserError(f"command line: {key}: may not change once a study has begun; {', '.join(free)} may")
    names = [name for names in study.runs().values() for name in names]
    paths = {name: folder / CONFIGS_FOLDER / f"{name}.yaml" for name in names}
    return study, {name: load_config(task.config, path, words) for name, path in paths.items()}
