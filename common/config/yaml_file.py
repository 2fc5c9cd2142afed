"""Config files: YAML with `section.key=value` overrides on top, checked."""

from collections.abc import Iterable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from common.config.mistakes import explain_mistakes
from common.config.overrides import Change, parse_overrides, set_key
from common.config.yaml_values import YamlDumper, YamlLoader
from common.runtime.errors import UserError
from common.runtime.files import atomic_write

Model = TypeVar("Model", bound=BaseModel)


def load_config(config_class: type[Model], path: Path | None = None, overrides: Iterable[str] = ()) -> Model:
    """The checked config of a YAML file with `section.key=value` overrides on top (values are YAML, lists by index).

    Raises UserError that lists every mistake with file, key, value, rule and the nearest valid name.
    """
    return load_config_with_changes(config_class, path, parse_overrides(overrides, config_class))


def load_config_with_changes(config_class: type[Model], path: Path | None, changes: Sequence[Change]) -> Model:
    """The same with changes [(where they stand, 'section.key', value)], of which the last one counts."""
    data: dict[str, Any] = {}
    source = "config"
    if path is not None:
        source = str(path)
        data = read_yaml(path)
    for place, key, value in changes:
        set_key(data, place, key, deepcopy(value))
    try:
        return config_class.model_validate(data)
    except ValidationError as error:
        places = {key: place for place, key, _ in changes}
        raise UserError(
            "\n       ".join(explain_mistakes(config_class, data, error.errors(), source, places))
        ) from None


def save_config(config: BaseModel, path: Path) -> None:
    """Writes every key of `config`, defaults included, as YAML."""
    with atomic_write(path) as temporary:
        text = yaml.dump(config.model_dump(mode="json"), Dumper=YamlDumper, sort_keys=False)
        temporary.write_text(text, encoding="utf-8")


def read_yaml(path: Path) -> dict[str, Any]:
    """The sections of a config file. Raises UserError if it cannot be read, or holds anything else."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be read as a config ({error.strerror})") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not text in UTF-8, as configs are; save it so") from None
    try:
        data = yaml.load(text, YamlLoader)
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        kind = type(data).__name__
        raise UserError(f"{path}: a config has sections with keys (data:, model:, ...); this is a {kind}")
    return data
