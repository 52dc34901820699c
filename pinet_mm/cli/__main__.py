"""Run `pinet-mm` from a checkout: python -m pinet_mm.cli COMMAND."""

import sys

from . import main

sys.exit(main())
