"""MMPose's step that reads an image, which is compared with its record and has bounded size."""

from typing import Any

from mmcv.image.io import imread_flags
from mmengine import fileio
from mmpose.datasets.transforms import loading
from mmpose.registry import TRANSFORMS

from ..environment.png import without_notes
from ..errors import InputError
from ..onnx_runner import check_shape, decode_image, read_image
from .recorded import keep_records, match_size, require_inside

keep_records()


@TRANSFORMS.register_module(force=True)
class LoadImage(loading.LoadImage):
    """Read an image as MMPose's class of this name does, which it replaces in all configs.

    The size of an image of a dataset is compared with the one that its annotation file says.

    Args:
        allow_outside: read images whose names lead out of their folder too.
        *args: those of MMPose's class.
        **options: those of MMPose's class.
    """

    def __init__(self, *args: Any, allow_outside: bool = False, **options: Any):
        super().__init__(*args, **options)
        self.allow_outside = allow_outside

    def transform(self, results: dict) -> dict | None:
        """Add `img`, `img_shape` and `ori_shape`; an image that is there already is checked.

        Raises:
            InputError: the file is missing, no image, cut off, too large, too thin, of another
                size than its record says, or outside its folder.
        """
        from_file = 'img' not in results and results.get('recorded') is not None
        if from_file and not self.allow_outside:
            require_inside(results['recorded'], results['img_path'])
        loaded = self._load(results)
        if from_file and loaded is not None:
            match_size(loaded)
        return loaded

    def _load(self, results: dict) -> dict | None:
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
        # Notes on colors have a part in the shade of gray.
        clean = bytes if 'grayscale' in self.color_type else without_notes
        if (self.backend_args or {}).get('backend', 'local') == 'local' and '://' not in str(path):
            return read_image(path, flags, clean)
        content = fileio.get(path, backend_args=self.backend_args)
        return decode_image(clean(content), path, flags)
