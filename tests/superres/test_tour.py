import nbformat
import pytest
from nbclient import NotebookClient

from common.commands.configs import CONFIGS


@pytest.mark.slow
def test_the_notebook_runs(tmp_path):
    """With a small network and few crops, in a folder of its own."""
    notebook = nbformat.read(CONFIGS.parent / "superres/tour.ipynb", as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    crops = '"data.crops_per_photo=32"'
    assert crops in cells[0].source
    cells[0].source = cells[0].source.replace(crops, '"data.crops_per_photo=2", "model={network: srcnn}"')
    for cell in cells:
        cell.outputs = []
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [{kind for output in cell.outputs for kind in output.get("data", {})} for cell in cells]
    has_picture = [bool(kinds & {"image/jpeg", "image/png"}) for kinds in shown]
    assert has_picture == [False, True, True, False, True, True, True]
    assert [path.name for path in tmp_path.iterdir()] == ["models"]  # of fastai's lr_find, empty
    assert not list((tmp_path / "models").iterdir())
