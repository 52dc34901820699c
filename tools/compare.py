"""Draw the poses of two models side by side: tools/compare.py IMAGE... --model A --model B.

The same as `pinet-mm compare`.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout's own package first

from pinet_mm.cli.compare import main

if __name__ == '__main__':
    main()
