"""Follow the people of videos and streams, without torch: pinet-mm track VIDEO...

The same as `pinet-mm predict --track`: every person has an id in predictions.json and above the
head. docs/tracking.md says how it works and how well.
"""

import argparse

from . import command, finding
from .predict import add_model_options, refuse_options_of_infer, run

EXAMPLES = (
    'film.mp4 --out poses',
    'rtsp://camera.local/stream --end 1:00',
    'frames/ --track-start 0.4',
)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = finding.make_parser(
        'Follow, without torch, the people of', 'videos, streams and folders of frames'
    )
    add_model_options(parser)
    finding.add_source_options(parser)
    finding.add_output_options(parser)
    finding.add_track_options(parser, always=True)
    refuse_options_of_infer(parser)
    return parser


main = command(make_parser, run, examples=EXAMPLES)
