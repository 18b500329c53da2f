"""The same with metadata only: less traffic, less memory, where nothing below `spec` and `status` is needed.

`metadata_watcher` stands wherever `watcher` does, in front of a reflector too.
"""

from kubewatch import Api, Config, PartialObjectMeta, metadata_watcher, reflector, store

reader, writer = store(of=PartialObjectMeta)
stream = reflector(writer, metadata_watcher(Api("v1", "Pod"), Config())).default_backoff().applied_objects()
for pod in stream:
    print("saw", pod.name, "with labels", dict(pod.labels), "of", len(reader), "known")
