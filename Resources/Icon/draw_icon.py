"""Draw the icon of the extension, UniverSegSlicer.png (128x128): `python Resources/Icon/draw_icon.py` (needs Pillow).

A stack of three slices: two marked ones, filled, and between them the slice that the tool outlined.
"""

from __future__ import annotations

import math
from pathlib import Path

from PIL import Image, ImageDraw

SIDE = 128
#: Drawn this many times larger, then averaged down, for smooth edges.
OVERSAMPLING = 8
NIGHT, PAPER, EDGE = (24, 38, 66, 255), (226, 233, 245, 235), (132, 151, 184, 255)
MARKED, RESULT = (245, 140, 40, 255), (22, 160, 140, 255)

Point = tuple[float, float]


def on_slice(u: float, v: float, height: float) -> Point:
    """The pixel of the point (u, v) in [-1, 1]² of a slice whose centre lies at ``height`` pixels from the top."""
    return (SIDE / 2 + 34 * u - 20 * v, height + 15 * v + 3 * u)


def blob(size: float, height: float) -> list[Point]:
    """The outline of an organ-like shape on the slice at ``height``."""
    angles = [2 * math.pi * step / 90 for step in range(90)]
    radius = [size * (1 + 0.18 * math.sin(2 * angle + 0.6) + 0.08 * math.cos(3 * angle)) for angle in angles]
    return [on_slice(r * math.cos(a), r * math.sin(a), height) for r, a in zip(radius, angles, strict=True)]


def scaled(points: list[Point]) -> list[Point]:
    """The same points on the oversampled canvas."""
    return [(x * OVERSAMPLING, y * OVERSAMPLING) for x, y in points]


def draw() -> Image.Image:
    """The icon as an RGBA image of 128 x 128 pixels."""
    canvas = Image.new("RGBA", (SIDE * OVERSAMPLING,) * 2, (0, 0, 0, 0))
    pen = ImageDraw.Draw(canvas)
    margin = 4 * OVERSAMPLING
    pen.rounded_rectangle(
        [margin, margin, canvas.width - margin, canvas.height - margin], 22 * OVERSAMPLING, fill=NIGHT
    )
    for height, size, marked in ((94, 0.40, True), (64, 0.58, False), (34, 0.48, True)):
        sheet = Image.new("RGBA", canvas.size, (0, 0, 0, 0))
        pen = ImageDraw.Draw(sheet)
        corners = scaled([on_slice(u, v, height) for u, v in ((-1, -1), (1, -1), (1, 1), (-1, 1))])
        pen.polygon(corners, fill=PAPER)
        pen.line([*corners, corners[0]], fill=EDGE, width=OVERSAMPLING, joint="curve")
        outline = scaled(blob(size, height))
        if marked:
            pen.polygon(outline, fill=MARKED)
        else:
            pen.line([*outline, *outline[:2]], fill=RESULT, width=4 * OVERSAMPLING, joint="curve")
        canvas = Image.alpha_composite(canvas, sheet)
    return canvas.resize((SIDE, SIDE), Image.Resampling.BOX)


if __name__ == "__main__":
    draw().save(Path(__file__).resolve().parents[2] / "UniverSegSlicer.png", optimize=True)
