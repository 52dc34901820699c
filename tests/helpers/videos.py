"""Videos whose frames say their number, and a model that reads it."""

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
from mmengine.structures import InstanceData
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.structures import PoseDataSample

from tests.helpers import toys

META = parse_pose_metainfo(toys.five_metainfo())
MODEL = SimpleNamespace(dataset_meta=META)
SIZE = (64, 48)  # width, height
STEP = 12  # of gray from frame to frame


def write_video(path, frames=20, rate=Fraction(25), size=SIZE, codec='libx264', audio=None):
    """Frame i has gray value STEP * i; `audio` names the codec of a tone as long as the images."""
    import av

    with av.open(str(path), 'w') as container:
        video = container.add_stream(codec, rate=rate)
        (video.width, video.height) = size
        video.pix_fmt = 'rgb24' if codec == 'png' else 'yuv420p'
        sound = container.add_stream(audio, rate=48000) if audio else None
        for i in range(frames):
            image = np.full((size[1], size[0], 3), STEP * i % 256, np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format='bgr24')
            container.mux(video.encode(frame))
        container.mux(video.encode())
        if sound:
            _write_tone(container, sound, round(48000 * frames / rate))
    return path


def _write_tone(container, sound, samples):
    import av

    wave = 0.3 * np.sin(2 * np.pi * 440 * np.arange(samples) / 48000).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(np.stack([wave, wave]), format='fltp', layout='stereo')
    frame.rate, frame.pts = 48000, 0
    resampler = av.AudioResampler(sound.codec_context.format, 'stereo', 48000, frame_size=960)
    for piece in resampler.resample(frame) + resampler.resample(None):
        container.mux(sound.encode(piece))
    container.mux(sound.encode())


def found_in(image):
    """One person whose first keypoint's x is the image's gray value."""
    keypoints = np.full((1, 5, 2), 20.0) + np.arange(5)[:, None]
    keypoints[0, 0, 0] = image.mean()
    people = InstanceData(
        keypoints=keypoints,
        keypoint_scores=np.full((1, 5), 0.5),
        bboxes=np.array([[20.0, 20, 24, 24]]),
        bbox_scores=np.array([0.5]),
    )
    return PoseDataSample(pred_instances=people, metainfo=dict(ori_shape=image.shape[:2]))


def predict(model, images, batch_size=8):
    """Stand in for `prediction.predict`."""
    from pinet_mm.inference.results import PoseResult

    for image in images:
        yield PoseResult.of(found_in(image), META)
