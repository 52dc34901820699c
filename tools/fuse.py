"""Fuse the poses of several models: python tools/fuse.py A.json B.json --out fused.json.

The same as `pinet-mm fuse`.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout's own package first

from pinet_mm.cli.fuse import main

if __name__ == '__main__':
    main()
