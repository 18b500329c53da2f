"""The output of a controller: a generator of what was reconciled and what failed, which works while it is pulled.

Without the `for`, no request is made and no thread is started; when nobody pulls, work stops. Ctrl-C ends it.
"""

from kubewatch import Action, Api, Controller, Object, Reconciled


def reconcile(website: Object, context: None) -> Action:
    if not website.spec.html:
        raise ValueError("a website without a page")
    return Action.requeue(300)


def error_policy(website: Object, error: Exception, context: None) -> Action:
    return Action.requeue(60)


for result in Controller(Api("example.com/v1", "Website")).run(reconcile, error_policy):
    if isinstance(result, Reconciled):
        print("reconciled", result.ref)
    else:
        print("failed:", result)
