"""How kinds are shown in columns, as kubectl and the API server show them; pure functions on plain objects.

Both the command line and the embedded API server print with it; it knows neither.
"""
