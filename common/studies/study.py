"""A study: a base config and variants of it, to be trained under the same conditions and compared."""

from itertools import combinations
from typing import Annotated, Any

from pydantic import Field

from common.config.sections import Section, YamlPath
from common.config.yaml_file import load_config, load_config_with_changes, parse_overrides, save_config
from common.runtime.errors import UserError
from common.training.resume import RESUMABLE_KEYS

Changes = dict[str, Any]
VariantName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_+-]*$")]  # names a folder and a column

STUDY_FILE, CONFIGS_FOLDER = "study.yaml", "configs"  # in a study's folder


class Study(Section):
    base: YamlPath = Field(description="the config that is varied, as seen from this file")
    changes: Changes = Field(default={}, description="section.key: value, in every variant")
    variants: dict[VariantName, Changes] = Field(min_length=2, description="name: {section.key: value, ...}")


class SavedStudy(Section):
    task: str
    name: str
    command: list[str]
    vgg: str | None
    lpips: str | None
    variants: dict[VariantName, Changes]


def read_study(path, config_class, words, taken):
    """(name, {variant: its changes}, {variant: its config}) of a study file; `section.key=value` words are for all.

    Raises UserError, with the place, for mistakes in it, for names that are `taken`, and for variants that cannot be
    compared: of other data, with an output of their own, or the same as another one.
    """
    study = load_config(Study, path)
    for name in (*taken, CONFIGS_FOLDER):
        if name in study.variants:
            raise UserError(f"{path}: variants.{name}: the name of something else in the comparison; choose another")
    base = path.parent / study.base.expanduser()
    everywhere = [(f"{path}: changes", *change) for change in study.changes.items()]
    configs = {}
    for name, variant in study.variants.items():
        place = f"{path}: variants.{name}"
        changes = [*everywhere, *((place, *change) for change in variant.items()), *parse_overrides(words)]
        config = configs[name] = load_config_with_changes(config_class, base, changes)
        first = next(iter(configs.values()))
        for section in ("data", "output"):
            if getattr(config, section) != getattr(first, section):
                raise UserError(f"{place}: {section}: must be the same in every variant; set it under changes")
    for one, other in combinations(configs, 2):
        if configs[one] == configs[other]:
            with_words = " with the command line's keys" if words else ""
            raise UserError(f"{path}: variants.{one} and variants.{other} are the same config{with_words}")
    return path.stem, study.variants, configs


def save_study(folder, study, configs):
    """Writes into `folder` what `load_study` needs. study: SavedStudy; configs: {variant: its config}."""
    (folder / CONFIGS_FOLDER).mkdir(exist_ok=True)
    for name, config in configs.items():
        save_config(config, folder / CONFIGS_FOLDER / f"{name}.yaml")
    save_config(study, folder / STUDY_FILE)


def load_study(folder, task, config_class, words):
    """(SavedStudy, {variant: its config}) of a study's folder; words: `section.key=value` for all that is not finished.

    Raises UserError if it is no such folder, or if the words change what a variant is.
    """
    if not (folder / STUDY_FILE).is_file():
        raise UserError(f"--resume {folder}: not the folder of a study (no {STUDY_FILE} in it)")
    study = load_config(SavedStudy, folder / STUDY_FILE)
    if study.task != task:
        raise UserError(f"--resume {folder}: a study of {study.task}; use python -m {study.task}.compare")
    for _, key, _ in parse_overrides(words):
        if key not in RESUMABLE_KEYS:
            raise UserError(f"command line: {key}: may not change once a study began; {', '.join(RESUMABLE_KEYS)} may")
    paths = {name: folder / CONFIGS_FOLDER / f"{name}.yaml" for name in study.variants}
    return study, {name: load_config(config_class, path, words) for name, path in paths.items()}
