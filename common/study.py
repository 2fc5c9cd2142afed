"""A study: a base config and variants of it, to be trained under the same conditions and compared."""

from itertools import combinations
from typing import Annotated, Any

import yaml
from pydantic import Field

from common.config import PathInYaml, Section
from common.configfile import load_changed_config, load_config, parse_overrides
from common.errors import UserError
from common.files import written_whole
from common.modelfile import check_section

Changes = dict[str, Any]
VariantName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_+-]*$")]  # names a folder and a column
NAME = "study.yaml"


class Study(Section):
    base: PathInYaml = Field(description="the config that is varied, as seen from this file")
    changes: Changes = Field({}, description="section.key: value, in every variant")
    variants: dict[VariantName, Changes] = Field(min_length=2, description="name: {section.key: value, ...}")


class SavedStudy(Section):
    task: str
    name: str
    variants: dict[VariantName, Changes]
    configs: dict[VariantName, Changes]


def read_study(path, config_class, words, taken):
    """(name, {variant: its changes}, {variant: its config}) of a study file; `section.key=value` words are for all.

    Raises UserError, with the place, for mistakes in it, for names that are `taken`, and for variants that cannot be
    compared: of other data, with an output of their own, or the same as another one.
    """
    study = load_config(Study, path)
    for name in taken:
        if name in study.variants:
            raise UserError(f"{path}: variants.{name}: the name of something else in the comparison; choose another")
    base = path.parent / study.base.expanduser()
    everywhere = [(f"{path}: changes", *change) for change in study.changes.items()]
    configs = {}
    for name, variant in study.variants.items():
        place = f"{path}: variants.{name}"
        changes = [*everywhere, *((place, *change) for change in variant.items()), *parse_overrides(words)]
        config = configs[name] = load_changed_config(config_class, base, changes)
        first = next(iter(configs.values()))
        for section in ("data", "output"):
            if getattr(config, section) != getattr(first, section):
                raise UserError(f"{place}: {section}: must be the same in every variant; set it under changes")
    for one, other in combinations(configs, 2):
        if configs[one] == configs[other]:
            with_words = " with the command line's keys" if words else ""
            raise UserError(f"{path}: variants.{one} and variants.{other} are the same config{with_words}")
    return path.stem, study.variants, configs


def save_study(folder, task, name, variants, configs):
    """Writes into `folder` what `load_study` needs. variants: {name: its changes}; configs: {name: config}."""
    dumped = {name: config.model_dump(mode="json") for name, config in configs.items()}
    saved = SavedStudy(task=task, name=name, variants=variants, configs=dumped)
    with written_whole(folder / NAME) as temporary:
        temporary.write_text(yaml.safe_dump(saved.model_dump(mode="json"), sort_keys=False), encoding="utf-8")


def load_study(folder, task, config_class):
    """(name, {variant: its changes}, {variant: its config}) of a study folder. Raises UserError if it is none."""
    path = folder / NAME
    if not path.is_file():
        raise UserError(f"--resume {folder}: not the folder of a study (no {NAME} in it)")
    saved = load_config(SavedStudy, path)
    if saved.task != task:
        raise UserError(f"--resume {folder}: a study of {saved.task}; use python -m {saved.task}.compare")
    configs = {name: check_section(path, config_class, values) for name, values in saved.configs.items()}
    return saved.name, saved.variants, configs
