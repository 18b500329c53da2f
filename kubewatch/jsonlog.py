"""`JsonFormatter`: log records as JSON, one line each, for whoever collects a container's output.

    handler.setFormatter(JsonFormatter())

gives `{"time": "2026-01-31T09:30:00.123Z", "level": "WARNING", "logger": "kubewatch.controller.worker", "message": …}`,
with `kind`, `namespace` and `object_name` where the record speaks of an object, and `exception`, a traceback, where it
has one. Nothing else that a record carries gets out, so no object's content does.
https://kubernetes.io/docs/concepts/cluster-administration/logging/
"""

from __future__ import annotations

import json
import logging
from datetime import datetime, timezone

_WHERE = ("kind", "namespace", "object_name")


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON; times are UTC."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        time = datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds")
        fields = {
            "time": time.replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name in _WHERE:
            value = getattr(record, name, None)
            if value is not None:
                fields[name] = str(value)
        exception = self.formatException(record.exc_info) if record.exc_info else record.exc_text
        if exception:
            fields["exception"] = exception
        if record.stack_info:
            fields["stack"] = record.stack_info
        return json.dumps(fields, separators=(",", ":"))  # ASCII alone, which every stream can write
