"""An embedded Kubernetes API server: HTTP, routes, rules, storage and watches, in this process, with nothing to
install.

The way of a request: ``http`` (bytes) → ``app`` (which handler) → ``routes`` (what is asked of which resource) →
``reads`` and ``writes`` (HTTP's side of a verb) → ``cluster`` (the API's rules) → ``storage`` (versions) →
``watch`` (fan-out). ``faults`` stands beside them and spoils answers on demand.
"""
