"""How kinds are shown in columns, as kubectl and the API server show them, and tables of text to show them in.

The command line, live stores and the embedded API server print with it; it knows none of them.
"""
