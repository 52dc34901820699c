"""Draw what the codec makes of a dataset: python tools/browse.py CONFIG --out browse.

The same as `pinet-mm data browse`.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout's own package first

from pinet_mm.cli.browse import main

if __name__ == '__main__':
    main()
