import numpy as np
import torch
import torch.nn.functional as F

from common.photos.pixels import to_tensor


def test_a_photo_stays_channels_last_when_it_is_padded():
    photo = np.arange(6 * 5 * 3, dtype=np.uint8).reshape(6, 5, 3)
    image = to_tensor(photo)
    torch.testing.assert_close(image[0, :, 4, 3], torch.from_numpy(photo[4, 3]) / 255)
    padded = F.pad(image, (0, 3, 0, 2), mode="replicate")
    assert padded.is_contiguous(memory_format=torch.channels_last)
