"""Keep the newest state of every deployment, and act on changes of `spec` only.

The store stands before the filter: it has the newest object also when the filter held its event back.
"""

from kubewatch import Api, Config, predicates, reflector, store, watcher

reader, writer = store()
stream = (
    reflector(writer, watcher(Api("apps/v1", "Deployment"), Config()))
    .default_backoff()
    .applied_objects()
    .predicate_filter(predicates.generation)
)
for deployment in stream:
    known = reader.get(deployment.ref)
    ready = known.status.readyReplicas if known else None
    print(deployment.name, "wants", deployment.spec.replicas, "has", ready or 0)
