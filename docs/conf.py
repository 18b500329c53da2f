"""Sphinx: `python -m sphinx -W -b html docs build/docs`."""

project = "kubewatch"
extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "kubewatch"
exclude_patterns = ["README.md"]
