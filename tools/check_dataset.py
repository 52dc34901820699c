"""Check COCO-style annotation files: python tools/check_dataset.py FILE... [--images DIR].

The same as `pinet-mm check-dataset`.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout's own package first

from pinet_mm.cli.check_dataset import main

if __name__ == '__main__':
    sys.exit(main())
