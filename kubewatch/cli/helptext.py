"""The prose of `--help`: what each subcommand does, with examples, and what its exit status means."""

ROOT = "Watch Kubernetes objects: list them, follow them through everything that breaks a watch, see it work."

ROOT_END = """\
  kubewatch demo                                  see it work, with no cluster at hand
  kubewatch watch pods -A                         a live table
  kubewatch watch deploy -n shop | jq .           JSON lines in a pipe

`kubewatch COMMAND --help` says more.
"""

WATCH = """\
Follow objects for ever: first those that are there, then every change, through everything that breaks a watch. What was
deleted while the connection was away is reported too, and nothing is reported twice.

  kubewatch watch pods                            a live table of the current namespace
  kubewatch watch deploy/web -n shop              one object
  kubewatch watch pods -A -l app=web --for 30s    ends by itself
  kubewatch watch pods --predicate labels         only where labels changed, and deletions
  kubewatch watch pods | jq -r 'select(.event == "Delete").object.metadata.name'

Forms (-o): `table` (in a terminal; EVENT says added, changed or deleted, and nothing for what was there at the start),
`wide` (more columns, and the time), `name` (`pod/web`, and `pod/web deleted`), `yaml`, and `json` (in a pipe): one
compact object a line, written at once.

  {"event":"Apply","object":{…}}     it is there, or it changed
  {"event":"Delete","object":{…}}    it is gone. The object's last state; where its deletion was missed while the
                                     connection was away, what identifies it: kind, name, namespace, uid

With --events it is every event of the watch: Init, InitApply, InitDone, Apply, Delete; see `kubewatch demo`. Objects
are written as the server sends them, Secrets with their values; with --metadata those are not even fetched.
"""

WATCH_END = """\
Errors that cannot mend themselves end the command, as long as the first list is not complete: no such kind, a server
that cannot be reached, missing credentials or rights (401, 403), a selector that the server refuses (400). All others,
and all later ones, are reported on stderr and tried again, after pauses that grow from 0.8 s to 30 s.

Exit status: 0 ended by --for, or the reader of the pipe is gone; 1 such an error; 2 wrong usage; 130 Ctrl-C;
143 SIGTERM.
"""

GET = """\
List objects, page by page, or fetch some by name.

  kubewatch get pods -n shop
  kubewatch get deploy/web -o yaml
  kubewatch get pods -A | jq -r .metadata.name

Forms (-o): `table` (in a terminal), `wide` (more columns), `name`, `yaml` (one document for each object), and `json`
(in a pipe): one compact object a line. Objects are written as the server sends them, Secrets with their values; with
--metadata those are not even fetched.
"""

GET_END = """\
Exit status: 0 done, also when there was nothing to list; 1 a NAME was not found, or a request failed; 2 wrong usage;
130 Ctrl-C; 143 SIGTERM.
"""

DEMO = """\
Show what kubewatch does, with no cluster at hand: starts the embedded API server inside this process, makes things
change in it, and shows a live watch, the store that it fills, and what happens when the connection breaks and the
server has forgotten the past. Touches no network and leaves nothing behind.
"""

DEMO_END = "Exit status: 0 done; 130 Ctrl-C; 143 SIGTERM.\n"
