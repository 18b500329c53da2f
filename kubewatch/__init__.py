"""kubewatch: the kube-rs watch and controller runtime for synchronous Python."""

__version__ = "0.1.0"
