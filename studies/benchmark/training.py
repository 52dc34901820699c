"""Time of a training step, stage by stage, and its memory."""

from collections.abc import Iterable, Mapping
from itertools import count
from typing import NamedTuple

from pinet_mm.configs import read_config
from pinet_mm.models.estimator import channels_last_on_cpu
from pinet_mm.models.head import full_precision
from pinet_mm.models.losses import gather_targets, heatmap_loss, offset_loss, refinement_loss
from pinet_mm.runner import settings

from mmengine.dataset import pseudo_collate
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from mmpose.registry import DATASETS, MODELS

from .images import precisions, why_no_half
from .memory import peak_memory
from .report import Table
from .timing import Chain, chain_of, chain_times, clock_of, run_chain

STAGES = ('data', 'backbone', 'losses', 'refinement', 'backward', 'optimizer')


class TrainingCase(NamedTuple):
    """What is trained.

    Attributes:
        config: a file, or the name of one of the project's, whose training data are at hand.
        device: where it computes.
        batch: images per step.
        amp: with mixed precision, as `tools/train.py --amp`.
    """

    config: str
    device: str = 'cpu'
    batch: int = 16
    amp: bool = False


class TrainingStages:
    """A training step, one stage per method, from random weights on.

    A test compares the losses with those of the model.

    Args:
        case: what is trained.
    """

    def __init__(self, case: TrainingCase):
        config = read_config(case.config)
        if case.amp:
            settings.enable_amp(config)
        config.model.backbone.init_cfg = None
        with DefaultScope.overwrite_default_scope('mmpose'):
            self.dataset = DATASETS.build(config.train_dataloader.dataset)
            self.model = MODELS.build(config.model).to(case.device).train()
            self.wrapper = build_optim_wrapper(self.model, config.optim_wrapper)
        self.head, self.batch, self.indices = self.model.head, case.batch, count()

    def chain(self) -> Chain:
        """Name the stages in their order."""
        return chain_of(self, *STAGES)

    def data(self) -> None:
        """Make and augment images and targets, in this process, and normalize them."""
        packed = [self.dataset[next(self.indices) % len(self.dataset)] for _ in range(self.batch)]
        data = self.model.data_preprocessor(pseudo_collate(packed), training=True)
        self.inputs, self.samples = data['inputs'], data['data_samples']

    def backbone(self) -> None:
        """Extract features."""
        with self.wrapper.optim_context(self.model):
            self.feats = self.model.extract_feat(channels_last_on_cpu(self.inputs))

    def losses(self) -> None:
        """Gather the targets, run the head's convolutions, compute their losses."""
        with full_precision(self.feats[-1]) as self.features:
            self.targets = gather_targets(self.samples)
            heatmaps, self.offsets = self.head([self.features])
            self.found = dict(
                loss_heatmap=heatmap_loss(heatmaps, self.targets, self.head.heatmap_loss),
                loss_offset=offset_loss(self.offsets, self.targets, self.head.offset_loss),
            )

    def refinement(self) -> None:
        """Sample proposals, refine them, compute the loss."""
        head = self.head
        if head.refinement is not None:
            with full_precision(self.features) as features:
                self.found['loss_refine'] = refinement_loss(
                    features,
                    self.offsets,
                    self.targets,
                    head.sampler,
                    head.refinement,
                    head.refine_loss,
                )

    def backward(self) -> None:
        """Compute all gradients."""
        self.wrapper.backward(self.wrapper.scale_loss(sum(self.found.values())))

    def optimizer(self) -> None:
        """Move the weights, and forget what the step computed."""
        self.wrapper.step()
        self.wrapper.zero_grad()
        self.feats = self.features = self.offsets = self.found = None


def run_steps(case: TrainingCase, steps: int = 2) -> None:
    """Train for some steps.

    Args:
        case: what is trained.
        steps: how many; from the second on there are gradients and an optimizer's state.
    """
    stages = TrainingStages(case)
    for _ in range(steps):
        run_chain(stages.chain())


def bench_training(
    config: str, batches: Iterable[int] = (16,), repeats: int = 3, device: str = 'cpu'
) -> list[Table]:
    """Measure a step of training by batch, and with mixed precision too if the device has it.

    Args:
        config: see `TrainingCase`.
        batches: sizes.
        repeats: see `chain_times`.
        device: where it computes.
    """
    cases = [
        TrainingCase(config, device, batch, amp) for batch in batches for amp in precisions(device)
    ]
    rows = []
    with peak_memory(device) as peak:
        for case in cases:
            chain = TrainingStages(case).chain()
            run_chain(chain)
            times = chain_times(dict(step=chain), repeats, clock_of(device))['step']
            rows.append(_row(case, times, peak(run_steps, case)))
    note = (
        f'{config}; ms per image, medians. Images and targets are made in the same process; '
        'with workers their time runs beside the rest. Peak memory in MB, of what torch '
        'allocated on a GPU, else of the process.' + why_no_half(device)
    )
    return [Table('training', 'A step of training', note, rows)]


def _row(case: TrainingCase, times: Mapping[str, float], peak: float) -> dict[str, object]:
    total = sum(times.values())
    return {
        'precision': 'mixed' if case.amp else 'fp32',
        'batch': case.batch,
        **{name: ms / case.batch for name, ms in times.items()},
        'all': total / case.batch,
        'images/s': 1000 * case.batch / total,
        'without data, images/s': 1000 * case.batch / (total - times['data']),
        'peak MB': peak,
    }
