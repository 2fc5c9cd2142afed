import pytest
import torch

from common.runs.resume import read_resume_point
from common.runtime.errors import UserError


def test_a_newer_or_broken_state_is_refused(tmp_path):
    path = tmp_path / "resume.pt"
    assert read_resume_point(path) is None
    torch.save({"format_version": 99}, path)
    with pytest.raises(UserError, match=r"written by a newer version of the program \(format 99\)"):
        read_resume_point(path)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(UserError, match="broken, or not what --resume saves"):
        read_resume_point(path)
