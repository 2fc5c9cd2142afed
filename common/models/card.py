"""What a model is, in its own file or beside it: its card."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from common.models.model_file import METADATA_KEY
from common.runtime.files import read_json

LIBRARY = "perceptual-enhance"
CARD_FILE = "card.json"  # beside a run's model
Card = Mapping[str, Any]


def read_card(model: Path) -> dict[str, Any]:
    """The card in a model file, or that of the run that it lies in; empty if there is none."""
    try:
        with safe_open(model, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get(METADATA_KEY, "{}"))
    except (SafetensorError, OSError, ValueError):
        header = {}
    if "card" in header:
        return header["card"]
    beside = model.with_name(CARD_FILE)
    return read_json(beside) if beside.exists() else {}


def format_card(card: Card) -> str:
    """A line an entry; what is a table in it, a line each."""
    lines: list[str] = []
    for name, value in card.items():
        if isinstance(value, Mapping):
            lines.append(f"{name}:")
            lines += [f"  {key:24} {format_value(each)}" for key, each in value.items()]
        else:
            lines.append(f"{name + ':':14} {format_value(value)}")
    return "\n".join(lines)


def format_value(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def to_markdown(card: Card, name: str) -> str:
    """A model card as Hugging Face has them: README.md with a head of YAML."""
    head = {
        "license": str(card.get("licence", "unknown")).lower(),
        "library_name": LIBRARY,
        "pipeline_tag": "image-to-image",
    }
    lines = ["---", *(f"{key}: {value}" for key, value in head.items()), "---", "", f"# {name}", ""]
    if "what for" in card:
        lines += [str(card["what for"]), ""]
    for key, value in card.items():
        if isinstance(value, Mapping):
            lines += [f"## {key.capitalize()}", "", "| | |", "|---|---|"]
            lines += [f"| {each} | {format_value(inner)} |" for each, inner in value.items()] + [""]
    plain = {key: value for key, value in card.items() if not isinstance(value, Mapping) and key != "what for"}
    lines += ["## Card", "", "| | |", "|---|---|", *(f"| {key} | {format_value(v)} |" for key, v in plain.items())]
    return "\n".join(lines) + "\n"
