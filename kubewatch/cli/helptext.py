"""The prose of `--help`, for 80 columns: what each subcommand does, with examples, and what its exit status means."""

ROOT = """\
Watch Kubernetes objects: list them, follow them through everything that breaks
a watch, see it work.
"""

ROOT_END = """\
  kubewatch demo                         see it work, with no cluster at hand
  kubewatch watch pods -A                a live table
  kubewatch watch deploy -n shop | jq .  JSON lines in a pipe

`kubewatch COMMAND --help` says more.
"""

WATCH = """\
Follow objects for ever: first those that are there, then every change, through
everything that breaks a watch. Deletions that were missed while the connection
was away are told too, and nothing is told twice.

  kubewatch watch pods                          the context's namespace
  kubewatch watch deploy/web -n shop            one object
  kubewatch watch pods -A -l app=web --for 30s  ends by itself
  kubewatch watch pods --predicate labels       where labels changed; deletions
  kubewatch watch pods | jq -r 'select(.event=="Delete").object.metadata.name'

Forms of output (-o):
  table  in a terminal. EVENT is added, changed or deleted; nothing for what was
         there at the start
  wide   a table with more columns, and the time
  name   pod/web, and at its end: pod/web deleted
  json   in a pipe: one compact object a line, written at once
           {"event":"Apply","object":{...}}   it is there, or it changed
           {"event":"Delete","object":{...}}  it is gone; its last state or, if
                                              missed: kind, name, namespace, uid
  yaml   the same, one document each

With -l and --field-selector, what no longer matches is told as deleted. With
--events all events come as the watch hands them out: Init, InitApply, InitDone,
Apply, Delete (see `kubewatch demo`). json and yaml are what the server sends,
Secrets with their values; with --metadata those are not even fetched.
"""

WATCH_END = """\
What cannot mend itself ends the command, as long as its first list is not
complete: no such kind, a server that cannot be reached, missing credentials or
rights (401, 403), a selector that the server refuses (400). All other errors,
and all later ones, are told on stderr, and tried again after pauses that grow
from 0.8 s to 30 s.

Exit status: 0 ended by --for, or nobody reads the pipe any more; 1 an error
that cannot mend itself, or no whole list in time; 2 wrong usage; 130 Ctrl-C;
143 SIGTERM.
"""

GET = """\
List objects, page by page, or fetch some by name.

  kubewatch get pods -n shop
  kubewatch get deploy/web -o yaml
  kubewatch get pods -A | jq -r .metadata.name

Forms of output (-o): table (in a terminal), wide (more columns), name, json (in
a pipe: one compact object a line), yaml (one document an object). json and yaml
are what the server sends, Secrets with their values; with --metadata those are
not even fetched.
"""

GET_END = """\
Exit status: 0 done, also when there was nothing to list; 1 a NAME was not
found, or a request failed; 2 wrong usage; 130 Ctrl-C; 143 SIGTERM.
"""

WAIT = """\
Wait until something is true of objects, in the words of kubectl wait.

  kubewatch wait pod/web --for=condition=Ready
  kubewatch wait pods -l app=web --for=condition=Ready --timeout=2m
  kubewatch wait pods,deploy -l app=web --for=create
  kubewatch wait deploy/web -n shop --for=rollout --timeout=10m
  kubewatch wait -f shop.yaml --for=create
  kubewatch wait pod/web --for=delete
  kubewatch wait pod/web --for=jsonpath='{.status.phase}'=Running

What to wait for (--for); several are waited for one after the other:
  create                   it exists; this one is always waited for first
  delete                   it is gone, or another of its name has its place
  condition=TYPE           its status.conditions say so; also condition=TYPE=False
  jsonpath={PATH}=VALUE    there is one such value; without =VALUE any will do
  rollout                  it is rolled out, as kubectl rollout status judges

A server that goes away meanwhile, or is busy, is waited for as well. What a
condition says of an older spec does not count. Objects are waited for in turn;
those whose turn comes after the timeout are still looked at once.
"""

WAIT_END = """\
Exit status: 0 all is as asked for; 1 something is not, or not in time; 2 wrong
usage; 130 Ctrl-C; 143 SIGTERM.
"""

RUN = """\
Run controllers as a service: with a port for probes and metrics, logs for
people or machines, and an end in good order.

  kubewatch run shop.py                     the one program in a file
  kubewatch run shop.py:web shop.py:db      two programs, by their names
  kubewatch run package.shop:controller     of a module, as Python imports it

A program is a controller and its reconciler:

  controller = Program(Controller(Api("deploy")), reconcile)

or a function without arguments that returns one. The cluster is that of the
kubeconfig ($KUBECONFIG, ~/.kube/config), or the one that the pod runs in.

  /healthz   200 as long as no controller has ended by itself
  /readyz    200 when all stores are filled and fresh
  /metrics   for Prometheus; needs pip install 'kubewatch[metrics]'

SIGTERM or Ctrl-C: nothing more is begun, and what runs may finish, for --grace.
A second one ends at once.
"""

RUN_END = """\
Exit status: 0 told to end, and all finished; 1 a controller ended by itself, or
importing a target failed; 2 wrong usage; 3 reconciles were cut off, as they
took longer than --grace or a second signal came.
"""

DEMO = """\
Show what kubewatch does, with no cluster at hand: starts the embedded API
server inside this process, makes things change in it, and shows a live watch,
the store that it fills, and what happens when the connection breaks and the
server has forgotten the past. Touches no network, and leaves nothing behind.
"""

DEMO_END = "Exit status: 0 done; 130 Ctrl-C; 143 SIGTERM.\n"
