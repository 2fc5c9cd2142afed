"""Johnson's network on a photo of any size, as if it went through in one piece, in little memory.

Instance norm needs the mean and variance of each channel over the whole picture. So the photo goes through one
convolution after the other, each in bands of rows; what a norm reads is kept on the disk, in half precision, until its
statistics are known. Nothing is computed twice but the rows where bands meet, and there are no seams.
"""

import logging
import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from common.photos.pixels import to_pixels, to_tensor
from common.runtime.finite import check_finite
from styletransfer.johnson import MIN_SIDE, STRIDE, ResidualBlock, TransformationNetwork
from styletransfer.network import with_photo

log = logging.getLogger(__name__)

HALF = np.float16
LARGEST = float(np.finfo(HALF).max)
MIN_ROWS = 16  # of a band: more than a convolution reflects


@dataclass(frozen=True)
class Rows:
    """A layer's input or output, (1, channels, height, width), of which read(top, bottom) gives rows.

    floats: the most that is held for a row while it is computed.
    """

    channels: int
    height: int
    width: int
    floats: int
    read: Callable[[int, int], Tensor]

    def then(self, function: Callable[[Tensor], Tensor]) -> "Rows":
        """The same with a function of single pixels."""
        return replace(self, read=lambda top, bottom: function(self.read(top, bottom)))


@dataclass(frozen=True)
class Work:
    """What all layers share."""

    floats: int  # that a band may have
    folder: Path  # for what is kept meanwhile
    device: torch.device
    progress: tqdm


@torch.inference_mode()
def paint_in_bands(
    network: TransformationNetwork, photo: np.ndarray, floats: int, photo_part: float = 0.0
) -> np.ndarray:
    """(H, W, 3) uint8 or uint16 -> the same, painted, as `Stylizer` does with a `TransformationNetwork`.

    floats: the most that a band of a layer may have; some five bands are held. photo_part: see `with_photo`. Raises
    OSError if the disk is too full, ResultNotFinite if a layer's output is not finite.
    """
    height, width = photo.shape[:2]
    folder = check_disk(network, height, width)
    device = next(network.parameters()).device
    convolutions = sum(isinstance(module, nn.Conv2d) for module in network.modules())
    with tqdm(total=convolutions, unit="layer", leave=False, disable=None) as progress:
        work = Work(floats, folder, device, progress)
        logits = through(network.layers, photo_rows(photo, network, device), work)
        result = np.empty_like(photo)
        for top, bottom in bands(logits, work):
            painted = check_finite(logits.read(top, bottom)[..., : height - top, :width])
            if photo_part > 0:
                painted = with_photo(painted, to_tensor(photo[top:bottom]).to(device), photo_part)
            result[top:bottom] = to_pixels(painted.sigmoid(), photo.dtype)
        progress.update()
    return result


def check_disk(network: TransformationNetwork, height: int, width: int) -> Path:
    """The folder for what is kept meanwhile; says how much that is. Raises OSError if so much is not free.

    At most these two are kept at once: an output at full size, and one of half the side with twice the channels.
    """
    wide = next(module.out_channels for module in network.modules() if isinstance(module, nn.Conv2d))
    needed = 1.5 * wide * height * width * np.dtype(HALF).itemsize
    folder = scratch_folder()
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(
            f"painting it needs {needed / 1e9:.1f} GB of disk in {folder} meanwhile, and {free / 1e9:.1f} GB are free; "
            "set TMPDIR to another folder"
        )
    log.info(
        "%.1f megapixels: painted in bands, with %.1f GB of disk in %s", height * width / 1e6, needed / 1e9, folder
    )
    return folder


def scratch_folder() -> Path:
    """TMPDIR; else /var/tmp, since /tmp is often in memory; else the system's folder for temporary files."""
    large = Path("/var/tmp")
    return large if "TMPDIR" not in os.environ and os.access(large, os.W_OK) else Path(tempfile.gettempdir())


