"""API servers to test against: an embedded one, and a real one."""
