"""Memory that is freed stays with the process."""

import platform
import subprocess
import sys

import pytest

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