def photo_rows(photo: np.ndarray, network: TransformationNetwork, device: torch.device) -> Rows:
    """The network's input: in [-1, 1], its last column and row repeated as `TransformationNetwork.forward` does."""
    height, width = (max(MIN_SIDE, -(-side // STRIDE) * STRIDE) for side in photo.shape[:2])
    right = width - photo.shape[1]

    def read(top: int, bottom: int) -> Tensor:
        band = to_tensor(photo[top:bottom]).to(device)
        band = F.pad(band, (0, right, 0, bottom - top - band.shape[2]), mode="replicate")
        return network.with_noise(2 * band - 1, top)

    channels = 3 + network.noise
    return Rows(channels, height, width, channels * width, read)


def through(layers: Iterable[nn.Module], rows: Rows, work: Work) -> Rows:
    """What the layers make of the rows. Up to the last norm it is computed here, what follows when it is read."""
    for layer in layers:
        match layer:
            case nn.Sequential():
                rows = through(layer, rows, work)
            case ResidualBlock():
                rows = keep(added(rows, through(layer.layers, rows, work)), work)[0]
            case nn.InstanceNorm2d():
                rows, mean, variance = keep(rows, work)
                rows = rows.then(partial(normalize, norm=layer, mean=mean, variance=variance))
                work.progress.update()
            case nn.Conv2d():
                rows = convolved(rows, layer)
            case nn.Upsample():
                rows = upsampled(rows)
            case nn.ReLU():
                rows = rows.then(F.relu)
            case _:
                raise TypeError(f"{type(layer).__name__}: not a layer of Johnson's network")
    return rows


def normalize(band: Tensor, norm: nn.InstanceNorm2d, mean: Tensor, variance: Tensor) -> Tensor:
    return F.batch_norm(band, mean, variance, norm.weight, norm.bias, eps=norm.eps)


def added(first: Rows, second: Rows) -> Rows:
    return replace(second, read=lambda top, bottom: first.read(top, bottom) + second.read(top, bottom))


def convolved(rows: Rows, conv: nn.Conv2d) -> Rows:
    """The convolution of `rows`, which reflects the picture at its borders."""
    (size, _), (stride, _), pad = conv.kernel_size, conv.stride, conv.kernel_size[0] // 2

    def read(top: int, bottom: int) -> Tensor:
        first, last = stride * top - pad, stride * (bottom - 1) - pad + size
        band = rows.read(max(first, 0), min(last, rows.height))
        band = F.pad(band, (pad, pad, max(-first, 0), max(last - rows.height, 0)), mode="reflect")
        return F.conv2d(band, conv.weight, conv.bias, stride)

    height, width = -(-rows.height // stride), -(-rows.width // stride)
    return Rows(conv.out_channels, height, width, max(stride * rows.floats, conv.out_channels * width), read)


def upsampled(rows: Rows) -> Rows:
    """Twice as large, by nearest neighbours."""

    def read(top: int, bottom: int) -> Tensor:
        band = F.interpolate(rows.read(top // 2, -(-bottom // 2)), scale_factor=2)
        return band[:, :, top % 2 : top % 2 + bottom - top]

    width = 2 * rows.width
    return Rows(rows.channels, 2 * rows.height, width, rows.channels * width, read)


def bands(rows: Rows, work: Work) -> Iterable[tuple[int, int]]:
    """(top, bottom) of bands that cover all rows."""
    size = max(MIN_ROWS, work.floats // rows.floats)
    count = max(1, rows.height // size)  # the last is never thinner than the others
    edges = [round(i * rows.height / count) for i in range(count + 1)]
    return pairwise(edges)


def keep(rows: Rows, work: Work) -> tuple[Rows, Tensor, Tensor]:
    """The rows, computed and written to the disk in half precision; the mean and variance of each channel, (C,).

    A row with values that half precision does not reach is divided by a number of its own. The file goes when nothing
    reads it any more.
    """
    file = tempfile.TemporaryFile(dir=work.folder)  # noqa: SIM115 (closed with its last reader)
    moments: list[tuple[int, Tensor, Tensor]] = []
    parts: list[Tensor] = []
    for top, bottom in bands(rows, work):
        pixels = rows.read(top, bottom)[0].permute(1, 2, 0).float().contiguous()
        mean = check_finite(pixels.mean(dim=(0, 1)))
        variance = (pixels - mean).square_().mean(dim=(0, 1))  # torch.var_mean takes four times as long in this layout
        moments.append((bottom - top, mean.double().cpu(), variance.double().cpu()))
        largest = torch.maximum(pixels.amax(dim=(1, 2)), -pixels.amin(dim=(1, 2)))[:, None, None]
        parts.append((largest / LARGEST).clamp_min(1))
        file.write(pixels.div_(parts[-1]).half().cpu().numpy().data)
    divisors = torch.cat(parts)

    def read(top: int, bottom: int) -> Tensor:
        shape = (bottom - top, rows.width, rows.channels)
        row_bytes = rows.width * rows.channels * np.dtype(HALF).itemsize
        file.seek(top * row_bytes)
        pixels = np.frombuffer(bytearray(file.read((bottom - top) * row_bytes)), HALF).reshape(shape)
        rows_read = torch.from_numpy(pixels).to(work.device).float().mul_(divisors[top:bottom])
        return rows_read[None].permute(0, 3, 1, 2)

    weakref.finalize(read, file.close)
    counts, means, variances = zip(*moments, strict=True)
    part = (torch.tensor(counts, dtype=torch.float64) / rows.height)[:, None]
    mean = (part * torch.stack(means)).sum(dim=0)
    variance = (part * (torch.stack(variances) + torch.stack(means) ** 2)).sum(dim=0) - mean**2
    kept = Rows(rows.channels, rows.height, rows.width, rows.channels * rows.width, read)
    return kept, mean.float().to(work.device), variance.float().to(work.device)
