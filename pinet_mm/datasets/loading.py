"""MMPose's step that reads an image, with the bounds on its size of `onnx_runner`."""

from mmcv.image.io import imread_flags
from mmengine import fileio
from mmpose.datasets.transforms import loading
from mmpose.registry import TRANSFORMS

from ..errors import InputError
from ..onnx_runner import check_shape, decode_image, read_image


@TRANSFORMS.register_module(force=True)
class LoadImage(loading.LoadImage):
    """Read an image as MMPose's class of this name does, which it replaces in all configs.

    Takes the arguments of MMPose's class.
    """

    def transform(self, results: dict) -> dict | None:
        """Add `img`, `img_shape` and `ori_shape`; an image that is there already is checked.

        Raises:
            InputError: the file is missing, no image, cut off, too large or too thin.
        """
        if self.imdecode_backend != 'cv2' or self.file_client_args is not None:
            return super().transform(results)
        try:
            if 'img' not in results:
                results = dict(results, img=self._read(results['img_path']))
            check_shape(results['img'].shape, results.get('img_path') or 'the image')
        except (OSError, ValueError) as error:
            if self.ignore_empty:
                return None
            raise InputError(str(error)) from error
        return super().transform(results)

    def _read(self, path: str):
        flags = imread_flags[self.color_type]
        if (self.backend_args or {}).get('backend', 'local') == 'local' and '://' not in str(path):
            return read_image(path, flags)
        return decode_image(fileio.get(path, backend_args=self.backend_args), path, flags)
