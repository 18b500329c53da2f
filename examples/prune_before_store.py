"""Cut what is not needed before it is kept: what `modify` removes in front of the reflector costs no memory behind it.

After the reflector it would only change what the stream hands on; the store would keep everything.
"""

from kubewatch import Api, Config, prune, reflector, store, watcher

reader, writer = store()
pruned = watcher(Api("v1", "Pod"), Config()).modify(prune("metadata.managedFields", "status"))
for pod in reflector(writer, pruned).default_backoff().applied_objects():
    kept = reader.get(pod.ref)
    print(pod.name, "is kept" if kept else "is being listed", "without status:", "status" not in pod)
