"""Models to reflect into."""

from __future__ import annotations

from django.db import models


class Deployment(models.Model):
    """With a column that nobody reflects, and one that says when the row was written."""

    namespace = models.CharField(max_length=63)
    name = models.CharField(max_length=253)
    replicas = models.IntegerField(default=1)
    image = models.CharField(max_length=20)
    labels = models.JSONField(default=dict)
    created = models.DateTimeField(null=True)
    owner = models.CharField(max_length=20, default="nobody")
    written = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["namespace", "name"], name="one_deployment"),)


class Node(models.Model):
    """Known by its name, in several clusters."""

    cluster = models.CharField(max_length=20)
    name = models.CharField(max_length=253)

    class Meta:
        unique_together = (("cluster", "name"),)


class Machine(models.Model):
    """With a key of its own."""

    name = models.CharField(max_length=253, primary_key=True)
    size = models.IntegerField(null=True)


class Scale(models.Model):
    """With a column that must have a value, and has no default."""

    name = models.CharField(max_length=253, primary_key=True)
    size = models.IntegerField()
    retries = models.IntegerField(null=True, default=3)


class Pod(models.Model):
    """Known by its uid; points to the machine that it is on, which may not have come yet."""

    uid = models.CharField(max_length=36, unique=True)
    machine = models.ForeignKey(Machine, models.DO_NOTHING, null=True, db_constraint=False)


class Strict(models.Model):
    """Points to what must be there."""

    uid = models.CharField(max_length=36, unique=True)
    machine = models.ForeignKey(Machine, models.CASCADE, null=True)


class Ticket(models.Model):
    """Keeps the deployment that it is about."""

    deployment = models.ForeignKey(Deployment, models.PROTECT)


class Note(models.Model):
    """About a deployment, which must be there when a transaction ends."""

    deployment = models.ForeignKey(Deployment, models.DO_NOTHING)


class Volume(models.Model):
    """Known by its uid, which is no text here; with a column that nobody reflects."""

    uid = models.UUIDField(unique=True)
    owner = models.CharField(max_length=20, default="nobody")


class Loose(models.Model):
    """With nothing that tells its rows apart."""

    name = models.CharField(max_length=253)


class Heavy(Machine):
    """With a table of its own beside that of a machine."""


class Sketch(models.Model):
    """Abstract."""

    class Meta:
        abstract = True
