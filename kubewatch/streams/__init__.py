"""Stages: small composable steps from a watch to what you need, as methods of streams and as functions."""

from .fluent import EventStream, ObjectStream, Stream

__all__ = ["EventStream", "ObjectStream", "Stream"]
