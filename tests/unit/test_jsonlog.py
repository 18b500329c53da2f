"""Logs for machines."""

from __future__ import annotations

import json
import logging
import sys
from datetime import datetime, timezone
from typing import Any

import pytest

from kubewatch.jsonlog import JsonFormatter


def told(message: str, *arguments: object, **more: Any) -> dict[str, Any]:
    logger = logging.getLogger("kubewatch.test")
    exc_text = more.pop("exc_text", None)
    record = logger.makeRecord(
        logger.name, logging.WARNING, __file__, 1, message, arguments, **{"exc_info": None} | more
    )
    record.exc_text = exc_text
    line = JsonFormatter().format(record)
    assert line.isascii()
    assert line.isprintable()
    fields: dict[str, Any] = json.loads(line)
    return fields


def test_a_record_is_one_line_with_time_level_logger_and_message() -> None:
    fields = told("reconciled %s\nin %d s", "web", 3)
    assert datetime.fromisoformat(fields.pop("time").replace("Z", "+00:00")).tzinfo == timezone.utc
    assert fields == {"level": "WARNING", "logger": "kubewatch.test", "message": "reconciled web\nin 3 s"}


def test_a_record_of_an_object_says_of_which() -> None:
    fields = told("failed", extra={"kind": "Node", "namespace": None, "object_name": "worker-1"})
    assert (fields["kind"], fields["object_name"]) == ("Node", "worker-1")
    assert "namespace" not in fields


def test_nothing_else_that_a_record_carries_gets_out() -> None:
    assert "secret" not in json.dumps(told("failed", extra={"object": {"data": "secret"}}))


@pytest.mark.parametrize("odd", ["Köln …", "a\udc80b", "\x1b[31m\x00", "\u2028"])
def test_a_line_is_json_wherever_it_is_written_whatever_the_text(odd: str) -> None:
    fields = told("%s", odd, extra={"object_name": odd})
    assert (fields["message"], fields["object_name"]) == (odd, odd)


def test_an_exception_that_came_as_text_is_told() -> None:
    """As from another process, whose handler cannot send the exception itself."""
    assert told("failed", exc_text="Traceback …")["exception"] == "Traceback …"


def test_an_exception_is_told_with_its_traceback() -> None:
    try:
        raise ValueError("no such shop")
    except ValueError:
        fields = told("failed", exc_info=sys.exc_info())
    assert fields["exception"].startswith("Traceback")
    assert fields["exception"].endswith("ValueError: no such shop")
