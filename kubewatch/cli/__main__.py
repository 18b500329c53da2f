"""`python -m kubewatch.cli`: the command line where no script is installed."""

import sys

from . import main

if __name__ == "__main__":
    sys.exit(main())
