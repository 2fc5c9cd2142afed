"""`section.key=value` words of a command line, and how they change what a file says."""

from collections.abc import Iterable
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel

from common.config.keys import find_section_class
from common.config.yaml_values import YamlLoader
from common.runtime.errors import UserError

Change = tuple[str, str, Any]  # where it stands, section.key, value


def parse_overrides(words: Iterable[str], config_class: type[BaseModel]) -> list[Change]:
    """`section.key=value` words of the command line -> [('command line', 'section.key', value)].

    Values are YAML, but a path or a name is the text as it was typed, since YAML sees comments, numbers and lists in
    some; only the word null means none, and a list of paths begins with a bracket.
    """
    changes: list[Change] = []
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise UserError(f"command line: '{word}': write an override as section.key=value, for example train.seed=1")
        if is_text(find_types(config_class, key), value):
            if not value:
                raise UserError(f"command line: {key}: nothing after '='; write null for the default")
            changes.append(("command line", key, None if value == "null" else value))
            continue
        try:
            changes.append(("command line", key, yaml.load(value, YamlLoader)))
        except yaml.YAMLError:
            raise UserError(f"command line: {key}: '{value}' is not a YAML value") from None
    return changes


def find_types(config_class: type[BaseModel], key: str) -> set[Any]:
    """The types that the key, 'section.key', takes; none for what has no key of its own."""
    section: type[BaseModel] | None = config_class
    annotation: Any = None
    for name in key.split("."):
        if section is None:
            return set()
        if name in section.model_fields:
            annotation = section.model_fields[name].annotation
            section = find_section_class(annotation)
        elif not name.isdigit():  # of a list entry
            return set()
    return leaf_types(annotation)


def is_text(types: set[Any], value: str) -> bool:
    """Whether a value of these types is the path or the name that was typed, not YAML: [a, b] may be a list of them."""
    single = {kind for kind in types if get_origin(kind) is not list}
    may_be_list = len(single) < len(types) and value.startswith("[") and value.endswith("]")
    return bool(single & {str, Path}) and single <= {str, Path, type(None)} and not may_be_list


def leaf_types(annotation: Any) -> set[Any]:
    """The types of a union, without their own arguments."""
    if get_origin(annotation) in (Union, UnionType):
        return {leaf for inner in get_args(annotation) for leaf in leaf_types(inner)}
    return leaf_types(get_args(annotation)[0]) if get_origin(annotation) is Annotated else {annotation}


def set_key(data: dict[str, Any], place: str, key: str, value: Any) -> None:
    """Sets one `section.key` in the nested `data`; place: where it stands, for errors."""
    *parents, last = key.split(".")
    section: Any = data
    for name in parents:
        if isinstance(section, list):
            section = section[parse_list_index(section, name, f"{place}: {key}")]
        else:
            if section.get(name) is None:
                section[name] = {}
            section = section[name]
        if not isinstance(section, dict | list):
            raise UserError(f"{place}: {key}: {name} is a value, not a section")
    if isinstance(section, list):
        section[parse_list_index(section, last, f"{place}: {key}")] = value
    else:
        section[last] = value


def parse_list_index(items: list[Any], name: str, where: str) -> int:
    if not name.isdigit() or int(name) >= len(items):
        raise UserError(f"{where}: '{name}' must be a number from 0 to {len(items) - 1} (which list entry)")
    return int(name)
