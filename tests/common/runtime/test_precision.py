import pytest
import torch
from torch import nn

from common.runtime import precision
from common.runtime.errors import UserError
from common.runtime.precision import choose_precision, precisions_of
from tests.trials import trials_that_find

REAL_SPEED = precision.speed_in_bf16  # before the fixture replaces it
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


@pytest.mark.parametrize(("speed", "expected"), [(1.1, "fp32"), (1.3, "bf16")])
def test_auto_trains_in_bf16_on_a_cpu_that_is_faster_with_it(speed, expected):
    with trials_that_find(speed):
        for model in (None, nn.Identity()):
            assert choose_precision("auto", CPU, model, "train.precision =", trained=True) == expected
        assert choose("auto", CPU) == "fp32"  # to predict, the first photo decides
        assert choose_precision("fp32", CPU, None, "train.precision =", trained=True) == "fp32"


def test_the_fastest_times_are_compared(monkeypatch):
    seconds = iter([9, 9, 4, 1, 3, 6, 8, 2])  # fp32, bf16, fp32, ...; the first two warm up
    monkeypatch.setattr(precision, "TRIES", 3)
    now = [0.0]
    monkeypatch.setattr(precision.time, "perf_counter", lambda: now[0])
    seen = []

    def compute():
        seen.append(torch.is_autocast_enabled("cpu"))
        now[0] += next(seconds)

    assert REAL_SPEED(compute) == 3 / 1
    assert seen == [False, True] * 4


def test_what_is_asked_for_is_taken_where_the_network_works_in_it():
    for asked in ("fp32", "fp16", "bf16"):
        assert {choose(asked, device, model) for device in (CPU, GPU) for model in (None, nn.Identity())} == {asked}
    assert precisions_of(nn.Identity()) == {torch.float16, torch.bfloat16}
    for asked in ("fp32", "bf16"):
        assert choose(asked, GPU, NotInFp16()) == asked
    with pytest.raises(UserError, match=r"^--precision fp16: this network is not known to work in it; auto chooses"):
        choose("fp16", GPU, NotInFp16())
