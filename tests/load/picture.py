"""Pictures of runs, and the one page that has them with the table.

Knows matplotlib and HTML. Must not know how anything is measured. Nothing on the page is loaded from elsewhere.
"""

from __future__ import annotations

import base64
import html
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.load.report import HEAD, cells
from tests.load.stats import percentile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.load.report import Refusal, Row

_INCHES: Final = (9.0, 3.6)
_DPI: Final = 110
# A point for each login hides what they have in common; a line has so many.
_SLICES: Final = 120
_DOTS: Final = 4000
_STYLE: Final = (
    "body{font:15px/1.45 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a}"
    "table{border-collapse:collapse;font-size:13px}td,th{border-bottom:1px solid #ddd;padding:.3rem .6rem;"
    "text-align:left;vertical-align:top}.missed{color:#b00020;font-weight:600}.ok{color:#0a6b2d}"
    "img{max-width:100%;height:auto}pre{background:#f5f5f5;padding:.6rem;white-space:pre-wrap}"
)


@dataclass(frozen=True, slots=True)
class Series:
    """The logins of a run, in the order in which they ended."""

    name: str
    starts_s: tuple[float, ...]
    latencies_us: tuple[float, ...]
    kinds: tuple[str, ...]

    def slices(self, percent: float) -> tuple[list[float], list[float]]:
        """Return the middles of equal parts of the time, and the percentile of the logins that began in each, in ms."""
        if not self.starts_s:
            return [], []
        width_s = max(max(self.starts_s) / _SLICES, 0.05)
        found: dict[int, list[float]] = {}
        for start_s, latency_us in zip(self.starts_s, self.latencies_us, strict=True):
            found.setdefault(int(start_s / width_s), []).append(latency_us / 1000)
        places = sorted(found)
        return [(place + 0.5) * width_s for place in places], [percentile(found[place], percent) for place in places]


def draw(series: Series) -> bytes:
    """Draw latency over time as a PNG: a dot for each login by its kind, and lines of p50 and p99."""
    # Without a display, and without the state of pyplot. Imported here: it takes a second.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=_INCHES, dpi=_DPI, layout="constrained")
    axes = figure.add_subplot()
    step = max(1, len(series.starts_s) // _DOTS)
    for kind in sorted(set(series.kinds)):
        places = [place for place in range(0, len(series.kinds), step) if series.kinds[place] == kind]
        if places:
            begun = [series.starts_s[place] for place in places]
            took = [series.latencies_us[place] / 1000 for place in places]
            axes.scatter(begun, took, s=3, alpha=0.35, label=kind)
    for percent, style in ((50, "-"), (99, "--")):
        axes.plot(*series.slices(percent), style, color="black", linewidth=1.2, label=f"p{percent}")
    axes.set_yscale("log")
    axes.set_xlabel("seconds from the start")
    axes.set_ylabel("milliseconds")
    axes.set_title(series.name, fontsize=10)
    axes.grid(visible=True, alpha=0.3)
    figure.legend(loc="outside right upper", fontsize=8, markerscale=3)
    made = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(made, format="png")
    return made.getvalue()


def write(
    folder: Path, title: str, head: str, rows: Sequence[Row], refusals: Sequence[Refusal], series: Sequence[Series]
) -> None:
    """Write index.html, with everything in it, and each picture as a PNG beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = [f"<h1>{html.escape(title)}</h1>", f"<pre>{html.escape(head)}</pre>"]
    for number, one in enumerate(series, 1):
        png = draw(one)
        name = re.sub(r"[^a-z0-9]+", "-", one.name.lower()).strip("-")[:60]
        (folder / f"{number:02}-{name}.png").write_bytes(png)
        text = base64.b64encode(png).decode()
        parts.append(f'<p><img src="data:image/png;base64,{text}" alt="{html.escape(one.name, quote=True)}"></p>')
    names = "".join(f"<th>{column.lower() or 'kept'}</th>" for column in HEAD)
    parts.append(f"<table><tr>{names}</tr>")
    for row in rows:
        columns = "".join(f"<td>{html.escape(cell)}</td>" for cell in cells(row))
        parts.append(f'<tr class="{row.state()}">{columns}</tr>')
    parts.append("</table>")
    parts += [
        f"<p><b>{html.escape(one.measure)}</b> gives no number: {html.escape(one.reason)}</p>" for one in refusals
    ]
    body = "\n".join(parts)
    page = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )
    (folder / "index.html").write_text(page, encoding="utf-8")
