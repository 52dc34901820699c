"""What a checkpoint brings beside its weights: metainfo of its keypoints, score, uncertainty."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mmpose
from mmengine.config import Config
from torch import Tensor

from ..configs import mappings

NEEDED = ('keypoint_id2name', 'flip_indices', 'sigmas')


def carry_metainfo(config: Config, dataset_meta: Mapping) -> None:
    """Replace metainfo files that are not here by what a checkpoint knows of them, in place.

    Args:
        config: whose `layout` and datasets name metainfo files.
        dataset_meta: parsed metainfo, as MMEngine saves it with the weights.
    """
    if not all(name in dataset_meta for name in NEEDED):
        return
    for node in mappings([value for _, value in config.items()]):
        metainfo = node.get('metainfo')
        file = metainfo.get('from_file') if isinstance(metainfo, Mapping) else metainfo
        if isinstance(file, str) and not _is_metainfo(file):
            node['metainfo'] = as_written(dataset_meta)


def carry_score(config: Config, weights: Mapping[str, Tensor]) -> bool:
    """Give a config the score, see `method.scoring`, whose weights a checkpoint has, in place.

    A config that says of `refinement.score` what it is to be, also None, or switches it off by
    `test_cfg.use_score`, keeps that.

    Args:
        config: of a model.
        weights: of the checkpoint.

    Returns:
        Whether the model has a score with these weights.
    """
    matrix = weights.get('head.refinement.score.layers.1.weight')
    refinement = (config.model.get('head') or {}).get('refinement')
    switched_off = (config.model.get('test_cfg') or {}).get('use_score') is False
    if matrix is None or matrix.ndim != 2 or not refinement or switched_off:
        return False
    refinement.setdefault('score', dict(hidden=len(matrix)))
    return bool(refinement['score'])


def carry_uncertainty(config: Config, weights: Mapping[str, Tensor]) -> None:
    """Give a config the uncertainty whose weights a checkpoint has, in place, for inference.

    A config that says whether there is to be one keeps that.

    Args:
        config: of a model.
        weights: of the checkpoint.
    """
    head = config.model.get('head') or {}
    refinement = head.get('refinement')
    known = 'head.refinement.uncertainty.weight' in weights
    if not (known and refinement) or 'uncertainty' in refinement:
        return
    refinement['uncertainty'] = True
    head['refine_loss'] = None  # inference needs none, and with an uncertainty some are refused


def as_written(dataset_meta: Mapping) -> dict[str, Any]:
    """Return metainfo in the form of MMPose's files, from what MMPose makes of such a file.

    Args:
        dataset_meta: parsed metainfo; colors and what else is missing get MMPose's defaults.
    """
    ids = dataset_meta['keypoint_id2name']
    names = [ids[i] for i in range(len(ids))]
    keypoints = {
        i: dict(name=name, id=i, swap=names[mirror] if mirror != i else '')
        for i, (name, mirror) in enumerate(zip(names, dataset_meta['flip_indices']))
    }
    for i, color in enumerate(dataset_meta.get('keypoint_colors', ())):
        keypoints[i]['color'] = [int(value) for value in color]
    links = [(names[i], names[j]) for i, j in dataset_meta.get('skeleton_links', ())]
    weights = dataset_meta.get('dataset_keypoint_weights', [1.0] * len(names))
    return dict(
        dataset_name=dataset_meta.get('dataset_name', 'of the checkpoint'),
        keypoint_info=keypoints,
        skeleton_info={i: dict(link=link, id=i) for i, link in enumerate(links)},
        joint_weights=[float(weight) for weight in weights],
        sigmas=[float(sigma) for sigma in dataset_meta['sigmas']],
    )


def _is_metainfo(file: str) -> bool:
    """Return whether MMPose would find a metainfo file: here, or among its own by its name."""
    own = Path(mmpose.__file__).parent / '.mim' / 'configs' / '_base_' / 'datasets'
    return Path(file).is_file() or (own / Path(file).name).is_file()
