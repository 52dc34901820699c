"""A few lines to load a model and run it on many pictures.

    from pinet_mm import api
    model = api.load('configs/pinet_hrnet_crowdpose.py', 'pinet.pth')
    for sample in api.predict(model, ['street.jpg', picture]):
        print(sample.pred_instances.keypoints)
"""

import json
from itertools import islice
from pathlib import Path
from typing import Iterable, Iterator, List, Optional, Union

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmpose.apis import init_model
from mmpose.structures import PoseDataSample

from .estimator import PINet
from .visualization import contact_sheet, draw_poses

PICTURES = ('.bmp', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp')
SCHEMA = 'pinet_mm.predictions/1'


def load(config: Union[str, Path, Config], checkpoint: str, device: Optional[str] = None,
         cfg_options: Optional[dict] = None) -> PINet:
    """Build a model from a config and load its weights, ready to predict.

    Args:
        config: a config or its path.
        checkpoint: path or URL of the weights.
        device: by default the first GPU, or the CPU.
        cfg_options: settings of the config to replace, such as `{'model.test_cfg.flip_test': 0}`.
    """
    if not isinstance(config, Config):
        config = Config.fromfile(config)
    config.merge_from_dict(cfg_options or {})
    return init_model(config, checkpoint, device or ('cuda:0' if torch.cuda.is_available()
                                                     else 'cpu'))


@torch.no_grad()
def predict(model: PINet, pictures: Iterable[Union[str, Path, np.ndarray]],
            batch_size: int = 8) -> Iterator[PoseDataSample]:
    """Predict the poses of pictures, in their order, `batch_size` at a time.

    Args:
        model: what `load` returns.
        pictures: paths or (H, W, 3) uint8 BGR arrays, of any sizes.
        batch_size: changes speed and memory, not results.

    Yields:
        A sample for each picture; its `pred_instances` are in pixels of that picture.
    """
    pipeline = Compose(model.cfg.test_dataloader.dataset.pipeline)
    pictures = iter(pictures)
    while batch := list(islice(pictures, batch_size)):
        inputs = [pipeline(dict(_source(picture), **model.dataset_meta)) for picture in batch]
        yield from model.test_step(pseudo_collate(inputs))


def _source(picture: Union[str, Path, np.ndarray]) -> dict:
    if isinstance(picture, np.ndarray):
        return dict(img=picture, img_path='')
    return dict(img_path=str(picture))


def find_pictures(inputs: Iterable[Union[str, Path]]) -> List[Path]:
    """List the given pictures and those in the given folders, each folder sorted by name.

    Raises:
        FileNotFoundError: an input does not exist, or a folder holds no picture.
    """
    found = []
    for path in map(Path, inputs):
        inside = [path] if path.is_file() else sorted(
            file for file in path.rglob('*') if file.suffix.lower() in PICTURES)
        if not inside:
            problem = 'holds no picture' if path.is_dir() else 'does not exist'
            raise FileNotFoundError(f'{path} {problem}; expected a picture or a folder with files '
                                    f'ending in {", ".join(PICTURES)}')
        found += inside
    return found


def to_record(sample: PoseDataSample, name: str) -> dict:
    """Put a sample's persons into plain numbers, in pixels of the original picture.

    Returns:
        `file`, `width`, `height` and `persons`, the best first, each with `score`, `bbox` (x1, y1,
        x2, y2) and `keypoints`, a list of [x, y, score].
    """
    people, (height, width) = sample.pred_instances, sample.metainfo['ori_shape'][:2]
    keypoints = np.concatenate((people.keypoints, people.keypoint_scores[..., None]), axis=-1)
    persons = [dict(score=round(float(people.bbox_scores[i]), 4),
                    bbox=people.bboxes[i].round(2).tolist(),
                    keypoints=keypoints[i].round(4).tolist())
               for i in np.argsort(-people.bbox_scores, kind='stable')]
    return dict(file=name, width=int(width), height=int(height), persons=persons)


def infer(model: PINet, inputs: Iterable[Union[str, Path]], out_dir: Union[str, Path],
          batch_size: int = 8, pose_thr: float = 0.1) -> Path:
    """Write an overlay for every picture and one `predictions.json` with all of them.

    Args:
        model: what `load` returns.
        inputs: pictures and folders.
        out_dir: made if it is missing.
        batch_size: pictures a pass.
        pose_thr: persons with a lower score are left out of the overlays (the JSON has them).

    `overview.jpg` shows the first twelve overlays together.

    Returns:
        The path of the JSON: `schema`, `keypoint_names`, `skeleton` and a record for each picture
        (see `to_record`).
    """
    out_dir, files = Path(out_dir), find_pictures(inputs)
    names = _overlay_names(files)
    out_dir.mkdir(parents=True, exist_ok=True)
    records, overlays, meta = [], [], model.dataset_meta
    for file, name, sample in zip(files, names, predict(model, files, batch_size)):
        overlay = draw_poses(cv2.imread(str(file)), sample.pred_instances, meta, pose_thr)
        cv2.imwrite(str(out_dir / name), overlay)
        overlays = (overlays + [overlay])[:12]
        records.append(dict(to_record(sample, str(file)), overlay=name))
    cv2.imwrite(str(out_dir / 'overview.jpg'), contact_sheet(overlays, columns=4))
    keypoint_names = [meta['keypoint_id2name'][i] for i in range(len(meta['keypoint_id2name']))]
    document = dict(schema=SCHEMA, keypoint_names=keypoint_names,
                    skeleton=[list(map(int, link)) for link in meta['skeleton_links']],
                    pictures=records)
    target = out_dir / 'predictions.json'
    target.write_text(json.dumps(document, indent=1))
    return target


def _overlay_names(files: Iterable[Path]) -> List[str]:
    # Pictures of one name in two folders must not overwrite each other, nor the overview.
    names, used = [], {'overview.jpg'}
    for file in files:
        name, i = f'{file.stem}.jpg', 1
        while name in used:
            name, i = f'{file.stem}-{i}.jpg', i + 1
        used.add(name)
        names.append(name)
    return names
