"""Evaluation and dataset rules that MMPose lacks."""

from typing import Dict, List

import numpy as np
from mmpose.datasets.datasets import CocoDataset
from mmpose.evaluation.metrics import CocoMetric
from mmpose.registry import DATASETS, METRICS


@METRICS.register_module()
class PoseCocoMetric(CocoMetric):
    """MMPose's COCO metric, which also evaluates a run that found nobody: AP 0, no exception."""

    def compute_metrics(self, results: list) -> Dict[str, float]:
        """Compute the metrics of all collected pictures."""
        if not any(len(prediction['keypoints']) for prediction, _ in results):
            # COCO's evaluator cannot load an empty list; one impossible pose scores the same.
            prediction, truth = results[0]
            shape = (1, self.dataset_meta['num_keypoints'])
            nobody = dict(keypoints=np.full((*shape, 2), -1e5), keypoint_scores=np.zeros(shape),
                          bbox_scores=np.zeros(1), bbox=np.zeros((1, 4)))
            results = [(dict(prediction, **nobody), truth), *results[1:]]
        return super().compute_metrics(results)


@DATASETS.register_module()
class MinKeypointsCocoDataset(CocoDataset):
    """COCO pictures whose persons hold enough labelled keypoints together.

    Args:
        min_keypoints: pictures with fewer are left out of training.
    """

    def __init__(self, *args, min_keypoints: int = 1, **kwargs):
        self.min_keypoints = min_keypoints
        super().__init__(*args, **kwargs)

    def filter_data(self) -> List[dict]:
        """Drop pictures with few keypoints; testing keeps every picture."""
        pictures = super().filter_data()
        if self.test_mode:
            return pictures
        return [picture for picture in pictures
                if sum(picture['num_keypoints']) >= self.min_keypoints]
