"""Input that cannot be used: exit code 2, one sentence, nothing written."""

from __future__ import annotations

import gzip
import pickle
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from UniverSegSlicerLib.files import write_label_map, write_volume
from UniverSegSlicerLib.imaging import Geometry
from UniverSegSlicerLib.imaging.geometry import Volume

from .conftest import Command, Scan

#: Makes the bad file and gives the arguments in place of (volume, labels, ...).
Case = Callable[[Scan], list[object]]


def not_an_image(scan: Scan) -> list[object]:
    path = scan.folder / "notes.nii.gz"
    path.write_text("these are notes, not an image\n" * 40)
    return [path, scan.labels]


def empty_file(scan: Scan) -> list[object]:
    path = scan.folder / "empty.nii.gz"
    path.touch()
    return [path, scan.labels]


def truncated_gzip(scan: Scan) -> list[object]:
    path = scan.folder / "cut.nii.gz"
    path.write_bytes(scan.volume.read_bytes()[:-2000])
    return [path, scan.labels]


def missing_file(scan: Scan) -> list[object]:
    return [scan.folder / "nowhere.nii.gz", scan.labels]


def another_size(scan: Scan) -> list[object]:
    path = scan.folder / "small.nii.gz"
    write_label_map(path, scan.truth[1:], Geometry((48, 40, 15), (0.8, 1.1, 2.5)))
    return [scan.volume, path]


def another_spacing(scan: Scan) -> list[object]:
    g = scan.image.geometry
    path = scan.folder / "spaced.nii.gz"
    write_label_map(path, scan.truth, Geometry(g.size, (0.8, 1.2, 2.5), g.origin, g.direction))
    return [scan.volume, path]


def another_origin(scan: Scan) -> list[object]:
    g = scan.image.geometry
    path = scan.folder / "moved.nii.gz"
    write_label_map(path, scan.truth, Geometry(g.size, g.spacing, (0.0, 30.0, 5.0), g.direction))
    return [scan.volume, path]


def another_direction(scan: Scan) -> list[object]:
    g = scan.image.geometry
    path = scan.folder / "turned.nii.gz"
    write_label_map(path, scan.truth, Geometry(g.size, g.spacing, g.origin))
    return [scan.volume, path]


def no_marked_slice(scan: Scan) -> list[object]:
    path = scan.folder / "blank.nii.gz"
    write_label_map(path, np.zeros_like(scan.truth), scan.image.geometry)
    return [scan.volume, path]


def absent_label(scan: Scan) -> list[object]:
    return [scan.volume, scan.labels, "--labels", "1,2"]


def several_orientations(scan: Scan) -> list[object]:
    marks = np.zeros_like(scan.truth)
    marks[5], marks[:, 16] = scan.truth[5], scan.truth[:, 16]
    path = scan.folder / "crossed.nii.gz"
    write_label_map(path, marks, scan.image.geometry)
    return [scan.volume, path]


def nothing_but_nan(scan: Scan) -> list[object]:
    path = scan.folder / "nan.nii.gz"
    write_volume(path, np.full(scan.truth.shape, np.nan, np.float32), scan.image.geometry)
    return [path, scan.labels]


def four_dimensions(scan: Scan) -> list[object]:
    path = scan.folder / "time.nii.gz"
    sitk.WriteImage(sitk.JoinSeries([sitk.ReadImage(str(scan.volume))] * 2), str(path))
    return [path, scan.labels]


def colours(scan: Scan) -> list[object]:
    path = scan.folder / "colour.nrrd"
    sitk.WriteImage(sitk.Compose([sitk.Cast(sitk.ReadImage(str(scan.volume)), sitk.sitkUInt8)] * 3), str(path))
    return [path, scan.labels]


def with_pixel_size(scan: Scan, value: float) -> Path:
    raw = bytearray(gzip.decompress(scan.volume.read_bytes()))
    raw[80:84] = struct.pack("<f", value)  # pixdim[1] of the NIfTI header
    path = scan.folder / "spacing.nii"
    path.write_bytes(raw)
    return path


def zero_spacing(scan: Scan) -> list[object]:
    return [with_pixel_size(scan, 0.0), scan.labels]


def negative_spacing(scan: Scan) -> list[object]:
    return [with_pixel_size(scan, -0.8), scan.labels]


def fractional_labels(scan: Scan) -> list[object]:
    path = scan.folder / "soft.nii.gz"
    write_volume(path, scan.truth * np.float32(0.5), scan.image.geometry)
    return [scan.volume, path]


def slice_that_is_not_there(scan: Scan) -> list[object]:
    return [scan.volume, scan.labels, "--marked", "4,99"]


def range_beyond_the_volume(scan: Scan) -> list[object]:
    return [scan.volume, scan.labels, "--range", "4:99"]


def nothing_to_go_by(scan: Scan) -> list[object]:
    return [scan.volume]


def support_set_that_is_none(scan: Scan) -> list[object]:
    path = scan.folder / "support.npz"
    path.write_bytes(b"PK\x03\x04 but not a zip archive")
    return [scan.volume, "--support", path]


CASES: dict[Case, str] = {
    not_an_image: "notes.nii.gz",
    empty_file: "empty.nii.gz is empty",
    truncated_gzip: "cut.nii.gz is cut off",
    missing_file: "nowhere.nii.gz does not exist",
    another_size: "the size differs",
    another_spacing: "the spacing differs",
    another_origin: "the origin differs",
    another_direction: "the direction differs",
    no_marked_slice: "no slice is marked",
    absent_label: "label 2 is absent",
    several_orientations: "several orientations",
    nothing_but_nan: "nan.nii.gz holds no finite value",
    four_dimensions: "2 time points",
    colours: "3 components",
    zero_spacing: "spacing",
    negative_spacing: "spacing",
    fractional_labels: "soft.nii.gz is not a label map",
    slice_that_is_not_there: "k:15",
    range_beyond_the_volume: "--range 4:99",
    nothing_to_go_by: "nothing says what to segment",
    support_set_that_is_none: "support.npz is not a usable support set",
}


