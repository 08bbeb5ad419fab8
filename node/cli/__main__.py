"""`python -m node.cli`: the same command without an installed script."""

import sys

from node.cli.main import main

sys.exit(main())
