"""Names of the shipped models, and what is said of them."""

import sys

from tests.helpers.tools import load_tool

DRAWN, PHOTOS = 'pinet_hrnet-slim_crowdsynth', 'pinet_lite_photos'
DRAWN_LINE = f'model: {DRAWN} (drawn people of CrowdSynth; 17 COCO keypoints; Apache-2.0)'


def run_tool(name, monkeypatch, *arguments):
    monkeypatch.setattr(sys, 'argv', [name, *map(str, arguments)])
    load_tool(name).main()
