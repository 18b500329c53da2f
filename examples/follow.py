"""Follow any kind of object for ever: `follow.py pods`, `follow.py deploy`, `follow.py websites.example.com`."""

import sys

from kubewatch import Api, watcher

for obj in watcher(Api(sys.argv[1])).default_backoff().touched_objects():
    print(obj.kind, obj.namespace or "-", obj.name, obj.resource_version)
