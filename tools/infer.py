"""Find the poses in images: python tools/infer.py INPUT...; the same as `pinet-mm infer`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout's own package first

from pinet_mm.cli.infer import main

if __name__ == '__main__':
    main()
