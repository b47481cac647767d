"""``python -m plrnn_numba``."""

import sys

from .cli import main

sys.exit(main())
