"""Transposed 2x2 convolution of stride 2: twice the height and width."""

from __future__ import annotations

from torch import Tensor, nn


class DoublingConv(nn.ConvTranspose2d):
    """`nn.ConvTranspose2d` with kernel and stride 2; ``(N, in, H, W)`` to ``(N, out, 2H, 2W)``.

    Every output pixel reads one input pixel, so the layer is one matrix product and a shuffle. While training on a CPU it is
    computed so: the backward pass of oneDNN's transposed convolution takes up to twice as long.
    """

    def __init__(self, num_in: int, num_out: int) -> None:
        super().__init__(num_in, num_out, 2, stride=2)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """The layer's output."""
        if not self.training or x.device.type != "cpu":
            return super().forward(x, output_size)
        number, num_in, height, width = x.shape
        weight = self.weight.permute(0, 2, 3, 1).reshape(num_in, -1)  # in x (row, column, out)
        bias = None if self.bias is None else self.bias.repeat(4)
        product = nn.functional.linear(x.permute(0, 2, 3, 1), weight.t(), bias)
        pixels = product.view(number, height, width, 2, 2 * self.out_channels).transpose(2, 3)
        return pixels.reshape(number, 2 * height, 2 * width, self.out_channels).permute(0, 3, 1, 2)
