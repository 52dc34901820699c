"""Train a score on frozen weights and compare AP with and without: the row of docs/pinet2.md.

python -m studies.scores DATA [--weights FILE] [--out DIR]; DATA is data/photos of docs/data.md.
"""

import argparse
import copy
from pathlib import Path

from pinet_mm import api, runner
from pinet_mm.cli import command
from pinet_mm.errors import InputError
from pinet_mm.method.scoring import score_of

import numpy as np

from .benchmark.timing import chain_times

CONFIG = 'pinet_lite_photos_scores'


def data_options(data: Path) -> dict:
    """Return the settings that point a config at the photographs of a folder.

    Args:
        data: with `train.json`, `val.json` and `images/`.

    Raises:
        InputError: one is missing.
    """
    for name in ('train.json', 'val.json', 'images'):
        if not (data / name).exists():
            raise InputError(f'{data} must hold {name}; docs/data.md says what it is')
    roots = [
        'train_dataloader.dataset.datasets.0',
        'train_dataloader.dataset.datasets.1',
        'val_dataloader.dataset',
        'test_dataloader.dataset',
    ]
    return {
        **{f'{each}.data_root': str(data) for each in roots},
        **{f'{each}_evaluator.ann_file': str(data / 'val.json') for each in ('val', 'test')},
    }


def train(weights: Path, data: Path, out: Path) -> Path:
    """Train a score on a frozen model.

    Args:
        weights: of the model.
        data: see `data_options`.
        out: work folder.

    Returns:
        The checkpoint of the model with its score.
    """
    options = dict(data_options(data), load_from=str(weights))
    runner.train(
        runner.TrainOptions(
            config=CONFIG, work_dir=str(out), cfg_options=options, amp=True, no_validate=True
        )
    )
    return out / 'epoch_1.pth'


def evaluate(checkpoint: Path, data: Path, out: Path, use_score: bool) -> dict[str, float]:
    """Evaluate a model with its score, or as it is without: `coco/AP` and others.

    Args:
        checkpoint: of the model with its score.
        data: see `data_options`.
        out: work folder.
        use_score: rank by it, and by the mean of keypoint scores otherwise.
    """
    options = dict(data_options(data), **{'model.test_cfg.use_score': use_score})
    options = {name: value for name, value in options.items() if name.startswith(('test', 'model'))}
    options['test_evaluator.score_mode'] = 'bbox' if use_score else 'keypoint'
    folder = out / ('with' if use_score else 'without')
    return runner.test(
        runner.TestOptions(
            config=CONFIG, checkpoint=str(checkpoint), work_dir=str(folder), cfg_options=options
        )
    )


def cost(checkpoint: Path, image: np.ndarray, repeats: int = 15) -> tuple[int, dict[str, float]]:
    """Count the parameters of a score, and measure what it takes.

    Args:
        checkpoint: of the model with its score.
        image: (h, w, 3) uint8, BGR.
        repeats: see `chain_times`.

    Returns:
        The parameters, and milliseconds per image, `with` and `without` it.
    """
    scored = api.load(CONFIG, checkpoint, device='cpu')
    plain = copy.copy(scored)
    plain.test_cfg = dict(scored.test_cfg, use_score=False)
    chains = {
        name: dict(predict=lambda _, model=model: list(api.predict(model, [image])))
        for name, model in (('with', scored), ('without', plain))
    }
    for chain in chains.values():
        chain['predict'](None)
    times = chain_times(chains, repeats)
    parameters = sum(each.numel() for each in score_of(scored.head).parameters())
    return parameters, {name: stages['predict'] for name, stages in times.items()}


def make_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('data', type=Path, metavar='DATA')
    parser.add_argument('--weights', type=Path, default=api.shipped_weights('pinet_lite_photos'))
    parser.add_argument('--out', type=Path, default=Path('work_dirs/scores'))
    return parser


def run(args: argparse.Namespace) -> None:
    """Train, evaluate both ways, and print what came out."""
    checkpoint = train(args.weights, args.data, args.out)
    for use_score in (False, True):
        found = evaluate(checkpoint, args.data, args.out, use_score)
        name = 'expected OKS' if use_score else 'mean keypoint score'
        print(name, ' '.join(f'{key} {value:.3f}' for key, value in found.items()))
    image = np.random.default_rng(0).integers(0, 255, (256, 256, 3), dtype=np.uint8)
    parameters, times = cost(checkpoint, image)
    print(f'{parameters} parameters; ms per image:', times)


main = command(make_parser, run)

if __name__ == '__main__':
    main()
