"""A config file."""

import pytest
import yaml

MINIMAL = {"loss": {"l1": 1}, "train": {"stages": [{"crop": 64, "bs": 2, "epochs": 1, "lr": 0.001}]}}


@pytest.fixture
def file(tmp_path):
    """A config of what has no default."""
    path = tmp_path / "my.yaml"
    path.write_text(yaml.safe_dump(MINIMAL))
    return path
