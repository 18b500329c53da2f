"""Clients of other Python packages; they run in an environment of their own, made from requirements.txt."""
