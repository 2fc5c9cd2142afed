import pytest
import torch
from torch import nn

from common.runtime.errors import UserError
from common.runtime.precision import choose_precision, precisions_of

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)


class NotInFp16(nn.Module):
    precisions = frozenset({torch.bfloat16})


def choose(asked, device, model=None):
    return choose_precision(asked, device, model, "--precision")


def test_auto_is_fp16_on_cuda_if_the_network_can_and_else_fp32():
    assert [choose("auto", device) for device in (CPU, GPU)] == ["fp32", "fp16"]
    assert [choose("auto", device, nn.Identity()) for device in (CPU, GPU)] == ["fp32", "fp16"]
    assert [choose("auto", device, NotInFp16()) for device in (CPU, GPU)] == ["fp32", "fp32"]


def test_auto_trains_in_bf16_where_the_gpu_and_the_network_can(monkeypatch):
    for has_bf16, expected in ((True, ["bf16", "bf16", "fp32"]), (False, ["fp16", "fp32", "fp32"])):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation, has=has_bf16: has)
        pairs = [(GPU, nn.Identity()), (GPU, NotInFp16()), (CPU, nn.Identity())]
        assert [choose_precision("auto", *pair, "train.precision =", trained=True) for pair in pairs] == expected


def test_what_is_asked_for_is_taken_where_the_network_works_in_it():
    for asked in ("fp32", "fp16", "bf16"):
        assert {choose(asked, device, model) for device in (CPU, GPU) for model in (None, nn.Identity())} == {asked}
    assert precisions_of(nn.Identity()) == {torch.float16, torch.bfloat16}
    for asked in ("fp32", "bf16"):
        assert choose(asked, GPU, NotInFp16()) == asked
    with pytest.raises(UserError, match=r"^--precision fp16: this network is not known to work in it; auto chooses"):
        choose("fp16", GPU, NotInFp16())
