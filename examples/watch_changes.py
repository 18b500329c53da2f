"""Stages chained onto a watch: pause after errors, cut what is not needed, unpack events, drop what did not change.

`default_backoff` and `modify` fit anywhere; `predicate_filter` wants objects, so `applied_objects` comes before it. The
other way round is a TypeError when the chain is built.
"""

from typing import Any

from kubewatch import Api, Config, predicates, watcher


def forget_managed_fields(obj: Any) -> None:
    obj.metadata.managed_fields.clear()


stream = (
    watcher(Api("apps/v1", "Deployment"), Config())
    .default_backoff()
    .modify(forget_managed_fields)
    .applied_objects()
    .predicate_filter(predicates.generation)
)
for deployment in stream:
    print("changed", deployment.name, "generation", deployment.metadata.generation)
