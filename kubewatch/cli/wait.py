"""`kubewatch wait`: until something is true of objects that are named, or selected; as `kubectl wait` does."""

from __future__ import annotations

import argparse
import math
import re
import time
from typing import Any, NamedTuple

from kubewatch import backoffs
from kubewatch.api import Api
from kubewatch.client import Client
from kubewatch.conditions import Condition, is_created, is_deleted, is_rolled_out, is_rollout_failed
from kubewatch.config import Config
from kubewatch.errors import ConditionFailed, ConditionTimeout, InvalidInput, KubewatchError
from kubewatch.refusals import refused
from kubewatch.rollout import rollout_status
from kubewatch.streams import merge
from kubewatch.wait import await_condition
from kubewatch.watcher import watcher

from .connect import answered, api_named, client_for
from .goals import Unmet, goal, is_gone
from .manifests import Manifest, manifests_in
from .messages import explain, tell
from .output import name_of, write_line

# Seconds that a negative timeout stands for.
WEEK = 7 * 24 * 3600.0


class Target(NamedTuple):
    """An object to wait for; `listed` is it where it was selected and not named."""

    api: Api[Any]
    name: str
    listed: Any = None

    def __str__(self) -> str:
        return f"{self.api.resource.plural}/{self.name}"


def run(arguments: argparse.Namespace) -> int:
    """Wait for what the arguments name; returns the exit status, 1 when something is not so in time.

    Raises InvalidInput before any request, and KubewatchError when it cannot be found out which objects are meant.
    """
    goals = sorted(map(goal, arguments.wanted), key=lambda goal: goal is not is_created)  # creation is always first
    manifests = manifests_in(arguments.files, arguments.namespace)
    kinds, names = objects_in(arguments)
    config = Config(arguments.selector, arguments.field_selector)  # refuses what is no selector
    seconds = arguments.timeout if arguments.timeout >= 0 else WEEK
    end = time.monotonic() + seconds
    asked_until = end if seconds else math.inf  # one look takes as long as it takes
    status = 0
    with client_for(arguments) as client:
        if kinds:
            apis = answered(lambda: [api_named(kind, arguments, client) for kind in kinds], asked_until)
            if is_created in goals:
                wait_for_any(apis, config, left(end))
            targets = answered(lambda: selected(apis, arguments.selector, arguments.field_selector), asked_until)
        else:
            targets = answered(
                lambda: named(names, arguments, client) + written(manifests, arguments, client), asked_until
            )
        for target in targets:
            try:
                for each in goals:
                    met = wait_for(target, each, end)
                    if met is not None:
                        write_line(f"{name_of(met)} condition met")
            except ConditionTimeout as error:
                late = "timed out waiting for the condition on" if seconds else "condition not met for"
                tell(f"error: {late} {target}; {error.seen}")
                status = 1
            except InvalidInput:
                raise
            except KubewatchError as error:
                tell(f"error: {explain(error)}")
                status = 1
    if not targets and goals != [is_gone]:
        tell("error: no matching resources found")
        status = 1
    return status


# Which objects


