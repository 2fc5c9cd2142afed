import os
import subprocess
import sys
from pathlib import Path


def test_messages_are_shown_to_python_too():
    code = "import logging\nfrom common.runtime.messages import show_messages\nshow_messages()\n"
    code += "logging.getLogger('a').info('epoch 1')\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "epoch 1\n"


def test_the_log_of_each_run_has_what_was_said_before_its_folder_existed(tmp_path):
    code = "import logging\nfrom pathlib import Path\nfrom common.runtime.messages import log_to_file, show_messages\n"
    for name in "ab":
        code += f"show_messages()\nlogging.getLogger('a').info('before {name}')\n"
        code += f"log_to_file(Path('{name}.txt'))\nlogging.getLogger('a').info('in {name}')\n"
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, env=environment, capture_output=True)
    said = [[line.split(" ", 2)[2] for line in (tmp_path / f"{name}.txt").read_text().splitlines()] for name in "ab"]
    assert said[1] == ["before b", "in b"]
    assert said[0] == ["before a", "in a", "before b"]
