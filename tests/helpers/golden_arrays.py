"""Arrays that the authors' code computed: where they lie, and how the compact copy was made.

    python tests/helpers/golden_arrays.py FOLDER

writes the compact copy of the full arrays in FOLDER to tests/golden, see the README there.
"""

import os
import sys
from pathlib import Path

import numpy as np

COMPACT = Path(__file__).parents[1] / 'golden'
DATASETS = ('coco', 'crowdpose')
KINDS = ('targets', 'network', 'decode')
# Outputs that the compact copy holds in part; everything else is whole or left out.
THINNED = dict(
    heatmap=np.s_[::5],
    kpt_mask=np.s_[:0],
    detkpt_mask=np.s_[:0],
    eval_feat_sub=np.s_[:, ::4],
    eval_heatmap=np.s_[:, ::3, ::2, ::2],
    eval_offset_sub=np.s_[:, ::5, ::2],
    fwd_heatmaps=np.s_[:, ::3, ::2, ::2],
    fwd_flip_detkptmap=np.s_[:, :, ::2, ::2],
    train_heatmap=np.s_[:, ::4],
    train_pred_heatmap=np.s_[:, ::4, ::2, ::2],
    train_pred_detkptmap=np.s_[:, :, ::2, ::2],
    train_pred_offset_sub=np.s_[:, ::7, ::2],
    train_refine_offsets=np.s_[:, ::4],
    train_proposal_coords=np.s_[:, ::4],
    train_gt_offsets=np.s_[:, ::4],
    train_reg_weights=np.s_[:, ::4],
)
DECODE_CASES = dict(coco=(1, 4, 6, 7), crowdpose=(0, 3, 5, 6))
_UNUSED = (
    'up_sub',
    'up_shape',
    'margin',
    'score_gap',
    'grad_sum',
    'propB_gt_offsets',
    'propB_reg',
    'propC_gt_offsets',
    'propC_reg',
)


def folders() -> dict:
    """Name the folders with arrays: the compact copy, and the full set where a user has it."""
    full = Path(os.environ.get('PINET_TEST_DATA', '')) / 'golden'
    return dict(compact=COMPACT, **(dict(full=full) if full.is_dir() else {}))


def load(folder: Path, kind: str, dataset: str) -> dict:
    """Read the arrays of one file."""
    with np.load(folder / f'{kind}_{dataset}.npz') as arrays:
        arrays = dict(arrays.items())
    return {**_unpack(arrays, 'sd/'), **_unpack(arrays, 'after_train/'), **arrays}


def _pack(arrays: dict, prefix: str, dtype) -> dict:
    # A thousand small arrays as three: names, shapes and one row of numbers.
    values = {name: value for name, value in arrays.items() if name.startswith(prefix)}
    shapes = [(*value.shape, *[-1] * (4 - value.ndim)) for value in values.values()]
    row = np.concatenate([value.ravel() for value in values.values()])
    assert np.array_equal(row.astype(dtype), row), f'{prefix} needs more digits than {dtype} has'
    return {
        f'{prefix}names': np.array(list(values)),
        f'{prefix}shapes': np.array(shapes),
        f'{prefix}values': row.astype(dtype),
    }


def _unpack(arrays: dict, prefix: str) -> dict:
    if f'{prefix}names' not in arrays:
        return {}
    names, shapes, row = (arrays.pop(f'{prefix}{part}') for part in ('names', 'shapes', 'values'))
    shapes = [tuple(side for side in shape if side >= 0) for shape in shapes.tolist()]
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    return {
        name: value.astype(np.float32).reshape(shape)
        for name, shape, value in zip(names.tolist(), shapes, np.split(row, ends[:-1]))
    }


def thin(name: str, value: np.ndarray) -> np.ndarray:
    """Take the part of an output that the compact copy holds."""
    return value[THINNED[name]] if name in THINNED else value


def _compact(kind: str, dataset: str, arrays: dict) -> dict:
    kept = {}
    for name, value in arrays.items():
        case, _, short = name.partition('_')
        is_case = case[:1] == 'c' and case[1:].isdigit()
        if any(part in name for part in _UNUSED) or (
            kind == 'decode' and is_case and int(case[1:]) not in DECODE_CASES[dataset]
        ):
            continue
        if name.startswith(('sd/', 'after_train/')):
            continue
        kept[name] = thin(short if is_case else name, value)
    if kind == 'network':
        kept.update(_pack(arrays, 'sd/', np.float16))
        kept.update(
            _pack(
                {name: value for name, value in arrays.items() if 'tracked' not in name},
                'after_train/',
                np.float32,
            )
        )
    return kept


def main(source: Path):
    """Write the compact copy."""
    COMPACT.mkdir(exist_ok=True)
    for kind in KINDS:
        for dataset in DATASETS:
            arrays = _compact(kind, dataset, load(source, kind, dataset))
            np.savez_compressed(COMPACT / f'{kind}_{dataset}.npz', **arrays)
    with np.load(source / 'extra_geometry.npz') as arrays:
        geometry = {
            name: value
            for name, value in arrays.items()
            if name.startswith(('aug_', 'flip_', 'resize_', 'img'))
        }
    np.savez_compressed(COMPACT / 'geometry.npz', **geometry)


if __name__ == '__main__':
    main(Path(sys.argv[1]))
