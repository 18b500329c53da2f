"""Print the README's command marked `<!-- command: NAME -->`, so that the gate runs exactly what a reader pastes."""

import re
import sys
from pathlib import Path

readme = Path(__file__).parent.parent.joinpath("README.md").read_text()
found = re.search(rf"<!-- command: {re.escape(sys.argv[1])} -->\n```\w*\n(.*?)```", readme, re.DOTALL)
if found is None:
    sys.exit(f"README.md has no command marked {sys.argv[1]!r}")
sys.stdout.write(found.group(1))
