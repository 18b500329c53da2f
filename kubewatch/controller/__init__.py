"""The controller: streams merged into a queue, and reconciled on a pool of threads."""
