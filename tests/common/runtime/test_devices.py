import pytest
import torch

from common.runtime.devices import get_device
from common.runtime.errors import UserError


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(UserError, match="device nonsense: not available here"):
        get_device("nonsense")
    if not torch.cuda.is_available():
        with pytest.raises(UserError, match="device cuda: not available here"):
            get_device("cuda")
