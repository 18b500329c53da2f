"""What stands in the cells of tables of built-in kinds, other than plain fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from kubewatch.printing.ages import age, human_duration, parse
from kubewatch.printing.columns import Cell, Column, Json, get, of
from kubewatch.printing.json_path import first


def count(*paths: str) -> Cell:
    return of(lambda obj: sum(len(get(obj, path, ())) for path in paths))


def pairs(labels: Mapping[str, str] | None) -> str:
    return ",".join(f"{key}={labels[key]}" for key in sorted(labels)) if labels else "<none>"


def selector(path: str) -> Cell:
    """A label selector as text."""

    def text(obj: Json) -> str:
        selector = get(obj, path, {})
        parts = [f"{key}={value}" for key, value in sorted(selector.get("matchLabels", {}).items())]
        for one in selector.get("matchExpressions", ()):
            key, op, values = one["key"], one["operator"], ",".join(sorted(one.get("values", ())))
            words = {"Exists": key, "DoesNotExist": f"!{key}", "NotIn": f"{key} notin ({values})"}
            parts.append(words.get(op, f"{key} in ({values})"))
        return ",".join(parts) or "<none>"

    return of(text)


def containers(spec: str) -> list[Column]:
    def joined(field: str) -> Cell:
        return of(lambda obj: ",".join(one.get(field, "") for one in get(obj, f"{spec}.containers", ())))

    return [Column("Containers", joined("name"), wide=True), Column("Images", joined("image"), wide=True)]


def ratio(some: str, all_: str, default: int = 0) -> Cell:
    return lambda obj, _: f"{get(obj, some, 0)}/{get(obj, all_, default)}"


def more(items: Sequence[str], limit: int = 3) -> str:
    """The first few of a list, and how many there are besides."""
    text = ",".join(items[:limit])
    return f"{text} + {len(items) - limit} more..." if len(items) > limit else text


def condition(obj: Json, kind: str) -> bool:
    return any(one.get("type") == kind and one.get("status") == "True" for one in get(obj, "status.conditions", ()))


def job_status(obj: Json) -> str:
    for kind in ("Complete", "Failed"):
        if condition(obj, kind):
            return kind
    if get(obj, "metadata.deletionTimestamp"):
        return "Terminating"
    for kind in ("Suspended", "FailureTarget", "SuccessCriteriaMet"):
        if condition(obj, kind):
            return kind
    return "Running"


def job_completions(obj: Json) -> str:
    done, wanted, parallel = (
        get(obj, path, 0) for path in ("status.succeeded", "spec.completions", "spec.parallelism")
    )
    if get(obj, "spec.completions") is not None:
        return f"{done}/{wanted}"
    return f"{done}/1 of {parallel}" if parallel > 1 else f"{done}/1"


def job_duration(obj: Json, now: datetime) -> str:
    start, end = parse(get(obj, "status.startTime")), parse(get(obj, "status.completionTime"))
    return human_duration(((end or now) - start).total_seconds()) if start else ""


def node_status(obj: Json) -> str:
    ready = [one for one in get(obj, "status.conditions", ()) if one.get("type") == "Ready"]
    text = ("Ready" if ready[-1].get("status") == "True" else "NotReady") if ready else "Unknown"
    return f"{text},SchedulingDisabled" if get(obj, "spec.unschedulable") else text


def node_roles(obj: Json) -> str:
    labels, prefix = get(obj, "metadata.labels", {}), "node-role.kubernetes.io/"
    roles = {key.removeprefix(prefix) for key in labels if key.startswith(prefix)}
    roles.add(labels.get("kubernetes.io/role", ""))
    return ",".join(sorted(roles - {""})) or "<none>"


def node_address(kind: str) -> Cell:
    path = f'.status.addresses[?(@.type=="{kind}")].address'
    return of(lambda obj: first(obj, path) or "<none>")


def node_kernel(obj: Json) -> str:
    kernel, arch = get(obj, "status.nodeInfo.kernelVersion"), get(obj, "status.nodeInfo.architecture")
    return (kernel or "<unknown>") + (f" ({arch})" if arch else "")


def load_balancer(obj: Json) -> list[str]:
    ingress = get(obj, "status.loadBalancer.ingress", ())
    return sorted({one.get("ip") or one.get("hostname") for one in ingress} - {None, ""})


def cluster_ip(obj: Json) -> str:
    addresses = get(obj, "spec.clusterIPs", [get(obj, "spec.clusterIP", "")])
    return (addresses[0] if addresses else "") or "<none>"


def external_ip(obj: Json) -> str:
    kind, outside = get(obj, "spec.type", "ClusterIP"), list(get(obj, "spec.externalIPs", ()))
    if kind == "ExternalName":
        return str(get(obj, "spec.externalName", ""))
    if kind == "LoadBalancer":
        return ",".join([*load_balancer(obj), *outside]) or "<pending>"
    return ",".join(outside) or "<none>"


def service_ports(obj: Json) -> str:
    texts = []
    for one in get(obj, "spec.ports", ()):
        node = f":{one['nodePort']}" if one.get("nodePort") else ""
        texts.append(f"{one.get('port', 0)}{node}/{one.get('protocol', 'TCP')}")
    return ",".join(texts) or "<none>"


def event_object(obj: Json) -> str:
    ref = get(obj, "involvedObject") or get(obj, "regarding", {})
    kind, name = ref.get("kind", "").lower(), ref.get("name")
    return f"{kind}/{name}" if name else kind


def event_subobject(obj: Json) -> str:
    return str(get(obj, "involvedObject.fieldPath") or get(obj, "regarding.fieldPath", ""))


def event_count(obj: Json) -> int:
    return int(get(obj, "series.count") or obj.get("count") or obj.get("deprecatedCount") or 1)


def event_source(obj: Json) -> str:
    component = get(obj, "source.component") or get(obj, "reportingComponent") or get(obj, "reportingController", "")
    instance = get(obj, "source.host") or get(obj, "reportingInstance")
    return f"{component}, {instance}" if instance else str(component)


def subjects(kind: str) -> Cell:
    def text(obj: Json) -> str:
        chosen = [one for one in obj.get("subjects") or () if one.get("kind") == kind]
        return ", ".join(
            f"{one.get('namespace')}/{one['name']}" if "namespace" in one else one["name"] for one in chosen
        )

    return of(text)


def access_modes(path: str) -> Cell:
    short = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
    return of(lambda obj: ",".join(short[mode] for mode in short if mode in get(obj, path, ())))


def parameters(obj: Json) -> str:
    ref = get(obj, "spec.parameters")
    if not ref:
        return "<none>"
    group = f".{ref['apiGroup']}" if ref.get("apiGroup") else ""
    return f"{ref.get('kind', '')}{group}/{ref.get('name', '')}"


def last_schedule(obj: Json, now: datetime) -> str:
    then = get(obj, "status.lastScheduleTime")
    return age(then, now) if then else "<none>"


def phase(obj: Json) -> str:
    return "Terminating" if get(obj, "metadata.deletionTimestamp") else str(get(obj, "status.phase", ""))


def claim(obj: Json) -> str:
    ref = get(obj, "spec.claimRef")
    return f"{ref.get('namespace', '')}/{ref.get('name', '')}" if ref else ""


def hosts(obj: Json) -> str:
    return more([one["host"] for one in get(obj, "spec.rules", ()) if one.get("host")]) or "*"


def endpoints(obj: Json) -> str:
    texts: list[str] = []
    for subset in obj.get("subsets") or ():
        ports = subset.get("ports") or [None]
        addresses = [one["ip"] for one in subset.get("addresses") or ()]
        texts += [f"{ip}:{port['port']}" if port else ip for port in ports for ip in addresses]
    return more(texts) or "<none>"


def slice_ports(obj: Json) -> str:
    ports = (one.get("port") or one.get("name") or "*" for one in obj.get("ports") or ())
    return more([str(port) for port in ports]) or "<unset>"


def slice_endpoints(obj: Json) -> str:
    return more([ip for one in obj.get("endpoints") or () for ip in one.get("addresses", ())]) or "<unset>"


def controller(obj: Json) -> str:
    for ref in get(obj, "metadata.ownerReferences", ()):
        if ref.get("controller"):
            group = ref["apiVersion"].rpartition("/")[0]
            return f"{ref['kind'].lower()}{'.' + group if group else ''}/{ref['name']}"
    return "<none>"


def storage_class_name(obj: Json) -> str:
    default = get(obj, "metadata.annotations", {}).get("storageclass.kubernetes.io/is-default-class") == "true"
    return f"{get(obj, 'metadata.name')} (default)" if default else str(get(obj, "metadata.name"))


def quota(limits: bool) -> Cell:
    def text(obj: Json) -> str:
        hard, used = get(obj, "status.hard", {}), get(obj, "status.used", {})
        names = sorted(name for name in hard if name.startswith("limits.") == limits)
        return ", ".join(f"{name}: {used.get(name, 0)}/{hard[name]}" for name in names)

    return of(text)


def scale_target(obj: Json) -> str:
    return f"{get(obj, 'spec.scaleTargetRef.kind', '')}/{get(obj, 'spec.scaleTargetRef.name', '')}"


def scale_metrics(obj: Json) -> str:
    """What an autoscaler goes by: ``cpu: 30%/80%``."""
    wanted, seen = get(obj, "spec.metrics", ()), get(obj, "status.currentMetrics", ())
    texts = [_metric(one, seen[place] if place < len(seen) else {}) for place, one in enumerate(wanted)]
    shown = ", ".join(texts[:2])
    return f"{shown} + {len(texts) - 2} more..." if len(texts) > 2 else shown or "<none>"


def _metric(wanted: Json, seen: Json) -> str:
    kind = wanted.get("type", "")
    source = kind[:1].lower() + kind[1:]
    target, current = get(wanted, f"{source}.target", {}), get(seen, f"{source}.current", {})
    named = source in ("resource", "containerResource")
    if "averageValue" in target or source == "pods":
        text = f"{current.get('averageValue', '<unknown>')}/{target.get('averageValue', '0')}"
        text += "" if named or source == "pods" else " (avg)"
    elif named:
        shown = (one.get("averageUtilization") for one in (current, target))
        now, goal = (fallback if one is None else f"{one}%" for one, fallback in zip(shown, _UNSAID, strict=True))
        text = f"{now}/{goal}"
    else:
        text = f"{current.get('value', '<unknown>')}/{target.get('value', '0')}"
    return f"{get(wanted, f'{source}.name', '')}: {text}" if named else text


_UNSAID = ("<unknown>", "<auto>")
