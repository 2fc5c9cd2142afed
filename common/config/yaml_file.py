"""Config files: YAML with `section.key=value` overrides, checked, with errors that say what to write instead."""

import re
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from common.runtime.errors import UserError
from common.runtime.files import atomic_write
from common.runtime.nearest import did_you_mean

Model = TypeVar("Model", bound=BaseModel)
Change = tuple[str, str, Any]  # where it stands, section.key, value


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


class YamlLoader(yaml.SafeLoader):
    """YAML as people write it: `1e-3` is a number (YAML 1.2), and a key given twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"key '{key}' is given twice", node.start_mark)
        return super().construct_mapping(node, deep)


class YamlDumper(yaml.SafeDumper):
    """Quotes a string that YamlLoader would read as a number."""


for reads_or_writes in (YamlLoader, YamlDumper):
    reads_or_writes.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
    )


def read_yaml(path: Path) -> dict[str, Any]:
    """The sections of a config file. Raises UserError if it cannot be read, or holds anything else."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as a config ({getattr(error, 'strerror', None) or error})") from None
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


def explain_mistakes(
    config_class: type[BaseModel],
    data: dict[str, Any],
    mistakes: Sequence[ErrorDetails],
    source: str,
    places: Mapping[str, str],
) -> list[str]:
    """A line for each key that pydantic complains of: place, key, value, rule, nearest valid name.

    places: where the keys stand that are not the file's own.
    """
    rules: dict[str, list[str]] = {}
    both = " with ".join(
        [source, *(place if ":" in place else f"the {place}" for place in dict.fromkeys(places.values()))]
    )
    for mistake in mistakes:
        keys, value, section = locate_mistake(config_class, data, mistake["loc"])
        key = ".".join(map(str, keys))
        near = [at for name, at in places.items() if f"{key}.".startswith(f"{name}.") or name.startswith(f"{key}.")]
        place = f"{near[-1] if near else source}: {key}"
        kind, context = mistake["type"], mistake.get("ctx", {})
        if kind == "extra_forbidden":
            head, rule = place, f"unknown key; {suggest_nearest(keys[-1], section.model_fields)}"
        elif kind == "missing":
            head, rule = place, "missing, and it has no default"
        elif kind == "value_error":
            head, rule = place if key else both, str(context["error"])
        elif kind == "literal_error":
            names = [name.strip("'") for name in re.split(", | or ", context["expected"])]
            given = "" if mistake["loc"][-1] == "[key]" else f" = {mistake['input']}"
            head, rule = f"{place}{given}", suggest_nearest(str(mistake["input"]), names)
        elif kind == "model_type":
            head, rule = f"{place} = {value}", "must be a section, such as {key: value}"
        elif kind == "path_type":
            head, rule = f"{place} = {value}", "must be a path"
        else:
            head, rule = f"{place} = {value}", re.sub("^(Input|List|Dictionary|String) should", "must", mistake["msg"])
        rules.setdefault(head, []).append(rule)
    return [f"{head}: {' or '.join(rule)}" for head, rule in rules.items()]


def locate_mistake(
    config_class: type[BaseModel], data: dict[str, Any], loc: Iterable[str | int]
) -> tuple[list[Any], Any, type[BaseModel]]:
    """Follows pydantic's `loc` as far as it names real keys (it also names union members).

    Returns the keys, the value there, and the section class that the last key belongs to.
    """
    keys: list[Any] = []
    value: Any = data
    section, inner = config_class, config_class
    for part in loc:
        fields = inner.model_fields if inner else {}
        if isinstance(value, dict) and (part in value or part in fields):
            section, value = inner or section, value.get(part)
            inner = find_section_class(fields[part].annotation) if part in fields else None
        elif isinstance(value, list) and isinstance(part, int):
            value = value[part]
        else:
            break
        keys.append(part)
    return keys, value, section


def find_section_class(annotation: Any) -> type[BaseModel] | None:
    """The section class in a type such as `list[StageConfig]` or `LayerTerm | None`, or None."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := find_section_class(inner))), None)


def suggest_nearest(name: str, valid: Iterable[str]) -> str:
    """The rule 'must be one of ...', with the nearest name if one is near."""
    valid = list(valid)
    return f"must be one of {', '.join(valid)}{did_you_mean(name, valid)}"


def describe_keys(section: type[BaseModel], prefix: str = "") -> list[str]:
    """Lines that explain every key of a config class, for --help: `section.key  type  default  description`."""
    lines: list[str] = []
    for name, field in section.model_fields.items():
        inner = find_section_class(field.annotation)
        is_list = getattr(field.annotation, "__origin__", None) is list
        key = f"{prefix}{name}{'.0' if inner and is_list else ''}"
        if inner:
            if field.description:
                lines.append(f"  {prefix + name:28} {field.description}")
            lines += describe_keys(inner, f"{key}.")
        else:
            default = "" if field.is_required() else f"[{'null' if field.default is None else field.default}] "
            lines.append(f"  {key:28} {default}{field.description or ''}".rstrip())
    return lines
