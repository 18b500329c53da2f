"""From the arguments to the objects they speak of, and to the form in which these are wanted."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

from kubewatch.api import Api
from kubewatch.aside import aside
from kubewatch.client import Client
from kubewatch.errors import Unreachable
from kubewatch.printing.rows import Shape
from kubewatch.printing.text import wants_colour

from .output import Form, form_for

T = TypeVar("T")


def client_for(arguments: argparse.Namespace) -> Client:
    """A client of the cluster that the arguments name; nothing is read or asked yet."""
    if arguments.kubeconfig or arguments.context:
        return Client.from_kubeconfig(arguments.kubeconfig, arguments.context)
    return Client()


def api_for(arguments: argparse.Namespace, client: Client) -> Api[Any]:
    """The collection that the arguments name. Asks the cluster what it calls the kind; raises KubewatchError."""
    api = api_named(arguments.kind, arguments, client)
    return api.metadata() if arguments.metadata else api


def api_named(kind: str, arguments: argparse.Namespace, client: Client) -> Api[Any]:
    """The collection of the kind called so, where the arguments say. Asks the cluster; raises KubewatchError."""
    api = Api(kind, client=client)
    found = api.resource  # found out here, so that nothing is shown of a kind that is not there
    if found.namespaced and not arguments.all_namespaces:
        api = api.within(arguments.namespace or client.namespace)
    return api


def answered(ask: Callable[[], T], end: float) -> T:
    """What `ask()` returns; raises Unreachable where the server has not answered by then."""
    try:
        return aside(ask, seconds=end - time.monotonic())
    except TimeoutError as late:
        raise Unreachable("timed out: the server has not answered in time") from late


def label_of(api: Api[Any]) -> str:
    """What the collection is called in messages: `pods in shop`, `nodes`."""
    if api.namespace:
        return f"{api.resource.plural} in {api.namespace}"
    return f"{api.resource.plural} in all namespaces" if api.resource.namespaced else api.resource.plural


def output_of(arguments: argparse.Namespace) -> str:
    """The form of output that is asked for, or fits where it goes."""
    return arguments.output or ("table" if sys.stdout.isatty() else "json")


def form_of(arguments: argparse.Namespace, api: Api[Any], *, live: bool) -> Form:
    """The form of output, writing to stdout; `live` when it is to say what happened."""
    namespaces = api.resource.namespaced and api.namespace is None
    shape = Shape(api.api_version, api.kind, namespaces=namespaces, metadata=arguments.metadata)
    colour = wants_colour(sys.stdout, os.environ, arguments.no_color)
    return form_for(output_of(arguments), shape, live=live, colour=colour, whole=arguments.show_managed_fields)
