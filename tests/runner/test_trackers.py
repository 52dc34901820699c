"""Early stopping; where losses, metrics and images of a training arrive, without a network."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from tests.helpers.toy_runs import ToyMetric, train


@HOOKS.register_module()
class DrawsAnImage(Hook):
    """Hand an image to the visualizer in each validation, as MMPose's hook does."""

    def after_val_epoch(self, runner, metrics=None):
        image = np.full((8, 9, 3), (200, 100, 50), np.uint8)
        runner.visualizer.add_image('val_img', image, step=runner.iter)


BASE = """
custom_hooks = [dict(type='DrawsAnImage')]
default_hooks = dict(logger=dict(interval=2))
train_cfg = dict(val_interval=1)
visualizer = dict(name='visualizer of {name}', vis_backends=[{backend}])
"""


def needs(package):
    """Skip a test, saying why, where the package of a tracker is missing."""
    missing = importlib.util.find_spec(package) is None
    return pytest.mark.skipif(missing, reason=f'{package} is not installed')


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Train a toy of three epochs with a backend; return `vis_data` of its work folder."""
    monkeypatch.setattr(ToyMetric, 'default_prefix', 'toy')

    def start(backend):
        train(tmp_path, extra=BASE.format(name=tmp_path, backend=backend))
        (folder,) = tmp_path.glob('*/vis_data')
        return folder

    return start


@needs('tensorboard')
def test_losses_metrics_and_images_arrive_in_tensorboard(run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run("dict(type='TensorboardVisBackend')")))
    events.Reload()
    assert [each.step for each in events.Scalars('loss')] == [2, 4, 6, 8, 10, 12, 14, 16, 18]
    assert [each.step for each in events.Scalars('toy/mean')] == [1, 2, 3]
    assert len(events.Scalars('lr')) == 9
    assert [(each.step, each.width, each.height) for each in events.Images('val_img')] == [
        (6, 9, 8),
        (12, 9, 8),
        (18, 9, 8),
    ]


@needs('wandb')
def test_losses_metrics_and_images_arrive_in_wandb_offline(run, monkeypatch):
    import wandb

    monkeypatch.setenv('WANDB_SILENT', 'true')
    folder = run("dict(type='WandbVisBackend', init_kwargs=dict(mode='offline', project='toy'))")
    wandb.finish()
    wandb.teardown()  # since 0.31 the file is written after `finish` has returned
    (path,) = folder.glob('wandb/offline-run-*/*.wandb')
    content = path.read_bytes()  # names and values are in it as text
    for name in (b'loss', b'lr', b'toy/mean', b'val_img'):
        assert name in content, name
    assert content.count(b'toy/mean') >= 3
    assert len(list(path.parent.glob('files/media/images/val_img*.png'))) == 3


@needs('mlflow')
def test_losses_metrics_and_images_arrive_in_mlflow_on_disk(run, monkeypatch):
    import mlflow

    monkeypatch.setenv('MLFLOW_ALLOW_FILE_STORE', 'true')
    folder = run("dict(type='MLflowVisBackend', exp_name='toy', tracked_config_keys=('model',))")
    client = mlflow.MlflowClient(Path(folder).as_uri())
    experiment = client.get_experiment_by_name('toy')
    (found,) = client.search_runs([experiment.experiment_id])
    losses = client.get_metric_history(found.info.run_id, 'loss')
    assert [each.step for each in losses] == [2, 4, 6, 8, 10, 12, 14, 16, 18]
    assert [each.step for each in client.get_metric_history(found.info.run_id, 'toy/mean')] == [
        1,
        2,
        3,
    ]
    names = [each.path for each in client.list_artifacts(found.info.run_id)]
    assert {'val_img_6.png', 'val_img_12.png', 'val_img_18.png'} <= set(names)
    mlflow.end_run()


# --- early stopping ------------------------------------------------------------------------------


@pytest.mark.parametrize('values, last', [([0.1, 0.3, 0.2, 0.1], 4), ([0.1, 0.2, 0.3, 0.4], 6)])
def test_a_training_stops_early_by_a_switch(tmp_path, monkeypatch, capsys, values, last):
    # The best is of epoch 2; after two more validations without a better one the training ends.
    numbers = iter([*values, 0.5, 0.6])
    monkeypatch.setattr(ToyMetric, 'compute_metrics', lambda self, _: dict(AP=next(numbers)))
    words = (
        'train_cfg.max_epochs=6',
        'train_cfg.val_interval=1',
        'default_hooks.stop.type=EarlyStoppingHook',
        'default_hooks.stop.monitor=AP',
        'default_hooks.stop.rule=greater',
        'default_hooks.stop.patience=2',
    )
    train(tmp_path, '--cfg-options', *words)
    assert (tmp_path / f'epoch_{last}.pth').exists()
    assert not (tmp_path / f'epoch_{last + 1}.pth').exists()
    said = 'did not improve in the last 2 records. best score: 0.300' in capsys.readouterr().out
    assert said == (last == 4)
