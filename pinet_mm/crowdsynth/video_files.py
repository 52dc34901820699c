"""Write drawn videos to disk: folders of frames, and one COCO annotation file with identities."""

from collections import defaultdict
from functools import partial
from itertools import pairwise
from pathlib import Path

from .dataset import (
    annotate,
    check_files,
    describe,
    mask_to_polygons,
    summarize,
    with_ids,
    write_annotations,
    write_image,
)
from .settings import VideoSettings, check_stream
from .skeletons import LAYOUTS
from .video import CrowdVideo
from .workers import spread


def write_videos(
    out_dir: str | Path,
    settings: VideoSettings,
    num_videos: int,
    seed: int = 0,
    split: str = 'train',
    workers: int = 1,
    suffix: str = '.jpg',
) -> tuple[Path, dict]:
    """Write `images/SPLIT/000000/000000.jpg` ... and, last, `annotations/SPLIT.json`.

    The first number is that of the video, the second that of its frame. Beside COCO's fields, the
    file has `videos`, images have `video_id` and `frame_id`, and annotations have `track_id`, which
    no two people of the file share.

    Args:
        out_dir: Folder to write into; made if missing. Files that are there are overwritten.
        settings: A `VideoSettings`.
        num_videos: Number of videos, at least 1.
        seed: Non-negative integer.
        split: 'train', 'val' or 'test': disjoint random streams of the same seed.
        workers: Number of processes, at least 1; the bytes do not depend on it.
        suffix: '.jpg' (quality 95) or '.png'.

    Returns:
        The path of the annotation file, and the statistics of `summarize` and `summarize_tracks`,
        which the file's `info` holds too.

    Raises:
        TypeError: If `settings` is no `VideoSettings`.
        ValueError: If another argument is not what is listed above.
    """
    check_video_request(settings, num_videos, seed, split, workers, suffix)
    folder = Path(out_dir) / 'images' / split
    path = Path(out_dir) / 'annotations' / f'{split}.json'
    path.unlink(missing_ok=True)  # an earlier run's labels do not belong to the new frames
    job = partial(
        _write_video, folder=folder, settings=settings, seed=seed, split=split, suffix=suffix
    )
    videos, results, people = [], [], 0
    for index, (count, frames) in enumerate(spread(job, range(num_videos), workers, chunk=1)):
        videos.append(_record(index, settings))
        for image, annotations in frames:
            for item in annotations:
                item['track_id'] += people
            results.append((dict(id=len(results), video_id=index, **image), annotations))
        people += count
    images, annotations = with_ids(results)
    statistics = summarize(images, annotations) | summarize_tracks(images, annotations)
    info = dict(
        description='synthetic crowd, videos',
        seed=seed,
        split=split,
        settings=settings.as_dict(),
        statistics=statistics,
    )
    content = dict(info=info, videos=videos, images=images, annotations=annotations)
    write_annotations(path, LAYOUTS[settings.crowd.keypoints], **content)
    return path, statistics


def _record(index: int, settings: VideoSettings) -> dict:
    width, height = settings.crowd.size
    return dict(
        id=index,
        name=f'{index:06d}',
        width=width,
        height=height,
        fps=settings.fps,
        frames=settings.frames,
    )


def _write_video(
    index: int, folder: Path, settings: VideoSettings, seed: int, split: str, suffix: str
) -> tuple[int, list[tuple[dict, list[dict]]]]:
    """Draw and write one video; return the number of its people, and records of its frames."""
    video = CrowdVideo(settings, seed, index, split)
    (folder / f'{index:06d}').mkdir(parents=True, exist_ok=True)
    frames = []
    for frame in range(len(video)):
        image, people = video.draw(frame)
        name = f'{index:06d}/{frame:06d}{suffix}'
        write_image(folder / name, image)
        record = dict(frame_id=frame, **describe(name, image, [person for _, person in people]))
        annotations = [
            dict(
                annotate(person),
                segmentation=mask_to_polygons(person.mask),
                track_id=track,
            )
            for track, person in people
        ]
        frames.append((record, annotations))
    return len(video.walkers), frames


def summarize_tracks(images: list[dict], annotations: list[dict]) -> dict:
    """Count what there is to track.

    Args:
        images: COCO image records with `video_id` and `frame_id`.
        annotations: COCO annotations of the same images, with `track_id`.

    Returns:
        A dict of plain numbers: videos; people who are labeled at least once; how often somebody is
        not labeled in some frames, covered or outside, and labeled again later, and the longest
        such gap in frames.
    """
    frames = {image['id']: image['frame_id'] for image in images}
    tracks = defaultdict(list)
    for item in annotations:
        tracks[item['track_id']].append(frames[item['image_id']])
    missing = [
        later - earlier - 1 for seen in tracks.values() for earlier, later in pairwise(sorted(seen))
    ]
    return dict(
        videos=len({image['video_id'] for image in images}),
        tracks=len(tracks),
        gaps=sum(frames > 0 for frames in missing),
        longest_gap=max(missing, default=0),
    )


def check_video_request(
    settings: VideoSettings,
    num_videos: int,
    seed: int = 0,
    split: str = 'train',
    workers: int = 1,
    suffix: str = '.jpg',
) -> None:
    """Check the arguments of `write_videos` before anything is drawn.

    Args:
        settings: See `write_videos`, as for all others.
        num_videos: At least 1.
        seed: At least 0.
        split: A key of `SPLITS`.
        workers: At least 1.
        suffix: '.jpg' or '.png'.

    Raises:
        TypeError: If `settings` is no `VideoSettings`.
        ValueError: If another argument is not what is listed above.
    """
    if not isinstance(settings, VideoSettings):
        raise TypeError(f'settings must be a VideoSettings, got {type(settings).__name__}')
    check_files('num_videos', num_videos, workers, suffix)
    check_stream(seed, 0, split)
