"""Makes the table by which the embedded API server reads protobuf bodies: field numbers, names, types, presence.

    python -m tests.envtest.protobuf_messages

What it reads is published in the Go modules that the go.mod of this folder pins: message types and field numbers in
`generated.proto`, names in JSON and what is left out when it is empty in the tags of the Go structs of the same names.
Only what the kinds that the server serves can hold goes into the table.
https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kubewatch.testing.apiserver.kinds import built_in_resources
from kubewatch.testing.apiserver.protobuf import SPECIAL, TABLE_FILE

MODULES = ("k8s.io/api", "k8s.io/apimachinery", "k8s.io/apiextensions-apiserver", "k8s.io/kube-aggregator")
_GO_MOD = Path(__file__).parent / "go.mod"
_SCALARS = {"string", "bytes", "bool", "int32", "int64", "double"}
# What is sent besides the served kinds: bodies of subresources and of deletions.
_OTHER_KINDS = (
    ("authentication.k8s.io/v1", "TokenRequest"),
    ("autoscaling/v1", "Scale"),
    ("meta.k8s.io/v1", "DeleteOptions"),
    ("policy/v1", "Eviction"),
)
_MESSAGE = re.compile(r"^message (\w+) \{\n(.*?)^\}", re.M | re.S)
_FIELD = re.compile(r"^  (?:(optional|repeated) ([\w.]+)|map<string, ([\w.]+)>) (\w+) = (\d+);", re.M)
_STRUCT = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.M | re.S)
_GO_FIELD = re.compile(r"^\t(?!//)(?:\w+ +)?(\S+) +`(.*)`", re.M)


class NoModules(Exception):
    """Go is not there, or has not downloaded the modules."""


@dataclass(frozen=True)
class GoTag:
    """What a Go struct says of a field: its name in JSON, when it is left out, whether it can be absent."""

    name: str
    flags: str


Row = tuple[int, str, str, str]


def table() -> dict[str, object]:
    """The table as it is written; raises ``NoModules`` when there is nothing to read it from."""
    versions, folders = _modules()
    messages: dict[str, list[Row]] = {}
    packages: dict[str, str] = {}
    for proto in sorted(path for folder in folders for path in folder.rglob("generated.proto")):
        text = proto.read_text()
        package = _short(text[text.index("\npackage ") + 9 :].partition(";")[0])
        messages.update(_messages(package, text, _go_structs(proto.parent)))
        group = _group(proto.parent)
        if group is not None:
            packages[f"{group}/{proto.parent.name}".lstrip("/")] = package
    served = [(one.api_version, one.kind) for one in built_in_resources()]
    kinds = {f"{version}/{kind}": f"{packages[version]}.{kind}" for version, kind in sorted({*served, *_OTHER_KINDS})}
    return {
        "source": "generated.proto and the struct tags of these Go modules, read by tests/envtest/protobuf_messages.py",
        "modules": versions,
        "kinds": kinds,
        "messages": {name: messages[name] for name in sorted(_reachable(messages, kinds.values()))},
    }


def text_of(made: Mapping[str, object]) -> str:
    """The table as text: a message a line, so that a new version of Kubernetes shows as the lines that it changes."""
    parts = []
    for key, value in made.items():
        if isinstance(value, dict):
            lines = (f"{json.dumps(name)}:{json.dumps(one, separators=(',', ':'))}" for name, one in value.items())
            parts.append(f"{json.dumps(key)}:{{\n" + ",\n".join(lines) + "\n}")
        else:
            parts.append(f"{json.dumps(key)}:{json.dumps(value)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _modules() -> tuple[dict[str, str], list[Path]]:
    go = shutil.which("go")
    if go is None:
        raise NoModules("there is no `go` on PATH")
    shape = "{{.Path}} {{with .Replace}}{{.Version}}{{else}}{{.Version}}{{end}} {{.Dir}}"
    command = [go, "list", "-mod=readonly", "-m", "-f", shape, *MODULES]
    listed = subprocess.run(command, cwd=_GO_MOD.parent, capture_output=True, text=True)
    if listed.returncode:
        raise NoModules(listed.stderr.strip())
    rows = [line.split(" ") for line in listed.stdout.splitlines()]
    missing = [path for path, _, folder in rows if not folder]
    if missing:
        raise NoModules(f"not downloaded: {', '.join(missing)}")
    return {path: version for path, version, _ in rows}, [Path(folder) for _, _, folder in rows]


def _short(package: str) -> str:
    """`core.v1`, `meta.v1`, `resource`: what follows the group's folder."""
    parts = package.strip().split(".")
    return ".".join(parts[-2:] if re.match(r"v\d", parts[-1]) else parts[-1:])


def _group(folder: Path) -> str | None:
    register = folder / "register.go"
    found = re.search(r'GroupName = "(.*)"', register.read_text()) if register.exists() else None
    return found and found[1]


def _go_structs(folder: Path) -> dict[str, dict[int, GoTag]]:
    structs: dict[str, dict[int, GoTag]] = {}
    for source in sorted(folder.glob("*.go")):
        if source.name.endswith("_test.go") or source.name == "generated.pb.go":
            continue
        for struct in _STRUCT.finditer(source.read_text()):
            structs[struct[1]] = dict(_go_fields(struct[2]))
    return structs


def _go_fields(body: str) -> Iterator[tuple[int, GoTag]]:
    for found in _GO_FIELD.finditer(body):
        tags = dict(re.findall(r'(\w+):"([^"]*)"', found[2]))
        if tags.get("protobuf", "-") == "-" or tags.get("json") == "-":
            continue
        name, *options = tags.get("json", "").split(",")
        flags = "p" if found[1].startswith("*") else ""
        flags += "i" if "inline" in options else ""
        flags += "o" if "omitempty" in options else ""
        flags += "z" if "omitzero" in options else ""
        yield int(tags["protobuf"].split(",")[1]), GoTag(name, flags)


def _messages(package: str, text: str, structs: Mapping[str, Mapping[int, GoTag]]) -> dict[str, list[Row]]:
    """The fields of a package's messages, but for those of which the structs have others.

    A message that is no Go struct is the list in its only field.
    """
    found: dict[str, list[Row]] = {}
    for message in _MESSAGE.finditer(text):
        name, rows = message[1], []
        for label, single, valued, field, digits in _FIELD.findall(message[2]):
            number, kind = int(digits), single or valued
            if name in structs:
                tag = structs[name].get(number)
                if tag is None:  # Go has it in a form of its own
                    break
            else:
                tag = GoTag(field, "l")
            flags = ("m" if valued else "r" if label == "repeated" else "") + tag.flags
            rows.append((number, tag.name, _type(kind, package), flags))
        else:
            found[f"{package}.{name}"] = sorted(rows)
    return found


def _type(kind: str, package: str) -> str:
    if kind in _SCALARS:
        return kind
    if kind.startswith(".k8s.io."):
        inside, _, name = kind.rpartition(".")
        return f"{_short(inside)}.{name}"
    return f"{package}.{kind}"


def _reachable(messages: Mapping[str, list[Row]], roots: Iterable[str]) -> set[str]:
    """The messages that the roots can hold; a ``KeyError`` names one that has to become special."""
    reached: set[str] = set()
    waiting = [*roots]
    while waiting:
        name = waiting.pop()
        if name not in reached and name not in SPECIAL and name not in _SCALARS:
            reached.add(name)
            waiting += [kind for _, _, kind, _ in messages[name]]
        if name in SPECIAL:
            waiting += SPECIAL[name].holds
    return reached


if __name__ == "__main__":
    TABLE_FILE.write_text(text_of(table()))
