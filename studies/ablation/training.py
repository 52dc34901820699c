"""Train the variants: the same images, budget and starting backbone for all of them."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from pinet_mm import api, runner
from pinet_mm.configs import config_path
from pinet_mm.crowdsynth import CrowdSettings
from pinet_mm.errors import InputError

from mmengine.config import Config

from .variants import BACKBONE, PINET, Variant

UNCERTAIN = {'model.head.refinement.uncertainty': True}
SCORE_IMAGES = 1000
_SCORE_SEEDS = 1000  # a score learns from images that the rest has not seen


@dataclass(frozen=True)
class Budget:
    """What every row gets; one results file has one budget.

    Attributes:
        backbone_epochs: epochs for the backbone that all variants start from.
        epochs: epochs for each variant.
        pictures: images of an epoch, each drawn once only.
        images: held-out images.
        persons: fewest and most people that are drawn in an image.
        height: of the people, as a share of the image's; see `CrowdSettings`.

    Raises:
        TypeError: `persons` or `height` are not two numbers.
        ValueError: a number is below 1, or no crowd can be drawn so.
    """

    backbone_epochs: int = 7
    epochs: int = 10
    pictures: int = 4000
    images: int = 600
    persons: tuple[int, int] = (2, 6)
    height: tuple[float, float] = (0.35, 0.86)

    def __post_init__(self):
        for name in ('backbone_epochs', 'epochs', 'pictures', 'images'):
            if getattr(self, name) < 1:
                raise InputError(f'{name} must be at least 1; found {getattr(self, name)}')
        try:
            CrowdSettings(**self.crowd)
        except ValueError as error:
            raise InputError(str(error)) from error

    @property
    def crowd(self) -> dict:
        """The settings that `CrowdSettings` takes."""
        return dict(persons=self.persons, height=self.height)

    def as_dict(self) -> dict:
        """Return it as a results file has it, with lists for tuples."""
        return json.loads(json.dumps(asdict(self)))


def train_backbone(out: Path, budget: Budget) -> Path:
    """Train the backbone that all variants start from, or resume it; return its checkpoint."""
    return _train(BACKBONE, out, budget.backbone_epochs, {'randomness.seed': 0, **_data(budget)})


def train_variant(variant: Variant, out: Path, budget: Budget, seed: int, backbone: Path) -> Path:
    """Train a variant, or resume where it was cut short.

    Args:
        variant: what to train.
        out: its work folder.
        budget: see `Budget`.
        seed: of weights, order and images.
        backbone: checkpoint of `train_backbone`.

    Returns:
        The checkpoint of the last epoch.
    """
    return _train(
        variant,
        out,
        budget.epochs,
        {
            'randomness.seed': seed,
            # Every seed has images of its own for all variants, none of them the backbone's.
            'train_dataloader.dataset.seed': seed + 1,
            **_data(budget),
            'model.backbone.init_cfg': dict(
                _delete_=True, type='Pretrained', prefix='backbone.', checkpoint=str(backbone)
            ),
        },
    )


def train_score(variant: Variant, out: Path, budget: Budget, seed: int, checkpoint: Path) -> Path:
    """Train a score of expected OKS, and deviations, on a trained variant, all else of it frozen.

    Args:
        variant: what was trained.
        out: work folder of the score.
        budget: for its crowd.
        seed: of the variant.
        checkpoint: of the variant.

    Returns:
        The checkpoint of all of it.
    """
    options = {
        'randomness.seed': seed,
        **_data(budget),
        **_score_options(),
        'train_dataloader.dataset.length': SCORE_IMAGES,
        'train_dataloader.dataset.seed': _SCORE_SEEDS + seed,
        'load_from': str(checkpoint),
    }
    return _train(variant, out, 1, options)


def _score_options() -> dict:
    # An epoch of one image at a time, as the schedule that ships is made for.
    wrapper = Config.fromfile(config_path('_base_/schedule_score.py')).optim_wrapper.to_dict()
    last_step = len(Config.fromfile(config_path(PINET)).train_pipeline) - 1
    return {
        'model.head.refinement.score': dict(hidden=32),
        **UNCERTAIN,
        'model.backbone.init_cfg': None,
        'optim_wrapper.optimizer': dict(_delete_=True, **wrapper['optimizer']),
        'optim_wrapper.clip_grad': wrapper['clip_grad'],
        'param_scheduler.0.end': 50,
        'auto_scale_lr.base_batch_size': 1,
        'train_dataloader.batch_size': 1,
        f'train_dataloader.dataset.pipeline.{last_step}.meta_keys': ('img_id', 'img_path', 'area'),
    }


def _data(budget: Budget) -> dict:
    dataset = 'train_dataloader.dataset'
    return {
        f'{dataset}.length': budget.pictures,
        **{f'{dataset}.settings.{name}': value for name, value in budget.crowd.items()},
    }


def _train(variant: Variant, out: Path, epochs: int, options: dict) -> Path:
    checkpoint = out / f'epoch_{epochs}.pth'
    # MMEngine names a checkpoint here when it is whole.
    last = out / 'last_checkpoint'
    if not (last.is_file() and Path(last.read_text().strip()).name == checkpoint.name):
        runner.train(_options(variant, out, epochs, options))
    return checkpoint


def _options(variant: Variant, out: Path, epochs: int, options: dict) -> runner.TrainOptions:
    return runner.TrainOptions(
        config=str(api.config_path(variant.config)),
        cfg_options={
            **variant.options,
            **_hooks(variant),
            **options,
            'train_cfg.max_epochs': epochs,
            'param_scheduler.1.end': epochs,
        },
        work_dir=str(out),
        resume='auto',
        amp=variant.amp,
        no_validate=True,
    )


def _hooks(variant: Variant) -> dict[str, list]:
    # Options replace a list as a whole.
    if not variant.hooks:
        return {}
    own = Config.fromfile(config_path(variant.config)).custom_hooks
    return {'custom_hooks': [*map(dict, own), *map(dict, variant.hooks)]}
