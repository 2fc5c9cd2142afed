import pytest
import torch

from superres.bicubic import enlarge_by_convolution, resize_bicubic


@pytest.mark.parametrize("scale", [2, 4, 8])
@pytest.mark.parametrize("size", [(32, 33), (7, 50), (3, 2), (1, 1)])
def test_a_convolution_enlarges_as_torch_does(scale, size):
    image = torch.rand(2, 3, *size)
    torch.testing.assert_close(enlarge_by_convolution(image, scale), resize_bicubic(image, scale), atol=1e-5, rtol=0)
