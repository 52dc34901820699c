"""Train a model: python tools/train.py CONFIG; the same as `pinet-mm train`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout's own package first

from pinet_mm.cli.train import main

if __name__ == '__main__':
    main()
