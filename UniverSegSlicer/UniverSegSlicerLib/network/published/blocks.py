"""The parts of the network: one cross block, and the convolutions inside it."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

#: Slope of every LeakyReLU for negative values, as in the published network.
NEGATIVE_SLOPE = 0.01


def conv2d_of_parts(parts: Sequence[Tensor], weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The zero-padded convolution of ``parts`` put side by side on the channel axis, without putting them there.

    Args:
        parts: Tensors (N, C_k, H, W) with ``sum(C_k)`` input channels of ``weight``.
        weight: Kernel (C_out, C_in, k, k) with odd k.
        bias: (C_out,) or None.

    Returns:
        (N, C_out, H, W).
    """
    result: Tensor | None = None
    start = 0
    for part in parts:
        kernel = weight[:, start : start + part.shape[1]]
        term = functional.conv2d(part, kernel, bias if result is None else None, padding=weight.shape[-1] // 2)
        result = term if result is None else result + term
        start += part.shape[1]
    if result is None or start != weight.shape[1]:
        raise ValueError(f"parts have {start} channels together, weight expects {weight.shape[1]}.")
    return result


def upsample(x: Tensor) -> Tensor:
    """Twice the rows and columns by bilinear interpolation, corners on corners: (N, C, H, W) -> (N, C, 2H, 2W)."""
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)


def downsample(x: Tensor) -> Tensor:
    """Half the rows and columns, the maximum of every 2 x 2: (N, C, H, W) -> (N, C, H/2, W/2)."""
    return functional.max_pool2d(x, 2)


def mean_of_support(support: Tensor, size: int) -> Tensor:
    """The mean over the elements of every support set: (B * S, C, H, W) -> (B, C, H, W)."""
    return support.unflatten(0, (-1, size)).mean(dim=1)


def _convolution(in_channels: int, out_channels: int, kernel_size: int, gain: str) -> nn.Conv2d:
    conv = nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2)
    nn.init.kaiming_normal_(conv.weight, a=NEGATIVE_SLOPE, nonlinearity=gain)
    nn.init.zeros_(conv.bias)
    return conv


def linear_convolution(in_channels: int, out_channels: int, kernel_size: int) -> nn.Conv2d:
    """A convolution initialised for no activation behind it (Kaiming normal, gain 1, no bias)."""
    return _convolution(in_channels, out_channels, kernel_size, "linear")


def activated_convolution(in_channels: int, out_channels: int) -> nn.Conv2d:
    """A 3 x 3 convolution initialised for the LeakyReLU behind it (Kaiming normal, no bias)."""
    return _convolution(in_channels, out_channels, 3, "leaky_relu")


class CrossBlock(nn.Module):
    """The query and every element of the support set look at each other once.

    With u the query's features and v_i those of support element i: z_i = conv([u, v_i]), the new query features are
    A(conv(mean_i z_i)), the new support features A(conv(z_i)), where A is LeakyReLU.

    When nothing non-linear follows the cross convolution, conv([u, v_i]; W) = conv(u; W_u) + conv(v_i; W_v), so the
    query half is computed once for all i; and the mean of the z_i needs only the mean of the v_i. Both are exact.

    Args:
        query_channels: Channels of u.
        support_channels: Channels of v_i.
        features: Channels of z_i and of both results.
        cross_activation: Whether LeakyReLU follows the cross convolution.
        normalize: Whether both results are normalised over channels and pixels.
    """

    def __init__(
        self, query_channels: int, support_channels: int, features: int, *, cross_activation: bool, normalize: bool
    ) -> None:
        super().__init__()
        self.query_channels = query_channels
        self.cross_activation = cross_activation
        self.normalize = normalize
        # These names are those of the published state dict.
        cross = activated_convolution if cross_activation else (lambda i, o: linear_convolution(i, o, 3))
        self.cross = nn.ModuleDict({"cross_conv": cross(query_channels + support_channels, features)})
        self.target = _named_as_published(activated_convolution(features, features))
        self.support = _named_as_published(activated_convolution(features, features))

    @property
    def cross_conv(self) -> nn.Conv2d:
        """The cross convolution; its input channels are the query's, then the support's."""
        return self.cross["cross_conv"]

    @property
    def query_conv(self) -> nn.Conv2d:
        """The convolution that gives the new query features."""
        return self.target["vmapped"]["conv"]

    @property
    def support_conv(self) -> nn.Conv2d:
        """The convolution that gives the new support features."""
        return self.support["vmapped"]["conv"]

    @property
    def query_weight(self) -> Tensor:
        """The query's half of the cross convolution, (features, query_channels, 3, 3)."""
        return self.cross_conv.weight[:, : self.query_channels]

    @property
    def support_weight(self) -> Tensor:
        """The support's half of the cross convolution, (features, support_channels, 3, 3)."""
        return self.cross_conv.weight[:, self.query_channels :]

    def activate(self, x: Tensor) -> Tensor:
        """LeakyReLU, then the normalisation if this block has one: (N, C, H, W), same shape."""
        x = functional.leaky_relu(x, NEGATIVE_SLOPE)
        return functional.group_norm(x, 1) if self.normalize else x

    def forward(
        self, query: Sequence[Tensor], support: Sequence[Tensor], size: int, *, last: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Both new features.

        Args:
            query: The parts of u, each (B, C_k, H, W).
            support: The parts of v, each (B * S, C_k, H, W), in the order of the batch; for a block
                that is ``last`` and has no cross activation their means over S, (B, C_k, H, W).
            size: S, the elements of each support set.
            last: Whether no later block reads the support features.

        Returns:
            Query features (B, features, H, W), and support features (B * S, features, H, W) or None when ``last`` or
            ``size`` is 0.
        """
        half = conv2d_of_parts(query, self.query_weight, self.cross_conv.bias)
        if size == 0:
            mixed = functional.leaky_relu(half, NEGATIVE_SLOPE) if self.cross_activation else half
            return self.activate(self.query_conv(mixed)), None
        if last and not self.cross_activation:
            return self.activate(self.query_conv(half + conv2d_of_parts(support, self.support_weight))), None
        crossed = conv2d_of_parts(support, self.support_weight)
        crossed = (crossed.unflatten(0, (-1, size)) + half.unsqueeze(1)).flatten(0, 1)
        if self.cross_activation:
            crossed = functional.leaky_relu(crossed, NEGATIVE_SLOPE)
        new_query = self.activate(self.query_conv(mean_of_support(crossed, size)))
        return new_query, None if last else self.activate(self.support_conv(crossed))


def _named_as_published(conv: nn.Conv2d) -> nn.ModuleDict:
    return nn.ModuleDict({"vmapped": nn.ModuleDict({"conv": conv})})
