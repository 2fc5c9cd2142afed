"""Names of when the U-Net was fastai's `DynamicUnet`: in model files before format 3, and resume points of format 1."""

import re
from collections.abc import Iterable
from typing import TypeVar

Value = TypeVar("Value")

NAMES = {
    "0.0": "encoder.conv1", "0.1": "encoder.bn1",
    "0.4": "encoder.layer1", "0.5": "encoder.layer2", "0.6": "encoder.layer3", "0.7": "encoder.layer4",
    "1": "bn", "3": "middle", "4": "blocks.0", "5": "blocks.1", "6": "blocks.2", "7": "blocks.3",
    "8": "shuf", "11": "res",
}  # fmt: skip
OLD = re.compile(rf"\bnet\.layers\.({'|'.join(map(re.escape, NAMES))})\.")


def is_old(state: Iterable[str]) -> bool:
    """Whether there is a U-Net with the old names in a model's weights."""
    return any("net.layers.4.shuf." in name for name in state)


def with_new_names(state: dict[str, Value]) -> dict[str, Value]:
    """The weights with a U-Net's old names replaced; those of other networks as they are."""
    if not is_old(state):
        return state
    return {OLD.sub(lambda match: f"{NAMES[match[1]]}.", name): value for name, value in state.items()}
