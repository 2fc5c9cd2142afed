"""Memory that is freed stays with the process."""

import os
import platform
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from common.runtime.memory import machine_memory, peak_memory

TOUCHED = """
import resource, sys
from common.runtime.memory import release_freed_memory, keep_freed_memory
if sys.argv[1] != "leave":
    keep_freed_memory()
bytearray(100_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    if sys.argv[1] == "give back":
        release_freed_memory()
    bytearray(100_000_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(word):
    """Pages that the system had to give for five blocks of 100 MB, after a first one."""
    done = subprocess.run([sys.executable, "-c", TOUCHED, word], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's malloc")
def test_a_block_that_was_freed_is_not_asked_for_again():
    assert faults("keep") < 100
    assert faults("leave") > 200  # 5 x 48 huge pages, or 5 x 24,414 small ones
    assert faults("give back") > 200


def test_the_peak_is_that_of_the_accelerator_in_use(monkeypatch):
    """Whatever its kind and number; Apple's does not tell."""
    held = [0, 3e9]
    xpu = SimpleNamespace(device_count=lambda: 2, max_memory_allocated=lambda device: held[device])
    mps = SimpleNamespace(device_count=lambda: 1)
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device("xpu"))
    monkeypatch.setattr(torch, "get_device_module", lambda _: xpu)
    assert peak_memory().endswith("3.0 GB of the GPU")
    held[1] = 0  # the training is on the CPU
    assert "GPU" not in peak_memory()
    monkeypatch.setattr(torch, "get_device_module", lambda _: mps)
    assert "GPU" not in peak_memory()


@pytest.fixture
def machine():
    """Bytes that the machine has."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(sys.platform == "win32", reason="no sysconf")
@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("0::/", {"memory.max": "1000000"}, 1_000_000),
        ("0::/", {"memory.max": "max"}, None),
        ("0::/", {"memory.max": "9223372036854771712"}, None),
        ("0::/a/b", {"a/memory.max": "2000000", "a/b/memory.max": "3000000"}, 2_000_000),  # what holds it is smaller
        ("0::/not/shown", {"memory.max": "4000000"}, 4_000_000),
        ("5:cpu,memory:/docker/x\n1:name=systemd:/y", {"memory/docker/x/memory.limit_in_bytes": "5000000"}, 5_000_000),
        ("5:memory:/docker/x", {"memory/memory.limit_in_bytes": "6000000"}, 6_000_000),
        ("5:memory:/", {"memory/memory.limit_in_bytes": "9223372036854771712"}, None),
        ("0::/../../x", {"memory.max": "7000000"}, 7_000_000),
        (None, {}, None),
    ],
)
def test_a_container_has_the_memory_that_it_may_use(tmp_path, machine, groups, files, expected):
    files = {f"sys/fs/cgroup/{name}": text for name, text in files.items()}
    for name, text in {**files, **({"proc/self/cgroup": groups} if groups else {})}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{text}\n")
    assert machine_memory(tmp_path) == (expected or machine)
