"""Evaluate a model: python tools/test.py CONFIG CHECKPOINT; the same as `pinet-mm test`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout's own package first

from pinet_mm.cli.test import main

if __name__ == '__main__':
    main()
