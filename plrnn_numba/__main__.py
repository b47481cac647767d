"""``python -m plrnn_numba``."""

import sys

from .runs.commands.main import main

sys.exit(main())
