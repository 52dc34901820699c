"""The authors' checkpoints: their parameter names and shapes, and ours.

The release's graph predictor is made of 1×1 `Conv1d`, ours of `Linear`: the same numbers with one
dimension less.
"""

import re
from typing import Dict, Mapping

from torch import Tensor

# Release -> ours, the starts of keys, # being a number; the first row that fits is taken.
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


def _rename(key: str, column: int) -> str:
    for row in RENAMED:
        pattern = re.escape(row[column]).replace(r'\#', r'(\d+)')
        match = re.match(pattern, key)
        if match:
            return row[1 - column].replace('#', '{}').format(*match.groups()) + key[match.end():]
    raise KeyError(f'{key!r} belongs to no parameter of PINet; known are the prefixes '
                   f'{[row[column] for row in RENAMED]}')


def release_to_ours(state_dict: Mapping[str, Tensor]) -> Dict[str, Tensor]:
    """Rename the parameters of the authors' release to ours.

    Args:
        state_dict: a bare one, without the prefix `module.`.

    Raises:
        KeyError: a key is not the release's.
    """
    renamed = {}
    for key, value in state_dict.items():
        convolution = _CONVOLUTION.fullmatch(key) and value.ndim == 3
        renamed[_rename(key, 0)] = value.squeeze(-1) if convolution else value
    return renamed


def ours_to_release(state_dict: Mapping[str, Tensor]) -> Dict[str, Tensor]:
    """Rename our parameters to the release's: the inverse of `release_to_ours`.

    Args:
        state_dict: that of a `PINet`.

    Raises:
        KeyError: a key is not ours.
    """
    renamed = {}
    for key, value in state_dict.items():
        name = _rename(key, 1)
        convolution = _CONVOLUTION.fullmatch(name) and value.ndim == 2
        renamed[name] = value.unsqueeze(-1) if convolution else value
    return renamed
