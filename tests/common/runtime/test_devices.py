import pytest
import torch

from common.runtime.devices import best_device_name, get_device
from common.runtime.errors import UserError


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(UserError, match="device nonsense: not available here"):
        get_device("nonsense")
    if not torch.cuda.is_available():
        with pytest.raises(UserError, match="device cuda: not available here"):
            get_device("cuda")


@pytest.mark.parametrize(("cuda", "mps", "name"), [(True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")])
def test_auto_is_the_gpu_if_there_is_one(monkeypatch, cuda, mps, name):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert best_device_name() == name
