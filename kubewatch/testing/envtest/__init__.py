"""A real API server to test against: kube-apiserver and etcd, started and stopped in seconds.

`binaries` finds and builds the two programs, `process` runs one program, `server` makes an API server of them.
"""

from .binaries import EnvTestError, EnvTestUnavailable, build, find_binaries
from .server import EnvTest

__all__ = ["EnvTest", "EnvTestError", "EnvTestUnavailable", "build", "find_binaries"]
