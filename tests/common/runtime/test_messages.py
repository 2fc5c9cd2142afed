import subprocess
import sys


def test_messages_are_shown_to_python_too():
    code = "import logging\nfrom common.runtime.messages import show_messages\nshow_messages()\n"
    code += "logging.getLogger('a').info('epoch 1')\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "epoch 1\n"
