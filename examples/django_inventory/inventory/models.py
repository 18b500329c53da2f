"""Ordinary models. Each needs a unique constraint on what tells the objects of its kind apart."""

from django.db import models


class Deployment(models.Model):
    """A Deployment of the cluster."""

    namespace = models.CharField(max_length=63)
    name = models.CharField(max_length=253)
    team = models.CharField(max_length=63, blank=True)
    image = models.CharField(max_length=500)
    replicas = models.IntegerField(default=1)
    ready = models.IntegerField(default=0)
    created = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["namespace", "name"], name="one_deployment_of_a_name"),)
        ordering = ("namespace", "name")

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Node(models.Model):
    """A Node of the cluster."""

    name = models.CharField(max_length=253, unique=True)
    ready = models.BooleanField(default=False)
    version = models.CharField(max_length=100)
    cpu = models.CharField(max_length=20)
    memory = models.CharField(max_length=20)
    created = models.DateTimeField()

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return str(self.name)
