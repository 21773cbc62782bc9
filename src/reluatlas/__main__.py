"""`python -m reluatlas`: the command line."""

import sys

from reluatlas.cli.main import main

sys.exit(main())
