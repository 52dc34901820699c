"""Bring a checkpoint of the authors' PINet here: python tools/convert_checkpoint.py SRC DST.

The same as `pinet-mm convert`.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout's own package first

from pinet_mm.cli.convert import main

if __name__ == '__main__':
    main()
