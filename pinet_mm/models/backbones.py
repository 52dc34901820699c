"""Backbones from timm's collection, as MMPose builds, freezes and initializes its own."""

from typing import Mapping, Optional, Sequence, Tuple

import timm
import torch
from mmengine.logging import print_log
from mmengine.model import BaseModule
from mmengine.runner import CheckpointLoader
from mmpose.registry import MODELS
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


@MODELS.register_module()
class TimmBackbone(BaseModule):
    """Return the feature maps of a timm network at several strides.

    Args:
        model_name: a name that `timm.list_models` knows and that supports `features_only`.
        out_indices: which of the network's feature maps to return, finest first.
        frozen_stages: stages that do not learn, counted as in MMPose's backbones: -1 none, 0 the
            stem, n the stem and the n stages after it; for timm, a stage ends where a feature map
            of `timm`'s list does.
        norm_eval: keep the running statistics of all batch norms as they are while training.
        init_cfg: `dict(type='Pretrained', checkpoint=...)` with `'timm'` for the weights that timm
            downloads for `model_name`, or the path or URL of a state dict, see `load_pretrained`.
        **options: further arguments of `timm.create_model`, such as `drop_path_rate`.

    Raises:
        ValueError: timm has no such network, or it has no such feature maps or stages.

    Attributes:
        channels: of every map that is returned.
        strides: likewise, input pixels per map pixel.
    """

    def __init__(self,
                 model_name: str,
                 out_indices: Sequence[int] = (1, 2, 3, 4),
                 frozen_stages: int = -1,
                 norm_eval: bool = False,
                 init_cfg: Optional[Mapping] = None,
                 **options):
        super().__init__(init_cfg)
        if not timm.is_model(model_name):
            near = timm.list_models(f'*{model_name.split("_")[0]}*')[:5]
            raise ValueError(f'timm {timm.__version__} has no network {model_name!r}; similar '
                             f'names: {near}')
        self.net = timm.create_model(model_name, pretrained=False, features_only=True,
                                     out_indices=tuple(out_indices), **options)
        self.channels = tuple(self.net.feature_info.channels())
        self.strides = tuple(self.net.feature_info.reduction())
        self.frozen_stages, self.norm_eval = frozen_stages, norm_eval
        self._freeze()

    def forward(self, images: Tensor) -> Tuple[Tensor, ...]:
        """Compute feature maps (B, channels[i], H_in / strides[i], W_in / strides[i])."""
        return tuple(self.net(images))

    def init_weights(self) -> None:
        """Load the weights that `init_cfg` names; without, timm's initialization stays."""
        if not self.init_cfg:
            return
        load_pretrained(self.net, CheckpointLoader.load_checkpoint(
            self.init_cfg['checkpoint'], map_location='cpu'), self.init_cfg['checkpoint'])

    def train(self, mode: bool = True) -> 'TimmBackbone':
        """Switch to training, but for what is frozen and, with `norm_eval`, for batch norms."""
        super().train(mode)
        if mode:
            self._freeze()
            if self.norm_eval:
                for module in self.modules():
                    if isinstance(module, _BatchNorm):
                        module.eval()
        return self

    def _freeze(self) -> None:
        for module in self._frozen_modules():
            module.eval()
            module.requires_grad_(False)

    def _frozen_modules(self) -> Sequence[nn.Module]:
        if self.frozen_stages < 0:
            return []
        modules = [(name, module) for name, module in self.net.named_children()]
        stem = [module for name, module in modules if name != 'blocks']
        blocks = dict(modules).get('blocks', nn.Sequential())
        return stem + list(blocks.children())[:self.frozen_stages]


def load_pretrained(net: nn.Module, checkpoint: Mapping, path: str) -> None:
    """Load pretrained weights, by name or, where all names differ, by order and shape.

    Raises:
        ValueError: the weights are those of another network.
    """
    weights: Mapping[str, torch.Tensor] = checkpoint.get('state_dict', checkpoint)
    own = {key: value for key, value in net.state_dict().items()
           if not key.endswith('num_batches_tracked')}
    if not set(own) <= set(weights):
        body = {key: value for key, value in weights.items()
                if not key.endswith('num_batches_tracked')
                and not key.startswith(('_conv_head', '_bn1', '_fc'))}
        if [value.shape for value in own.values()] != [value.shape for value in body.values()]:
            raise ValueError(f'{path} does not fit')
        weights = dict(zip(own, body.values()))
    net.load_state_dict({key: weights[key] for key in own}, strict=False)
    print_log(f'backbone: {len(own)} pretrained tensors from {path}', 'current')
