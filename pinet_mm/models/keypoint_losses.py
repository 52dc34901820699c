"""Losses of whole keypoints, where the paper's takes the numbers of Ω one by one.

Shape shorthand: S poses (any leading dimensions), K keypoints.
"""

from collections.abc import Mapping

import torch
from mmpose.registry import MODELS
from torch import Tensor, nn

from ..datasets.wrapped import bare_name
from ..errors import InputError, check_number
from .codec import PINetCodec


class KeypointLoss(nn.Module):
    """A loss that is given keypoints as they are, and the weights that say which have a target.

    It is called with predicted and wanted offsets (S, K, 2) in map pixels; the weights (S, K) of
    `OffsetTargets`, 1/√S of the person's area, 0 where there is no target; and log-scales (S, K) of
    the errors that are expected, or None.
    """


@MODELS.register_module()
class SmoothOKSLoss(KeypointLoss):
    """1 - 1/√(1 + 2e), where exp(-e) is what a keypoint adds to the OKS; the mean over Ω.

    For keypoints that are nearly right it is 1 - OKS to first order. Far off, where OKS is flat,
    it still has a gradient, so that it trains from the start. Where log-scales are predicted,
    their `LaplaceLoss` is added, with its own weight. It takes the offsets as constants, and trains
    the layers that scales and offsets share.

    Args:
        sigmas: K OKS sigmas; the head gives those of its layout.
        stride: input pixels per map pixel; from the head too.
        loss_weight: factor of the loss.

    Raises:
        InputError: `loss_weight` is no number of at least 0.
    """

    sigmas: Tensor

    def __init__(self, sigmas: tuple[float, ...], stride: int, loss_weight: float = 0.003):
        super().__init__()
        check_number('loss_weight of SmoothOKSLoss', loss_weight, 0)
        self.stride, self.loss_weight = stride, loss_weight
        self.likelihood = LaplaceLoss()
        self.register_buffer('sigmas', torch.tensor(sigmas, dtype=torch.float32), persistent=False)

    def forward(
        self, predicted: Tensor, wanted: Tensor, weights: Tensor, log_scales: Tensor | None = None
    ) -> Tensor:
        """Compute the loss of offsets.

        Args:
            predicted: (S, K, 2).
            wanted: (S, K, 2).
            weights: (S, K).
            log_scales: (S, K), ln b in map pixels, or None.
        """
        scale = self.stride * weights / (2 * self.sigmas)
        exponents = ((predicted - wanted) * scale[..., None]).square().sum(dim=-1) / 2
        losses = 1 - (1 + 2 * exponents).rsqrt()
        loss = self.loss_weight * losses.sum() / (weights > 0).sum().clamp(min=1)
        if log_scales is None:
            return loss
        return loss + self.likelihood(predicted.detach(), wanted, weights, log_scales)


@MODELS.register_module()
class LaplaceLoss(KeypointLoss):
    """|d|/b + ln b in x and y, the negative log-likelihood of errors d of scale b; mean over Ω.

    Keypoints whose place is hard to tell lose less, if the refinement says so by a larger b.

    Args:
        loss_weight: factor of the loss.

    Raises:
        InputError: `loss_weight` is no number of at least 0.
    """

    def __init__(self, loss_weight: float = 0.002):
        super().__init__()
        check_number('loss_weight of LaplaceLoss', loss_weight, 0)
        self.loss_weight = loss_weight

    def forward(
        self, predicted: Tensor, wanted: Tensor, weights: Tensor, log_scales: Tensor
    ) -> Tensor:
        """Compute the loss of refined offsets.

        Args:
            predicted: (S, K, 2).
            wanted: (S, K, 2).
            weights: (S, K).
            log_scales: (S, K), ln b in map pixels.
        """
        omega = weights > 0
        errors = (predicted - wanted).abs().mean(dim=-1)
        losses = errors * (-log_scales).exp() + log_scales
        return self.loss_weight * torch.where(omega, losses, 0).sum() / omega.sum().clamp(min=1)


def build_losses(
    offset_loss: Mapping | None, refine_loss: Mapping | None, codec: PINetCodec, uncertain: bool
) -> tuple[nn.Module, nn.Module]:
    """Build the losses of offsets and of refined offsets, see `losses.compare_offsets`.

    Args:
        offset_loss: config of the first; by default the paper's.
        refine_loss: config of the second; by default the paper's, or `LaplaceLoss` where the
            refinement predicts scales.
        codec: knows sigmas and stride.
        uncertain: whether the refinement predicts scales.

    Raises:
        InputError: a likelihood is trained where no scales are predicted, or the other way round.
    """
    offset_config = offset_loss or _smooth_l1()
    refine_config = refine_loss or (dict(type='LaplaceLoss') if uncertain else _smooth_l1())
    if bare_name(offset_config) == 'LaplaceLoss':
        raise InputError('offset_loss cannot be LaplaceLoss: only a refinement predicts scales')
    name = bare_name(refine_config)
    if uncertain and name not in ('LaplaceLoss', 'SmoothOKSLoss'):
        raise InputError(
            'refine_loss must be LaplaceLoss or SmoothOKSLoss with refinement.uncertainty=True; '
            f'found {name}'
        )
    if name == 'LaplaceLoss' and not uncertain:
        raise InputError('refine_loss=LaplaceLoss needs refinement.uncertainty=True; found False')
    return _build(offset_config, codec), _build(refine_config, codec)


def _smooth_l1() -> dict:
    # The paper's loss: smooth L1 with β = 1/9 × weight, summed over Ω, divided by |Ω|.
    return dict(
        type='SoftWeightSmoothL1Loss',
        use_target_weight=True,
        supervise_empty=False,
        beta=1 / 9,
        loss_weight=0.03,
    )


def _build(config: Mapping, codec: PINetCodec) -> nn.Module:
    if bare_name(config) == 'SmoothOKSLoss':
        config = dict(config, sigmas=codec.layout.sigmas, stride=codec.stride)
    loss: nn.Module = MODELS.build(config)
    return loss
