import torch

from common.runtime.precision import choose

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)


def test_auto_is_fp16_on_cuda_if_the_network_can_and_else_fp32():
    assert [choose("auto", device) for device in (CPU, GPU)] == ["fp32", "fp16"]
    assert choose("auto", GPU, lambda: False) == "fp32"


def test_what_is_asked_for_is_taken_and_the_network_not_tried():
    for asked in ("fp32", "fp16", "bf16"):
        assert choose(asked, CPU, lambda: 1 / 0) == choose(asked, GPU, lambda: 1 / 0) == asked
    assert choose("auto", CPU, lambda: 1 / 0) == "fp32"
