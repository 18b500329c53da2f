"""What kubewatch costs, measured; see README.md beside this file."""
