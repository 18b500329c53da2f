"""The one table of this app: how fresh the rows of each reflection are."""

from __future__ import annotations

from datetime import datetime

from django.db import models

from .reflection import NAME_LENGTH


class ReflectionState(models.Model):
    """How fresh a reflection's rows are, said in the same transaction that writes them; any process may read it."""

    name: models.CharField[str, str] = models.CharField(max_length=NAME_LENGTH, primary_key=True)
    heard_at: models.DateTimeField[datetime, datetime] = models.DateTimeField(
        help_text="When the rows were what the API server had."
    )

    def __str__(self) -> str:
        return self.name
