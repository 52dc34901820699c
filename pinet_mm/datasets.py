"""Dataset rules that MMPose lacks."""

from typing import List

from mmpose.datasets.datasets import CocoDataset
from mmpose.registry import DATASETS


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
        """Drop pictures with few keypoints; testing keeps every picture.

        Raises:
            ValueError: no picture is left.
        """
        pictures = super().filter_data()
        if self.test_mode:
            return pictures
        kept = [picture for picture in pictures
                if sum(picture['num_keypoints']) >= self.min_keypoints]
        if not kept:
            raise ValueError(f'min_keypoints={self.min_keypoints} leaves none of the '
                             f'{len(pictures)} pictures of {self.ann_file}')
        return kept
