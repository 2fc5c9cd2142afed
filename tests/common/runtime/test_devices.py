import subprocess
import sys

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


@pytest.mark.parametrize("found", ["cuda", "mps", "xpu", None])
def test_auto_is_the_accelerator_if_there_is_one(monkeypatch, found):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: found is not None)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device(found) if found else None)
    assert best_device_name() == (found or "cpu")


def test_operations_that_apples_gpu_lacks_run_on_the_cpu():
    code = "import os, superres; print(os.environ['PYTORCH_ENABLE_MPS_FALLBACK'])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "1"
