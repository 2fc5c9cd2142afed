"""`python -m tests.limited BYTES MODULE ARGUMENTS...`: the command, in a process that can write no larger file.

A full disk does the same to it: writing fails in the middle.
"""

import resource
import sys
from runpy import run_module

if __name__ == "__main__":
    limit, *sys.argv = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit),) * 2)
    run_module(sys.argv[0], run_name="__main__", alter_sys=True)
