"""A few lines to load a model and run it on many images.

```python
from pinet_mm import api

model = api.load()  # the default model; or a config and a checkpoint
for result in api.predict(model, ['street.jpg', image]):
    print(result.above().keypoints)
```
"""

import logging
from pathlib import Path

import torch
from mmengine.config import Config
from mmpose.apis import init_model
from mmpose.models.pose_estimators.bottomup import BottomupPoseEstimator

from .checkpoints import load_weights, read_checkpoint
from .checkpoints.carried import carry_metainfo, carry_score, carry_uncertainty
from .configs import config_path, read_config
from .datasets.pipelines import set_short_side
from .errors import RunError
from .inference import light
from .inference.folders import infer
from .inference.prediction import predict
from .inference.results.answers import to_df, to_json
from .inference.results.pose_result import PoseResult
from .inference.results.records import SCHEMA, to_record
from .inference.runs.options import InferOptions
from .inference.runs.overlays import overlay_names
from .inference.runs.report import Report
from .inference.sources.images import IMAGE_SUFFIXES, find_images
from .inference.sources.items import find_sources
from .inference.sources.videos import Clip
from .models.acceleration import accelerate
from .models.early import check_settings
from .models.keypoints import note_on_weights
from .onnx_runner import OnnxPoses, describe
from .renamed import old_spellings

__all__ = [
    'IMAGE_SUFFIXES',
    'SCHEMA',
    'SHIPPED',
    'WEIGHTS',
    'Clip',
    'InferOptions',
    'PoseResult',
    'Report',
    'config_path',
    'describe',
    'find_images',
    'find_sources',
    'infer',
    'load',
    'load_onnx',
    'overlay_names',
    'predict',
    'shipped_weights',
    'to_df',
    'to_json',
    'to_record',
]

__getattr__ = old_spellings(__name__)

# The shipped weights, each named after its config; models.json says what they were trained on.
WEIGHTS = Path(__file__).parent / 'weights'
SHIPPED = 'pinet_lite_photos.py'  # the default of `load` and `load_onnx`


def shipped_weights(config: str | Path) -> Path:
    """Return the path of the weights that the package ships for a config, by its file name.

    Raises:
        FileNotFoundError: it ships none for this config.
    """
    path = WEIGHTS / f'{Path(config).stem}.pth'
    if not path.is_file():
        known = ', '.join(sorted(f'{file.stem}.py' for file in WEIGHTS.glob('*.pth')))
        raise FileNotFoundError(
            f'the package ships no weights for {Path(config).name}: name a '
            f'checkpoint, or take a config that it has weights for: {known}'
        )
    return path


def load(
    config: str | Path | Config = SHIPPED,
    checkpoint: str | Path | None = None,
    device: str | None = None,
    cfg_options: dict | None = None,
    amp: bool = False,
    compile: bool = False,
    short_side: int | None = None,
) -> BottomupPoseEstimator:
    """Build a model from a config and load its weights, ready to predict.

    Logs at level INFO which weights they are and what they were trained on, see `describe`.

    Args:
        config: a config, its path or name, see `config_path`; by default the shipped model's.
        checkpoint: path or URL of the weights; by default those shipped for the config.
        device: by default the first GPU, or the CPU.
        cfg_options: settings of the config to replace, such as `{'model.test_cfg.flip_test': 0}`.
        amp: see `acceleration.accelerate`.
        compile: see `acceleration.accelerate`.
        short_side: pixels to which images are resized; by default those of the config. Smaller for
            people who fill the image, larger for people who are small in it.

    Raises:
        FileNotFoundError: the config does not exist, or has no shipped weights.
        InputError: `cfg_options` give the codec sizes that do not fit, see `read_config`, or keys
            that the model does not take.
        CheckpointError: the checkpoint does not exist, cannot be read or does not fit the model.
        RunError: there is no such device.
    """
    config = read_config(config, cfg_options)
    check_settings(config.model)  # before weights are downloaded
    checkpoint = checkpoint or shipped_weights(config.filename or 'a config without a file')
    device = _check_device(device)
    loaded = read_checkpoint(checkpoint)
    carry_metainfo(config, loaded.meta.get('dataset_meta', {}))
    carry_score(config, loaded.weights)
    carry_uncertainty(config, loaded.weights)
    if short_side:
        set_short_side(config.test_dataloader.dataset, short_side)
    model = init_model(config, None, device)
    load_weights(model, loaded)
    model.dataset_meta = loaded.meta.get('dataset_meta', model.dataset_meta)
    line, model.warning = describe(checkpoint)
    logging.getLogger(__name__).info(line)
    for each in filter(None, (model.warning, note_on_weights(model, loaded))):
        logging.getLogger(__name__).warning(each)
    return accelerate(model, amp, compile) if amp or compile else model


def _check_device(device: str | None) -> str:
    name = device or ('cuda:0' if torch.cuda.is_available() else 'cpu')
    try:
        torch.device(name)
    except RuntimeError as error:
        raise RunError(f'no device {name!r}; expected cpu, cuda, cuda:0 or the like') from error
    try:
        torch.empty(0, device=name)
    except (AssertionError, RuntimeError) as error:
        raise RunError(
            f'the device {name} cannot be used here: {str(error).splitlines()[0]}'
        ) from error
    return name


def load_onnx(
    path: str | Path | None = None, threads: int = 0, short_side: int | None = None
) -> OnnxPoses:
    """Load a file of tools/export_onnx.py; `predict` and `infer` accept it as a model.

    Args:
        path: of the file; by default the one that the package ships.
        threads: of ONNX Runtime, by default one per core.
        short_side: pixels to which images are resized, see `load`.

    Raises:
        FileNotFoundError: there is no such file.
        RunError: ONNX Runtime is missing or cannot run the file, or `short_side` is given and the
            file does not say how to resize images.
    """
    model = light.load(path, threads, short_side)
    if model.warning:
        logging.getLogger(__name__).warning(model.warning)
    return model
