"""Lightness and colour apart, in CIE L*a*b*: what the network is given, what it is asked for, and how they meet again.

L* is used instead of the luma of video (Rec. 601), because it models how light a colour looks: a saturated blue
and the grey that it becomes look equally light, and colours can change without anything getting lighter or darker.
"""

import torch
from kornia.color import lab_to_rgb, linear_rgb_to_rgb, rgb_to_lab, rgb_to_linear_rgb, rgb_to_xyz
from torch import Tensor


def luminance(rgb: Tensor) -> Tensor:
    """(N, 3, H, W) sRGB in [0, 1] -> (N, 1, H, W), Y of CIE XYZ in [0, 1]; L* is a function of it alone."""
    return rgb_to_xyz(rgb_to_linear_rgb(rgb))[:, 1:2]


def to_grey(rgb: Tensor) -> Tensor:
    """(N, 3, H, W) sRGB in [0, 1] -> the same with three equal channels and the same L*."""
    return linear_rgb_to_rgb(luminance(rgb).expand_as(rgb))


def get_ab(rgb: Tensor) -> Tensor:
    """(N, 3, H, W) sRGB in [0, 1] -> (N, 2, H, W): a* (green to red) and b* (blue to yellow), about -110 to 110."""
    return rgb_to_lab(rgb)[:, 1:]


def set_ab(rgb: Tensor, ab: Tensor) -> Tensor:
    """The colours `ab` (N, 2, H, W) on the lightness of `rgb` (N, 3, H, W) -> (N, 3, H, W) sRGB in [0, 1].

    L* stays exactly. A colour that sRGB cannot show at that L* is mixed with the grey of the same L*, in linear light,
    until it can: white and black take no colour at all. How much is mixed counts as a constant for gradients, or a
    colour once out of gamut would never come back.
    """
    lightness, (a, b) = rgb_to_lab(rgb)[:, :1], ab.split(1, dim=1)
    # At b* = 200 / 116 (L* + 16) the Z of CIE XYZ is zero, and from there on kornia cuts the gradient off.
    b = b - (b - 1.72 * (lightness + 16)).clamp_min(0).detach()
    grey = luminance(rgb)
    color = rgb_to_linear_rgb(lab_to_rgb(torch.cat([lightness, a, b], dim=1), clip=False)) - grey
    room = torch.where(color > 0, 1 - grey, grey)
    part = (room / color.abs().clamp_min(1e-8)).amin(dim=1, keepdim=True).clamp(0, 1).detach()
    mixed = linear_rgb_to_rgb(grey + part * color)
    return mixed + (mixed.clamp(0, 1) - mixed).detach()  # what rounding left outside
