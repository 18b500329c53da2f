"""What `import kubewatch` costs: the modules that are loaded by it, and those that are not before they are needed."""

from __future__ import annotations

import subprocess
import sys

# Each takes milliseconds to load, and is for what a program may never do: connect, wait after an error, write YAML.
NOT_YET = (
    "asyncio",
    "backoff",
    "cachetools",
    "http.client",
    "kubernetes",
    "random",
    "ssl",
    "unicodedata",
    "urllib3",
    "yaml",
)


def test_importing_kubewatch_loads_nothing_that_can_wait() -> None:
    code = f"import sys, kubewatch; print(*(name for name in {NOT_YET} if name in sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert loaded.stdout.split() == []