def assert_refused(done: object, *parts: str) -> None:
    """One sentence on stderr that holds ``parts``, exit code 2, nothing on stdout, no traceback."""
    code, out, err = done.code, done.out, done.err  # type: ignore[attr-defined]
    assert code == 2, err
    assert out == ""
    assert err.startswith("universeg-slicer: ") and err.endswith("\n") and err.count("\n") == 1, err
    assert "Traceback" not in err and "unexpected" not in err
    for part in parts:
        assert part in err


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_bad_input_of_propagate(case: Case, scan: Scan, tiny_model_path: Path, command: Command) -> None:
    arguments = case(scan)
    before = scan.files()
    extra = ["--confidence", scan.folder / "sure.nii.gz", "--preview", scan.folder / "out.png"]
    done = command("propagate", *arguments, "-o", scan.folder / "out.nii.gz", "-m", tiny_model_path, *extra)
    assert_refused(done, CASES[case])
    assert scan.files() == before, "nothing is written"


def unknown_model(folder: Path, model: Path) -> str:
    return "no-such-model"


def missing_model_file(folder: Path, model: Path) -> str:
    return str(folder / "missing.safetensors")


def corrupt_weights(folder: Path, model: Path) -> str:
    path = folder / "corrupt.safetensors"
    path.write_bytes(model.read_bytes()[:2000])
    return str(path)


def weights_of_another_network(folder: Path, model: Path) -> str:
    import torch

    path = folder / "other.pt"
    torch.save({"layer.weight": torch.zeros(3)}, path)
    return str(path)


class _Code:
    """Pickles to a call that leaves a file behind."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (self.trace,)  # type: ignore[return-value]


def pickle_with_code(folder: Path, model: Path) -> str:
    path = folder / "evil.pt"
    path.write_bytes(pickle.dumps(_Code(folder / "the-code-ran")))
    return str(path)


MODELS = [unknown_model, missing_model_file, corrupt_weights, weights_of_another_network, pickle_with_code]


@pytest.mark.parametrize("case", MODELS, ids=lambda case: case.__name__)
def test_bad_models(
    case: Callable[[Path, Path], str], scan: Scan, tiny_model_path: Path, command: Command, tmp_path: Path
) -> None:
    model = case(tmp_path, tiny_model_path)
    before = scan.files()
    assert_refused(
        command("propagate", scan.volume, scan.labels, "-o", scan.folder / "out.nii.gz", "-m", model), Path(model).name
    )
    assert scan.files() == before
    assert not (tmp_path / "the-code-ran").exists()


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["--device", "quantum"], "quantum"),
        (["--labels", "one"], "--labels 'one'"),
        (["--range", "9:4"], "--range '9:4'"),
        (["--range", "4-9"], "--range '4-9'"),
        (["--names", "liver"], "--names 'liver'"),
        (["--marked", "-4"], "--marked '-4'"),
        (["--axis", "x"], "--axis"),
        (["--strategy", "guess"], "--strategy"),
        (["--ensemble", "0"], "--ensemble"),
        (["--precision", "fp8"], "--precision"),
        (["--colour"], "--colour"),
        (["--strategy", "prior", "--labels", "3,"], "--labels"),
    ],
)
def test_bad_options(options: list[str], part: str, scan: Scan, tiny_model_path: Path, command: Command) -> None:
    before = scan.files()
    arguments = [
        "propagate",
        scan.volume,
        scan.labels,
        "-o",
        scan.folder / "out.nii.gz",
        "-m",
        tiny_model_path,
        *options,
    ]
    assert_refused(command(*arguments), part)
    assert scan.files() == before


def in_a_missing_folder(scan: Scan) -> Path:
    return scan.folder / "missing" / "out.nii.gz"


def a_folder(scan: Scan) -> Path:
    (scan.folder / "out.nii.gz").mkdir()
    return scan.folder / "out.nii.gz"


def below_a_file(scan: Scan) -> Path:
    return scan.volume / "out.nii.gz"


def another_ending(scan: Scan) -> Path:
    return scan.folder / "out.jpg"


def the_input(scan: Scan) -> Path:
    return scan.volume


def the_marks_by_another_name(scan: Scan) -> Path:
    return scan.folder / ".." / scan.folder.name / scan.labels.name


OUTPUTS = [in_a_missing_folder, a_folder, below_a_file, another_ending, the_input, the_marks_by_another_name]


@pytest.mark.parametrize("case", OUTPUTS, ids=lambda case: case.__name__)
def test_bad_outputs_are_refused_before_the_work(case: Callable[[Scan], Path], scan: Scan, command: Command) -> None:
    output = case(scan)
    before = scan.files()
    # The model does not exist: the output is refused before anything is loaded.
    done = command("propagate", scan.volume, scan.labels, "-o", output, "-m", "no-such-model")
    assert_refused(done, output.name)
    assert scan.files() == before


def test_volume_and_labels_swapped(scan: Scan, tiny_model_path: Path, command: Command) -> None:
    assert Volume(scan.truth, scan.image.geometry).array.any()
    done = command("propagate", scan.labels, scan.volume, "-o", scan.folder / "out.nii.gz", "-m", tiny_model_path)
    assert_refused(done, "scan.nii.gz is not a label map")


def test_usage_errors(command: Command) -> None:
    assert_refused(command("propagate"), "VOLUME", "universeg-slicer propagate --help")
    assert_refused(command("propagte", "a.nii.gz"), "propagte", "propagate")
