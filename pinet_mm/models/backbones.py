"""Backbones from timm's collection, as MMPose builds, freezes and initializes its own."""

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches

from mmengine.logging import print_log
from mmengine.model import BaseModule, PretrainedInit
from mmpose.registry import MODELS
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..checkpoints import read_checkpoint
from ..environment.deferred import DeferredModule
from ..errors import InputError
from .padding import make_padding_constant
from .pretrained import load_of_timm, match_weights, nothing_is_computed

timm = DeferredModule('timm')  # half a second of imports, which other backbones do without

# Where timm's networks keep their stages: as the children of one module, or side by side.
STAGES = ('blocks', 'stages', 'layers')
STAGE = re.compile(r'(stages?|layers?|blocks?|s)_?\d+')


@MODELS.register_module()
class TimmBackbone(BaseModule):
    """Return the feature maps of a timm network at several strides.

    The maps are (B, C, H, W), also where timm's are (B, H, W, C). Networks with one stride, such
    as ViTs, need a neck that upsamples; those of one input size need timm's option for others,
    `dynamic_img_size=True` or `strict_img_size=False`. `tf_*` networks pad by constants, see
    `padding`.

    Args:
        model_name: a name that `timm.list_models` knows and that supports `features_only`.
        out_indices: which of the network's feature maps to return, finest first.
        frozen_stages: stages that do not learn, as in MMPose's backbones: -1 none, 0 the stem, n
            the stem and the next n stages. Stages are the children of the network's `blocks`,
            `stages` or `layers`, or its modules with names such as `stages_0`, `layer1`, `s1`
            (other networks have none to freeze). What comes before the first is the stem; what
            comes between two belongs to the earlier one.
        norm_eval: freeze the running statistics of all batch norms during training.
        init_cfg: `dict(type='Pretrained', checkpoint=...)`, where the checkpoint is `'timm'` for
            the weights that timm downloads, or the path or URL of a state dict, or
            `'package:NAME'` for the file in an installed package; a whole model's will do, see
            `match_weights`. A `prefix` selects among its names. Without `init_cfg`, timm's random
            initialization stays.
        **options: further arguments of `timm.create_model`, such as `drop_path_rate`.

    Raises:
        ValueError: timm has no such network, or it has no such feature maps, stages or options.

    Attributes:
        channels: of every map that is returned.
        strides: likewise, input pixels per map pixel.
    """

    def __init__(
        self,
        model_name: str,
        out_indices: Sequence[int] = (1, 2, 3, 4),
        frozen_stages: int = -1,
        norm_eval: bool = False,
        init_cfg: Mapping | None = None,
        **options,
    ):
        _check_name(model_name)
        _check_out_indices(out_indices)
        _check_freezing(frozen_stages, norm_eval)
        _check_weights(init_cfg, options)
        super().__init__(init_cfg)
        self.model_name = model_name
        self.options = dict(options, features_only=True, out_indices=tuple(out_indices))
        self.net = _build(model_name, self.options)
        make_padding_constant(self.net)
        self.channels = tuple(self.net.feature_info.channels())
        self.strides = tuple(self.net.feature_info.reduction())
        self.channels_last = getattr(self.net, 'output_fmt', '') == 'NHWC'
        self.frozen_stages, self.norm_eval = frozen_stages, norm_eval
        self._check_stages()
        self._freeze()

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Compute feature maps (B, channels[i], H_in / strides[i], W_in / strides[i])."""
        feats = self.net(images)
        return tuple(feat.permute(0, 3, 1, 2) if self.channels_last else feat for feat in feats)

    def init_weights(self) -> None:
        """Load the weights that `init_cfg` names."""
        if self.init_cfg:
            weights = self.read_pretrained()
            self.net.load_state_dict(weights, strict=False)
            print_log(
                f'backbone: {len(weights)} pretrained tensors from {self.init_cfg["checkpoint"]}',
                'current',
            )
        self._is_init = True

    def read_pretrained(self) -> Mapping[str, Tensor]:
        """Read the weights that `init_cfg` names, a state dict of `net`.

        Raises:
            CheckpointError: they cannot be read, or are those of another network.
        """
        checkpoint = self.init_cfg['checkpoint']
        if checkpoint == 'timm':
            return load_of_timm(self.model_name, self.options)
        return match_weights(
            self.net,
            self._build_whole,
            read_checkpoint(checkpoint),
            self.init_cfg.get('prefix') or '',
        )

    def _build_whole(self) -> nn.Module:
        others = {
            key: value
            for key, value in self.options.items()
            if key not in ('features_only', 'out_indices')
        }
        with nothing_is_computed():
            return timm.create_model(self.model_name, **others)

    def train(self, mode: bool = True) -> 'TimmBackbone':
        """Switch to training mode, except frozen stages and, with `norm_eval`, batch norms."""
        super().train(mode)
        if mode:
            self._freeze()
            if self.norm_eval:
                for module in self.modules():
                    if isinstance(module, _BatchNorm):
                        module.eval()
        return self

    def _freeze(self) -> None:
        for part in self._frozen_parts():
            part.requires_grad_(False)
            if isinstance(part, nn.Module):
                part.eval()

    def _frozen_parts(self) -> Iterator[nn.Module | nn.Parameter]:
        if self.frozen_stages < 0:
            return
        whole, stages = self._stages()
        yield from whole.parameters(recurse=False)
        passed = 0
        for module in whole.children():
            inside = [stage for stage in module.children() if stage in stages]
            passed += module in stages
            if inside:
                yield from inside[: self.frozen_stages]
                passed = len(inside)
            elif passed <= self.frozen_stages:
                yield module

    def _stages(self) -> tuple[nn.Module, list[nn.Module]]:
        # timm wraps a network that it cannot split into one module.
        whole = self.net
        while [name for name, _ in whole.named_children()] in (['model'], ['body']):
            (whole,) = whole.children()
        children = dict(whole.named_children())
        for name in STAGES:
            if isinstance(children.get(name), (nn.Sequential, nn.ModuleList)):
                return whole, list(children[name])
        return whole, [module for name, module in children.items() if STAGE.fullmatch(name)]

    def _check_stages(self) -> None:
        whole, stages = self._stages()
        if self.frozen_stages < 0:
            return
        if not stages:
            names = ', '.join(name for name, _ in whole.named_children())
            raise InputError(
                f'frozen_stages={self.frozen_stages} needs stages, of which '
                f'{self.model_name} has none by name; found {names}'
            )
        if self.frozen_stages > len(stages):
            raise InputError(
                f'frozen_stages must be at most {len(stages)}, the stages of '
                f'{self.model_name}; found {self.frozen_stages}'
            )


def _check_name(name) -> None:
    if isinstance(name, str) and timm.is_model(name):
        base, _, tag = name.partition('.')
        near = timm.list_pretrained(f'{base}.*')
        if not tag or name in near:
            return
    else:
        base = str(name).partition('.')[0]
        near = get_close_matches(base, timm.list_models(), n=5)
    raise InputError(
        f'timm {timm.__version__} has no network {name!r}; similar names: '
        f'{", ".join(near[:5]) or "none"}'
    )


def _check_out_indices(out_indices) -> None:
    wrong = not isinstance(out_indices, Sequence) or isinstance(out_indices, str)
    if (
        wrong
        or not out_indices
        or not all(map(_is_index, out_indices))
        or list(out_indices) != sorted(set(out_indices))
    ):
        raise InputError(
            'out_indices must be ascending integers from 0, without repetition; found '
            f'{out_indices!r}'
        )


def _is_index(value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _check_freezing(frozen_stages, norm_eval) -> None:
    if frozen_stages != -1 and not _is_index(frozen_stages):
        raise InputError(f'frozen_stages must be an integer from -1; found {frozen_stages!r}')
    if not isinstance(norm_eval, bool):
        raise InputError(f'norm_eval must be True or False; found {norm_eval!r}')


def _check_weights(init_cfg, options: Mapping) -> None:
    if init_cfg is not None and not (
        isinstance(init_cfg, Mapping)
        and init_cfg.get('checkpoint')
        and init_cfg.get('type') in ('Pretrained', PretrainedInit)
    ):
        raise InputError(
            f"init_cfg must be None or dict(type='Pretrained', checkpoint=...); found {init_cfg!r}"
        )
    for name in ('pretrained', 'features_only', 'checkpoint_path'):
        if name in options:
            raise InputError(
                f'{name} is no option of TimmBackbone: init_cfg names the weights, '
                'and all networks give feature maps only'
            )


def _build(model_name: str, options: Mapping) -> nn.Module:
    try:
        return timm.create_model(model_name, pretrained=False, **options)
    except IndexError as error:
        raise InputError(
            f'out_indices must be below {_count_maps(model_name)}, the number of '
            f'feature maps of {model_name}; found {options["out_indices"]}'
        ) from error
    except (AssertionError, AttributeError, RuntimeError, TypeError, ValueError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(
            f'timm cannot build {model_name} for its feature maps: {reason}'
        ) from error


def _count_maps(model_name: str) -> int:
    with nothing_is_computed():
        return len(timm.create_model(model_name).feature_info)
