"""Write a PINet as one ONNX file: python tools/export_onnx.py CONFIG CHECKPOINT OUT.onnx.

The same as `pinet-mm export`.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout's own package first

from pinet_mm.cli.export import main

if __name__ == '__main__':
    main()
