"""Write a synthetic crowd dataset: python tools/make_crowdsynth.py OUT --images 2000.

The same as `pinet-mm make-crowdsynth`.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout's own package first

from pinet_mm.cli.make_crowdsynth import main

if __name__ == '__main__':
    main()
