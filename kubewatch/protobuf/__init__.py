"""Metadata in protobuf, where it is asked for: the messages, and what becomes of them.

Only `messages.py` imports the protobuf package, and nobody imports that before `Api.metadata(protobuf=True)`.
https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding
"""
