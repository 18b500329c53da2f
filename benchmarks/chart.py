"""The chart: bars as SVG, readable on light and on dark pages."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from .results import Results

WIDTH, LABELS, BAR, GAP, NUMBERS = 860, 270, 14, 6, 70

# Which rows are drawn: one of each client, with its metadata form.
DRAWN = (
    "kubewatch metadata",
    "kubewatch",
    "msgspec prototype",
    "kube-rs metadata",
    "kube-rs",
    "lightkube",
    "client-go metadata",
    "client-go",
    "kubernetes, informer",
    "kubernetes, dynamic client",
    "kubernetes, Watch with models",
    "pykube-ng",
    "kopf",
    "kr8s",
)

STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328; }
.title { font-weight: 600; }
.bar { fill: #8c959f; }
.ours { fill: #0969da; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .bar { fill: #6e7681; }
  .ours { fill: #58a6ff; }
}
"""


class Bar(NamedTuple):
    """One bar: whose it is, how long, and what stands at its end."""

    label: str
    value: float


def chart(results: Results) -> str:
    """Two panels: changes into a store per second of CPU, and memory per object."""
    drawn = [each for name in DRAWN if (each := results.client(name))]
    watched = [Bar(each.name, each.watched.median) for each in drawn]
    memory = [Bar(each.name, each.memory.median) for each in drawn]
    upper, height = _panel("Watch into a store: 8 KB pods per second of the client's CPU (more is better)", watched, 0)
    lower, height = _panel("Memory of a stored object: bytes (less is better)", memory, height + 24)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="Speed and memory of Kubernetes clients">\n<style>{STYLE}</style>\n{upper}{lower}</svg>\n'
    )


def _panel(title: str, bars: Sequence[Bar], top: float) -> tuple[str, float]:
    """The panel's elements, and where it ends."""
    longest = max((bar.value for bar in bars), default=1.0)
    scale = (WIDTH - LABELS - NUMBERS) / longest
    lines = [f'<text class="title" x="0" y="{top + 14}">{escape(title)}</text>\n']
    y = top + 26
    for bar in bars:
        kind = "ours" if bar.label.startswith("kubewatch") else "bar"
        width = max(1.0, bar.value * scale)
        middle = y + BAR - 3
        number = f"{round(bar.value, -2 if bar.value >= 1000 else 0):,.0f}".replace(",", " ")
        lines.append(
            f'<text x="{LABELS - 8}" y="{middle}" text-anchor="end">{escape(bar.label)}</text>'
            f'<rect class="{kind}" x="{LABELS}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2"/>'
            f'<text x="{LABELS + width + 6:.1f}" y="{middle}">{number}</text>\n'
        )
        y += BAR + GAP
    return "".join(lines), y
