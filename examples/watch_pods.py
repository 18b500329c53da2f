"""See every pod of the current context's namespace, now and as they change, for ever. Ctrl-C ends it.

The stream does its work when it is pulled: without the `for`, no request is made.
"""

from kubewatch import Api, Config, watcher

api = Api.default_namespaced("v1", "Pod")
for pod in watcher(api, Config()).applied_objects().default_backoff():
    print("saw", pod.name)
