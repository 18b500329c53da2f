"""Clients that are measured, each a program of its own; peers in other environments are in `benchmarks/peers`."""
