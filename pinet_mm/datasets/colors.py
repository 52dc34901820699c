"""Random changes of hue, saturation and value for a batch of images, as tensors."""

import torch
from torch import Tensor


def jitter_colors(images: Tensor, deltas: Tensor) -> Tensor:
    """Change the colors of images as MMPose's `YOLOXHSVRandomAug` does, each at random.

    Args:
        images: (B, 3, h, w) blue, green, red in [0, 255].
        deltas: (B, 3) largest changes of hue (2 degrees), saturation and value (of 255); each
            takes place with probability 1/2.

    Returns:
        The same shape.
    """
    if not deltas.any():
        return images
    change = (2 * torch.rand_like(deltas) - 1) * deltas * (torch.rand_like(deltas) < 0.5)
    hue, saturation, value = to_hsv(images).unbind(1)
    by_hue, by_saturation, by_value = change[..., None, None].unbind(1)
    return from_hsv(
        torch.stack(
            (
                (hue + by_hue / 180) % 1,
                (saturation + by_saturation / 255).clamp(0, 1),
                (value + by_value).clamp(0, 255),
            ),
            dim=1,
        )
    )


def to_hsv(images: Tensor) -> Tensor:
    """Return hue in [0, 1), saturation in [0, 1] and value in [0, 255].

    Args:
        images: (B, 3, h, w) blue, green, red in [0, 255].
    """
    value, largest = images.max(dim=1)
    spread = value - images.amin(dim=1)
    blue, green, red = images.unbind(1)
    colored = torch.where(spread > 0, spread, 1)
    # By which channel is the largest: red at 0, green at 1/3, blue at 2/3 of the circle.
    hues = torch.stack(
        (4 + (red - green) / colored, 2 + (blue - red) / colored, (green - blue) / colored), dim=1
    )
    hue = hues.gather(1, largest[:, None])[:, 0] / 6 % 1
    saturation = spread / torch.where(value > 0, value, 1)
    return torch.stack((torch.where(spread > 0, hue, 0), saturation, value), dim=1)


def from_hsv(images: Tensor) -> Tensor:
    """Return BGR images (B, 3, h, w) in [0, 255] from what `to_hsv` returns."""
    hue, saturation, value = images.unbind(1)
    # A channel falls from the value by as much as the hue is away from its color.
    places = hue[:, None] * 6 + hue.new_tensor((1, 3, 5))[:, None, None]  # blue, green, red
    away = places % 6
    fall = torch.minimum(away, 4 - away).clamp(0, 1)
    return value[:, None] * (1 - saturation[:, None] * fall)
