"""A trained model for others: its file in float16, with its card in it."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import safe_open
from torch import Tensor

from common.models.model_file import METADATA_KEY
from common.runtime.files import atomic_write


def share(model: Path, output: Path, card: Mapping[str, Any]) -> dict[str, Any]:
    """Writes a model file again, weights in float16, with `card` and the SHA-256 of the weights; returns the card.

    model: a file that `common.models.model_file.read_model_file` opens.
    """
    with safe_open(model, framework="pt") as file:
        header = json.loads((file.metadata() or {})[METADATA_KEY])
        weights = {name: to_half(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118 (it is no dictionary)
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode() + weights[name].numpy().tobytes())
    header["card"] = {**card, "sha256 of the weights": digest.hexdigest()}
    with atomic_write(output) as temporary:
        temporary.write_bytes(safetensors.torch.save(weights, {METADATA_KEY: json.dumps(header)}))
    return header["card"]


def to_half(value: Tensor) -> Tensor:
    """In float16, if that can hold it."""
    fits = value.is_floating_point() and bool(value.abs().max() <= torch.finfo(torch.float16).max)
    return (value.half() if fits else value).contiguous()
