"""What may be added to the paper's method, against the same three parts.

Each alone, with a quarter of the study's budget, on few large people:
    python tools/ablation.py OUT --study pinet2 --pictures 1000 --backbone-epochs 16 --epochs 10
        --persons 2 4 --height 0.7 1.0 --seeds 1
What gained, all together, with one center and CID beside it and the whole budget: `pinet2-full`,
`--epochs 40`, and two seeds.
"""

from dataclasses import replace

from .variants import ROWS, VARIANTS, Rows, Variant

BASE, PAPER = 'base', 'paper'
_TESTED = ('fusion', 'no-refinement')

# A momentum for a thousand steps: weights are averaged over the last 250 or so.
_AVERAGING = dict(
    type='EMAHook', ema_type='ExpMomentumEMA', momentum=4e-3, gamma=100, update_buffers=True
)
_ADAMW = {
    'optim_wrapper.optimizer': dict(_delete_=True, type='AdamW', lr=1e-3, weight_decay=0.05),
    'optim_wrapper.paramwise_cfg': dict(norm_decay_mult=0, bias_decay_mult=0),
    'optim_wrapper.clip_grad': dict(max_norm=1.0),
}

_OFFSETS = ('offset', 'refine')

# The most promising first. The base has the cosine already.
PINET2: dict[str, Variant] = {
    BASE: Variant('three parts', scored=True),
    'oks-loss': Variant(
        'OKS loss of offsets and refinement',
        options={f'model.head.{name}_loss': dict(type='SmoothOKSLoss') for name in _OFFSETS},
    ),
    'two-passes': Variant(
        'refinement in two passes', options={'model.head.refinement.num_passes': 2}
    ),
    'strides': Variant(
        'refinement reads strides 4, 8 and 16',
        options={'model.head.refinement.context': (2, 4)},
    ),
    'recipe': Variant('AdamW, averaged weights', options=_ADAMW, hooks=(_AVERAGING,)),
    'scales': Variant(
        'crops at 0.75 to 1.5 of the size',
        options={'train_dataloader.dataset.pipeline.1.scale_factor': (0.75, 1.5)},
    ),
    'together': Variant(
        'OKS loss, two passes, strides 4, 8 and 16',
        config='pinet2_hrnet-slim_ablation.py',
        scored=True,
    ),
    'uncertainty': Variant(
        'Laplace scale of each keypoint', options={'model.head.refinement.uncertainty': True}
    ),
}
PINET2 = {name: replace(variant, tested=_TESTED) for name, variant in PINET2.items()}
_TOGETHER = PINET2['together']
FULL: dict[str, Variant] = {
    BASE: PINET2[BASE],
    'together': _TOGETHER,
    'together_one-centre': replace(
        _TOGETHER,
        title=f'one center, {_TOGETHER.title}',
        options=VARIANTS['one-centre'].options,
    ),
    'cid': VARIANTS['cid'],
}

ALL: dict[str, Variant] = {**VARIANTS, **PINET2, **FULL}
STUDIES: dict[str, Rows] = {
    PAPER: ROWS,
    'pinet2': tuple((name, 0) for name in PINET2),
    'pinet2-full': tuple((name, seed) for seed in range(2) for name in FULL),
}
