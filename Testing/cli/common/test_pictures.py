"""Pictures: the right way up, the right slices, the right colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from UniverSegSlicerLib.cli.common.pictures import COLOURS, Row, View, choose_slices, draw_slices
from UniverSegSlicerLib.errors import OutputError
from UniverSegSlicerLib.imaging import Geometry, Volume

#: Columns are where I, J and K point in LPS.
LPS = np.eye(3)
RAS = np.diag([-1.0, -1.0, 1.0])
SAGITTAL_SCAN = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])  # I to P, J to inferior, K to L
TILTED = np.array([[0.94, 0.34, 0.0], [-0.34, 0.94, 0.0], [0.0, 0.0, 1.0]])


@pytest.mark.parametrize("matrix", [LPS, RAS, SAGITTAL_SCAN, TILTED], ids=["lps", "ras", "sagittal", "tilted"])
@pytest.mark.parametrize("axis", ["i", "j", "k"])
def test_slices_lie_as_radiologists_expect(matrix: np.ndarray, axis: str) -> None:
    geometry = Geometry((5, 6, 7), direction=tuple(matrix.ravel()))
    # The position along each world axis, voxel by voxel.
    k, j, i = np.indices(geometry.shape)
    world = geometry.to_world(np.stack([i, j, k], axis=-1))
    view = View.of(geometry, axis)
    middle = np.moveaxis(world, 2 - "ijk".index(axis), 0)[2]
    left, posterior, superior = (view.turn(middle[..., n]) for n in range(3))
    across = np.array([np.diff(values, axis=1).mean() for values in (left, posterior, superior)])
    down = np.array([np.diff(values, axis=0).mean() for values in (left, posterior, superior)])
    through = int(np.abs(matrix[:, "ijk".index(axis)]).argmax())
    expected = {2: (0, 1, 1), 1: (0, 2, -1), 0: (1, 2, -1)}[through]  # across, down, sign of down
    assert np.abs(across).argmax() == expected[0] and across[expected[0]] > 0
    assert np.abs(down).argmax() == expected[1] and np.sign(down[expected[1]]) == expected[2]


@pytest.mark.parametrize(
    ("used", "marked", "columns", "expected"),
    [
        (range(20), [4, 14], 4, [4, 9, 14, 19]),
        (range(20), [4, 14], 2, [4, 9]),
        (range(20), [], 3, [0, 9, 19]),
        ([], [], 5, [10]),
        ([7], [7], 5, [7]),
        (range(20), list(range(0, 20, 2)), 4, [0, 1, 3, 18]),
    ],
)
def test_chosen_slices(used: range, marked: list[int], columns: int, expected: list[int]) -> None:
    labels = np.zeros((20, 3, 3), np.uint8)
    labels[list(used)] = 1
    chosen = choose_slices(labels, "k", marked, columns)
    assert chosen == sorted(set(chosen)) and len(chosen) <= columns
    assert chosen == expected


def test_labels_are_drawn_where_they_are(tmp_path: Path) -> None:
    volume = Volume(np.full((9, 32, 32), 50, np.int16), Geometry((32, 32, 9)))
    labels = np.zeros(volume.array.shape, np.uint16)
    labels[:, :8, :8] = 7
    path = tmp_path / "picture.png"
    draw_slices(
        path,
        volume,
        "k",
        [Row("marked", labels, frozenset({4})), Row("result", labels)],
        marked=[4],
        names={7: "corner"},
        title="x",
    )
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    colour = np.array([int(COLOURS[0][n : n + 2], 16) for n in (1, 3, 5)])
    hue = pixels - pixels.mean(axis=2, keepdims=True)
    wanted = colour - colour.mean()
    orange = (hue @ wanted) / (np.linalg.norm(hue, axis=2) * np.linalg.norm(wanted) + 1e-9) > 0.99
    orange &= np.linalg.norm(hue, axis=2) > 20
    top, bottom = np.array_split(orange[: int(0.9 * len(orange))], 2)
    assert 1000 < top.sum() < 0.4 * bottom.sum(), "one marked slice above, every slice below"


def test_an_unwritable_picture(tmp_path: Path) -> None:
    volume = Volume(np.zeros((3, 8, 8), np.uint8), Geometry((8, 8, 3)))
    with pytest.raises(OutputError, match=r"missing.picture\.png"):
        draw_slices(
            tmp_path / "missing" / "picture.png", volume, "k", [Row("r", volume.array)], marked=[], names={}, title=""
        )


def test_every_name_of_a_long_legend_is_inside_the_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = np.arange(9 * 12 * 12).reshape(9, 12, 12) % 37
    names = {value: f"structure {value}" for value in range(1, 36)} | {36: "a very long name " * 9}
    outside, colours = [], set()
    saved = Figure.savefig

    def looked_at(figure: Figure, *given: object, **options: object) -> None:
        figure.canvas.draw()
        for text in figure.legends[0].get_texts():
            box = text.get_window_extent()
            if not (figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 and figure.bbox.y0 <= box.y0):
                outside.append(text.get_text())
        colours.update(patch.get_facecolor() for patch in figure.legends[0].get_patches())
        saved(figure, *given, **options)

    monkeypatch.setattr(Figure, "savefig", looked_at)
    volume = Volume(labels.astype(np.int16), Geometry((12, 12, 9)))
    draw_slices(tmp_path / "p.png", volume, "k", [Row("r", labels)], marked=[2], names=names, title="患者")
    assert outside == [] and len(colours) == 36
