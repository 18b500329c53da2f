"""Play the `>>>` lines of a file as doctests: `python session.py FILE`. Numbers may differ, as ages and versions do."""

import doctest
import re
import sys
from pathlib import Path


def masked(text: str) -> str:
    return re.sub(r"\d+(\.\d+)*", "#", text)


class Checker(doctest.OutputChecker):
    def check_output(self, want: str, got: str, flags: int) -> bool:
        return super().check_output(masked(want), masked(got), flags)


if __name__ == "__main__":
    sys.ps1 = ">>> "  # what tells Python, and live stores, that somebody looks
    session = doctest.DocTestParser().get_doctest(Path(sys.argv[1]).read_text(), {}, "session", sys.argv[1], 0)
    runner = doctest.DocTestRunner(Checker(), optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    sys.exit(runner.run(session).failed)
