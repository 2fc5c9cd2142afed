from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
TASKS = [path.parent.name for path in ROOT.glob("*/train.py")]


@pytest.mark.parametrize("path", sorted((ROOT / "common").glob("*.py")), ids=lambda path: path.name)
def test_common_names_no_task(path):
    assert {"superres", "colorize", "styletransfer"} <= set(TASKS)
    named = [task for task in TASKS if task in path.read_text()]
    assert not named


@pytest.mark.parametrize("task", TASKS)
def test_tasks_do_not_import_each_other(task):
    for path in (ROOT / task).glob("*.py"):
        others = [other for other in TASKS if other != task and other in path.read_text()]
        assert not others, path
