import numpy as np
import torch

from common.evaluation.grid import GAP, LABEL_HEIGHT, draw_grid


def test_columns_and_rows_stand_where_they_should():
    red, green = torch.zeros(3, 8, 10), torch.zeros(3, 4, 5)
    red[0], green[1] = 1, 1
    grid = np.asarray(draw_grid({"a": [red, red], "b": [green, red]}))
    assert grid.shape == (LABEL_HEIGHT + 8 + GAP + 8, 10 + GAP + 10, 3)
    assert (grid[LABEL_HEIGHT : LABEL_HEIGHT + 8, :10] == [255, 0, 0]).all()
    assert (grid[LABEL_HEIGHT : LABEL_HEIGHT + 8, 10 + GAP :] == [0, 255, 0]).all()  # enlarged to its row
    assert (grid[LABEL_HEIGHT + 8 + GAP :, 10 + GAP :] == [255, 0, 0]).all()
    assert (grid[LABEL_HEIGHT:, 10 : 10 + GAP] == 255).all()
