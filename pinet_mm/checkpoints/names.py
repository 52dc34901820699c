"""Names of weights: the official implementation's, this package's, and their translation.

The official graph predictor is made of 1×1 `Conv1d`, ours of `Linear`: the same numbers with one
dimension less.
"""

import re
from collections.abc import Mapping

from torch import Tensor

from ..environment.printing import Lines
from ..errors import CheckpointError

# What an ImageNet HRNet has beyond the backbone.
CLASSIFIER = ('incre_modules.', 'downsamp_modules.', 'final_layer.', 'classifier.')

# Official -> ours, the starts of keys, # being a number; the first row that fits is taken.
RENAMED = (
    ('backbone.', 'backbone.'),
    ('ppg.heatmap_head.', 'head.score_branch.'),
    ('ppg.detkptmap_head.', 'head.part_branch.'),
    ('ppg.offset_head.', 'head.offset_branch.'),
    ('pr.adj', 'head.refinement.adjacency'),
    ('pr.gconv_head.bn.', 'head.refinement.stem.bn.'),
    ('pr.gconv_head.conv.', 'head.refinement.stem.'),
    ('pr.gconv_layers.#.gconv#.bn.', 'head.refinement.blocks.#.conv#.bn.'),
    ('pr.gconv_layers.#.gconv#.conv.', 'head.refinement.blocks.#.conv#.'),
    ('pr.gconv_pred.', 'head.refinement.predictor.'),
)
_CONVOLUTION = re.compile(r'pr\.gconv_pred\.\d+\.weight')


def _rename(key: str, column: int) -> str | None:
    for row in RENAMED:
        pattern = re.escape(row[column]).replace(r'\#', r'(\d+)')
        match = re.match(pattern, key)
        if match:
            return row[1 - column].replace('#', '{}').format(*match.groups()) + key[match.end() :]
    return None


def _rename_all(state_dict: Mapping[str, Tensor], column: int) -> dict[str, str]:
    names = {key: _rename(key, column) for key in state_dict}
    unknown = [key for key, name in names.items() if name is None]
    if unknown:
        raise CheckpointError(
            Lines.of(
                [
                    f'{len(unknown)} keys belong to no parameter of PINet, whose prefixes are '
                    f'{[row[column] for row in RENAMED]}:',
                    *(f'  {key}' for key in unknown),
                ]
            )
        )
    return names


def release_to_ours(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the parameters of the official implementation to ours.

    Args:
        state_dict: a bare one, without the prefix `module.`.

    Raises:
        CheckpointError: names the keys that are not official ones.
    """
    renamed = {}
    for key, name in _rename_all(state_dict, 0).items():
        value = state_dict[key]
        convolution = _CONVOLUTION.fullmatch(key) and value.ndim == 3
        renamed[name] = value.squeeze(-1) if convolution else value
    return renamed


def ours_to_release(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename our parameters to the official ones: the inverse of `release_to_ours`.

    Args:
        state_dict: that of a `PINet`.

    Raises:
        CheckpointError: names the keys that are not ours.
    """
    renamed = {}
    for key, name in _rename_all(state_dict, 1).items():
        value = state_dict[key]
        convolution = _CONVOLUTION.fullmatch(name) and value.ndim == 2
        renamed[name] = value.unsqueeze(-1) if convolution else value
    return renamed


def is_ours(state_dict: Mapping[str, Tensor]) -> bool:
    """Return whether weights have this package's names for a PINet's head."""
    return 'head.score_branch.weight' in state_dict


def is_official(state_dict: Mapping[str, Tensor]) -> bool:
    """Return whether weights have the official implementation's names for a PINet's head."""
    return 'ppg.heatmap_head.weight' in state_dict


def other_name(key: str) -> str | None:
    """Translate the name of a parameter, an official one to ours or back; None for unknown ones."""
    return _rename(key, 0) or _rename(key, 1)


def both_names(key: str) -> str:
    """Return the name of a parameter, with the other side's after it if the two differ."""
    other = other_name(key)
    return key if other in (None, key) else f'{key} (elsewhere {other})'


def is_backbone(state_dict: Mapping[str, Tensor]) -> bool:
    """Return whether weights are those of an HRNet alone, with or without ImageNet's classifier."""
    return {'conv1.weight', 'transition1.0.0.weight'} <= state_dict.keys()


def backbone_weights(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the backbone of an ImageNet HRNet: without its classifier, names unchanged.

    Args:
        state_dict: that of the HRNet classifier.
    """
    return {key: value for key, value in state_dict.items() if not key.startswith(CLASSIFIER)}
