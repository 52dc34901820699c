"""MLflow's images: MMEngine gives them the name of MMPose's hook, which says no format."""

from typing import Any

import numpy as np
from mmengine.visualization import MLflowVisBackend
from mmengine.visualization.vis_backend import force_init_env
from mmpose.registry import VISBACKENDS


@VISBACKENDS.register_module(name='MLflowVisBackend', force=True)
class MLflowImages(MLflowVisBackend):
    """Log to MLflow as MMEngine's `MLflowVisBackend` does, which it replaces in all configs.

    MMEngine's class ends a training with an error at the first image, whose name has no suffix.
    """

    @force_init_env
    def add_image(self, name: str, image: np.ndarray, step: int = 0, **kwargs: Any) -> None:
        """Log an image.

        Args:
            name: without a suffix.
            image: (H, W, 3) RGB.
            step: of the training.
            **kwargs: of the base class.
        """
        self._mlflow.log_image(image, f'{name}_{step}.png')
