"""`credence topology` as a script."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from node.cli import main

if __name__ == "__main__":
    sys.exit(main(["topology", *sys.argv[1:]]))
