"""`kubewatch get`: list objects once, page by page, or fetch some by name."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

import msgspec

from kubewatch.api import Api
from kubewatch.config import Config
from kubewatch.errors import ApiError
from kubewatch.params import ListParams
from kubewatch.stop import Stop

from .changes import Change, What
from .connect import api_for, client_for, form_of, label_of
from .messages import tell
from .output import Form
from .progress import Progress

PAGE = 500  # objects in a page


def run(arguments: argparse.Namespace) -> int:
    """Show what the arguments name; returns the exit status, 1 when a NAME was not found.

    Raises InvalidInput before any request, and KubewatchError when one fails.
    """
    Config(arguments.selector, arguments.field_selector)  # refuses what is no selector
    with client_for(arguments) as client:
        api = api_for(arguments, client)
        form = form_of(arguments, api, live=False)
        if arguments.names:
            return fetch(api, arguments.names, form)
        params = ListParams(arguments.selector, arguments.field_selector)
        with Progress(label_of(api), shown=sys.stderr.isatty() and not sys.stdout.isatty()) as progress:
            return show_all(api, params, form, progress, limit=arguments.limit)


def fetch(api: Api[Any], names: list[str], form: Form) -> int:
    """Show the objects of these names; 1 when one is not there."""
    status = found = 0
    for name in names:
        try:
            obj = api.get(name)
        except ApiError as error:
            if error.code != 404:
                raise
            tell(f"error: {error.message}")
            status = 1
        else:
            form.show(Change(What.LISTED, obj))
            found += 1
    if found:
        form.flush()
    return status


def show_all(api: Api[Any], params: ListParams, form: Form, progress: Progress, *, limit: int | None) -> int:
    """Show a whole list, or its first `limit` objects; 1 when some object cannot be decoded."""
    status = done = 0
    for raws, remaining in pages(api, params, limit):
        for raw in raws:
            try:
                obj = api.decode(raw, api.api_version, api.kind)
            except (msgspec.MsgspecError, UnicodeError) as error:
                tell(f"error: one of {label_of(api)} cannot be decoded and is left out: {error}")
                status = 1
            else:
                form.show(Change(What.LISTED, obj))
        done += len(raws)
        if done:
            form.flush()
        if remaining:
            progress.at(done, done + remaining if limit is None else min(limit, done + remaining))
    if not done:
        tell(f"no resources found ({label_of(api)})")
    return status


def pages(api: Api[Any], params: ListParams, limit: int | None = None) -> Iterator[tuple[Sequence[bytes], int | None]]:
    """The objects of a list's pages, each requested when it is pulled, and how many are left behind it.

    At most `limit` objects in all of them.
    """
    with closing(api.open(Stop())) as session:
        while True:
            size = PAGE if limit is None else min(PAGE, limit)
            page = session.list(msgspec.structs.replace(params, limit=size))
            items = list(page.items)
            if limit is not None:
                limit -= len(items)
            yield items, page.remaining
            if not page.continue_ or limit == 0:
                return
            params = msgspec.structs.replace(params, continue_=page.continue_)