def objects_in(arguments: argparse.Namespace) -> tuple[list[str], list[tuple[str, str]]]:
    """The kinds to select objects of, or else the kinds and names of objects; raises InvalidInput."""
    words: list[str] = arguments.resources
    selects = bool(arguments.selector or arguments.field_selector or arguments.all)
    if arguments.files:
        if words or selects or arguments.all_namespaces:
            raise InvalidInput(
                "-f says which objects already: leave out KIND, NAME, -l, --field-selector, --all and -A"
            )
        return [], []
    if not words:
        raise InvalidInput("which objects? Write KIND/NAME, or -f FILE")
    slashed = [word for word in words if "/" in word]
    if slashed and slashed != words:
        raise InvalidInput("write KIND/NAME for each object, or one KIND and then names")
    kinds = list(dict.fromkeys(words[0].split(",")))
    if not slashed and "" in kinds:
        raise InvalidInput(f"{words[0]!r} is no list of kinds such as pods,deploy")
    pairs = [word.split("/") for word in slashed] or [[kind, name] for kind in kinds for name in words[1:]]
    for pair in pairs:
        if len(pair) != 2 or not all(re.fullmatch(r"[^\s/,=\\%]+", part) for part in pair):
            raise InvalidInput(f"{'/'.join(pair)!r} is no KIND/NAME such as pod/web")
    if pairs and selects:
        raise InvalidInput("a NAME says which object already: leave out -l, --field-selector and --all")
    if pairs and arguments.all_namespaces:
        raise InvalidInput("a NAME is looked for in one namespace: leave out -A")
    if not pairs and not selects:
        raise InvalidInput(f"which {words[0]}? Write a NAME, -l, --field-selector or --all")
    return [] if pairs else kinds, [(kind, name) for kind, name in pairs]


def named(names: list[tuple[str, str]], arguments: argparse.Namespace, client: Client) -> list[Target]:
    """The objects of these kinds and names."""
    apis = {kind: api_named(kind, arguments, client) for kind, _ in names}
    return [Target(apis[kind], name) for kind, name in names]


def written(manifests: list[Manifest], arguments: argparse.Namespace, client: Client) -> list[Target]:
    """The objects that manifests are of."""
    targets = []
    for each in manifests:
        api: Api[Any] = Api(each.api_version, each.kind, client=client)
        if api.resource.namespaced:
            api = api.within(each.metadata.namespace or arguments.namespace or client.namespace)
        targets.append(Target(api, each.metadata.name))
    return targets


def selected(apis: list[Api[Any]], labels: str | None, fields: str | None) -> list[Target]:
    """The objects that are there now, and are selected."""
    found = [(api, obj) for api in apis for obj in api.list(label_selector=labels, field_selector=fields)]
    return [Target(api.within(obj.namespace) if obj.namespace else api, obj.name, obj) for api, obj in found]


def wait_for_any(apis: list[Api[Any]], config: Config, seconds: float) -> None:
    """Wait until an object is there, of whichever kind, `seconds` at most; raises Unmet."""
    if not seconds:
        return
    streams = []
    for api in apis:
        events = watcher(api, config)
        patient = events.backoff(backoffs.default, jitter=backoffs.stretched, giveup=refused(events.vitals))
        streams.append(patient.applied_objects())
    with merge(*streams).until(seconds) as objects:
        for _ in objects:
            return
    raise Unmet("timed out waiting for the condition")


# Waiting


def left(end: float) -> float:
    """The seconds until `end`."""
    return max(0.0, end - time.monotonic())


def wait_for(target: Target, goal: Condition[Any], end: float) -> Any:
    """Wait until the goal is reached, or `end`; returns the object, None where it was gone already.

    Raises ConditionTimeout, and Unmet for an object that is not there or whose rollout has failed.
    """
    api, name, seen = target
    if goal is is_gone:
        if seen is None:
            seen = await_condition(api, name, lambda obj: True, left(end))
        if seen is not None:
            await_condition(api, name, is_deleted(seen.uid), left(end))
        return seen
    if goal is is_created:
        return await_condition(api, name, goal, left(end))
    hopeless = absent_at_first()
    if goal is is_rolled_out:
        hopeless |= is_rollout_failed
    try:
        return await_condition(api, name, goal, left(end), unless=hopeless)
    except ConditionFailed as failed:
        if failed.last is None:
            raise Unmet(f'{api.resource} "{name}" not found') from failed
        raise Unmet(rollout_status(failed.last).message) from failed


def absent_at_first() -> Condition[Any]:
    """Whether the first state seen is absence. What goes later may come back."""
    first = True

    @Condition
    def is_absent(obj: Any) -> bool:
        nonlocal first
        was, first = first, False
        return was and obj is None

    return is_absent
