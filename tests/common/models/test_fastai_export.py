import pickletools
import zipfile

from torch import nn

from common.models.fastai_export import export_learner


def test_an_exported_learner_names_no_class_of_this_system(tmp_path):
    export_learner(tmp_path / "export.pkl", nn.Conv2d(3, 3, 1))
    with zipfile.ZipFile(tmp_path / "export.pkl") as file:
        (name,) = (name for name in file.namelist() if name.endswith("data.pkl"))
        classes = {argument for code, argument, _ in pickletools.genops(file.read(name)) if code.name == "GLOBAL"}
    assert "pathlib PurePosixPath" in classes
    assert not classes & {"pathlib PosixPath", "pathlib WindowsPath", "pathlib._local PosixPath"}
