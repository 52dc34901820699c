"""What evaluation lacks in MMPose: the poses of a test as a file in COCO's result format."""

import json
from pathlib import Path
from typing import Dict, Mapping, Sequence

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmpose.registry import METRICS


@METRICS.register_module()
class CocoResults(BaseMetric):
    """Write all poses of a test to one JSON file, to stand beside a metric.

    The file is a list with an entry for every pose, in pixels of the original picture: `image_id`,
    `category_id` (1), `keypoints` ([x, y, keypoint score] × K in one row) and `score`, the mean
    of its keypoint scores, by which `CocoMetric` with `score_mode='keypoint'` ranks it as well.
    Pictures without poses have no entry; without any pose the list is empty.

    Args:
        path: the file; its folder is made if it is missing.
        collect_device: what several processes exchange their poses on, 'cpu' or 'gpu'.
    """

    default_prefix = 'results'  # of no metric: MMEngine warns where there is none

    def __init__(self, path: str, collect_device: str = 'cpu'):
        super().__init__(collect_device=collect_device)
        self.path = Path(path)

    def process(self, data_batch: Sequence[dict], data_samples: Sequence[dict]) -> None:
        """Keep the poses of a batch.

        Args:
            data_batch: not used; MMEngine passes it.
            data_samples: with `img_id` and `pred_instances`, as the model returns them.
        """
        self.results.extend(to_entries(sample['img_id'], sample['pred_instances'])
                            for sample in data_samples)

    def compute_metrics(self, results: Sequence[list]) -> Dict[str, float]:
        """Write the file; there is no number to report.

        Args:
            results: the entries of every picture.
        """
        entries = [entry for picture in results for entry in picture]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(entries))
        print_log(f'{len(entries)} poses of {len(results)} pictures are in {self.path}',
                  logger='current')
        return {}


def to_entries(picture: int, poses: Mapping) -> list:
    """Write the poses of a picture as COCO's result entries.

    Args:
        picture: its id.
        poses: with `keypoints` (N, K, 2) and `keypoint_scores` (N, K).
    """
    keypoints = np.concatenate(
        (poses['keypoints'], poses['keypoint_scores'][..., None]), axis=-1, dtype=np.float64)
    return [dict(image_id=picture, category_id=1, keypoints=pose.ravel().tolist(),
                 score=float(pose[:, 2].mean())) for pose in keypoints]
