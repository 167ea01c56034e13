"""The network that is trained for one task alone: MONAI's dynamic U-Net, which follows nnU-Net's design.

Isensee et al., nnU-Net, Nature Methods 2021: plain blocks with instance norm, strided convolutions on the way down.
"""

from __future__ import annotations

from torch import nn

from UniverSegSlicerLib.errors import InputError

# Channels by depth; at 128 pixels a side the deepest map has 8 x 8.
_WIDTHS = (16, 32, 64, 128, 128)


def new_unet() -> nn.Module:
    """Logits ``(n, 1, H, W)`` of images ``(n, 1, H, W)``; H and W are multiples of 16.

    Raises:
        InputError: MONAI is not installed.
    """
    try:
        from monai.networks.nets import DynUNet
    except ImportError as error:
        raise InputError("The bound per task needs MONAI; install the extra baselines.") from error
    depth = len(_WIDTHS)
    network: nn.Module = DynUNet(
        spatial_dims=2,
        in_channels=1,
        out_channels=1,
        kernel_size=[3] * depth,
        strides=[1] + [2] * (depth - 1),
        upsample_kernel_size=[2] * (depth - 1),
        filters=_WIDTHS,
    )
    return network
