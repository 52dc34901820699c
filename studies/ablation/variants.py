"""The table of what is trained, and of what is switched at inference only.

A trained variant is a config and options over it, as `--cfg-options` of `tools/train.py` has them;
a switch is a change of `test_cfg` of one trained model.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

PINET = 'pinet_hrnet-slim_ablation.py'
OFFICIAL = 'pinet_hrnet-slim_ablation-official.py'
CID = 'cid_hrnet-slim_ablation.py'
DEKR = 'dekr_hrnet-slim_ablation.py'

# A part that is one keypoint has that keypoint's heatmap as its center map, and no loss of offsets:
# what is left to learn are keypoint heatmaps, which every method here predicts.
_HEATMAPS_ALONE = {
    'codec.layout.parts': dict(_delete_=True, nose=['nose']),
    'model.head.refinement': None,
    'model.head.offset_loss': dict(
        type='SoftWeightSmoothL1Loss',
        use_target_weight=True,
        supervise_empty=False,
        loss_weight=0.0,
    ),
    'model.test_cfg.flip_test': False,  # a nose alone has no mirror image
    'optim_wrapper.optimizer.lr': 2e-3,
}
_HEAD_AND_LEG = dict(
    _delete_=True,
    head=['nose', 'left_eye', 'right_eye', 'left_ear', 'right_ear'],
    leg=['left_hip', 'right_hip', 'left_knee', 'right_knee', 'left_ankle', 'right_ankle'],
)


@dataclass(frozen=True)
class Variant:
    """One model to train.

    Attributes:
        title: what a table calls it.
        config: its config, one of the project's.
        options: changes of the config, dotted names to values.
        hooks: settings of hooks that its training has behind those of the config.
        amp: train as `--amp` does: in bfloat16 on a CPU that has it, in float16 on a GPU.
        tested: names of the switches that it is evaluated with; by default all that fit it.
        scored: besides as `SCORED` says, with what is trained on its frozen weights.
    """

    title: str
    config: str = PINET
    options: Mapping = field(default_factory=dict)
    hooks: tuple[Mapping, ...] = ()
    amp: bool = True
    tested: tuple[str, ...] = ()
    scored: bool = False

    @property
    def is_pinet(self) -> bool:
        """Whether it is PINet rather than a baseline."""
        return self.config not in (CID, DEKR)

    @property
    def refines(self) -> bool:
        """Whether it proposes poses and refines them."""
        return self.is_pinet and self.options.get('model.head.refinement', True) is not None


BACKBONE = Variant('backbone, keypoint heatmaps alone', options=_HEATMAPS_ALONE)

VARIANTS: dict[str, Variant] = {
    # The refinement is trained on as many poses per image, whatever the number of parts.
    'one-centre': Variant(
        'one center',
        options={'codec.layout.parts': 'all', 'model.head.sampler.max_train_per_part': 36},
    ),
    'three-parts': Variant('three parts'),
    'three-parts_no-refinement': Variant(
        'three parts, trained without refinement', options={'model.head.refinement': None}
    ),
    'two-parts': Variant(
        'two parts (head, leg)',
        options={'codec.layout.parts': _HEAD_AND_LEG, 'model.head.sampler.max_train_per_part': 18},
    ),
    'release': Variant('three parts, convention of the release', config=OFFICIAL),
    'cid': Variant('CID', config=CID, amp=False),
    'dekr': Variant('DEKR', config=DEKR, amp=False),
}
BASELINES_WITH_OPERATORS = ('dekr',)  # of the full mmcv
# The switches of one trained PINet: changes of its `test_cfg`.
SWITCHES: dict[str, dict] = {
    'fusion': {},
    'agreement': dict(use_agreement=True),
    'nms': dict(use_fusion=False),
    'no-refinement': dict(use_refinement=False),
    'no-refinement_nms': dict(use_refinement=False, use_fusion=False),
    'no-flip': dict(flip_test=False),
}
# With a score and the deviations of keypoints, which learn when all else is trained and frozen.
SCORED: dict[str, dict] = {'score': {}, 'score_uncertainty': dict(use_uncertainty=True)}
# Studied on one model only.
THRESHOLDS: dict[str, dict] = {
    'oks_thr-0.5': dict(oks_thr=0.5),
    'oks_thr-0.9': dict(oks_thr=0.9),
    'max_per_part-10': dict(max_per_part=10),
    'max_per_part-60': dict(max_per_part=60),
}

# (variant, seed), the most important first: a run that is cut short has the main rows.
Rows = tuple[tuple[str, int], ...]
ROWS: Rows = (
    ('three-parts', 0),
    ('one-centre', 0),
    ('three-parts_no-refinement', 0),
    ('cid', 0),
    ('three-parts', 1),
    ('one-centre', 1),
    ('two-parts', 0),
    ('release', 0),
    ('three-parts', 2),
    ('one-centre', 2),
    ('dekr', 0),
)
SEEDS = 1 + max(seed for _, seed in ROWS)
