"""``--tune`` and ``support tune``: files in, files out, kept beside the support set, refused elsewhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from UniverSegSlicerLib.files import read_label_map
from UniverSegSlicerLib.network import Architecture
from UniverSegSlicerLib.network.families import new_network
from UniverSegSlicerLib.network.weights.files import write_network
from UniverSegSlicerLib.segmentation import SupportSet
from UniverSegSlicerLib.segmentation.tuning import tuned_path

from ..conftest import Command, Scan


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """A network of a few hundred weights that knows nothing yet, and so has something to learn."""
    torch.manual_seed(5)
    path = tmp_path / "untaught.safetensors"
    write_network(path, new_network(Architecture(query_channels=4, encoder=(4, 4), resolution=32)))
    return path


@pytest.fixture
def support(tmp_path: Path) -> Path:
    """Six pictures of a bright square, saved."""
    rng = np.random.default_rng(0)
    images, labels = rng.uniform(0, 0.3, (6, 32, 32)), np.zeros((6, 32, 32), np.uint16)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        image[2 * number : 2 * number + 14, 8:22] += 0.6
        label[2 * number : 2 * number + 14, 8:22] = 1
    SupportSet.from_pairs(images, labels).save(tmp_path / "squares.npz")
    return tmp_path / "squares.npz"


def test_a_volume_is_segmented_with_a_network_tuned_on_its_marks(scan: Scan, network: Path, command: Command) -> None:
    out = scan.folder / "out.nii.gz"
    arguments = ("propagate", scan.volume, scan.labels, "-o", out, "-m", network)
    done = command(*arguments, "--tune", "300", "--json")
    assert done.code == 0
    tuning = done.json["tuning"]
    assert set(tuning) == {"kept", "steps", "seconds", "before", "after", "examples", "reason"}
    assert tuning["kept"] == (tuning["before"] is not None and tuning["after"] >= tuning["before"] + 0.005)
    assert done.json["model"] == ("untaught, tuned" if tuning["kept"] else "untaught")
    assert np.array_equal(read_label_map(out).array[list(scan.marked)], scan.truth[list(scan.marked)])
    assert command(*arguments, "--json").json["tuning"] is None


def test_tuned_weights_are_kept_and_serve_the_next(
    support: Path, network: Path, command: Command, tmp_path: Path
) -> None:
    done = command("support", "tune", support, "-m", network, "--json")
    assert done.code == 0 and done.json["kept"] and done.json["after"] > done.json["before"]
    assert done.json["output"] == str(tuned_path(support)) and tuned_path(support).is_file()
    exported = tmp_path / "exported"
    assert command("support", "export", support, "-o", exported).code == 0
    arguments = ("segment", "--images", exported / "images", "-m", network)
    served = command(*arguments, "--support", support, "-o", tmp_path / "a", "--tune", "auto", "--json")
    assert served.json["model"] == "untaught, tuned" and served.json["tuning"]["after"] == done.json["after"]
    by_name = command(*arguments, "--support", support, "-o", tmp_path / "b", "--tune", tuned_path(support))
    assert by_name.code == 0 and "Tuned on the examples: " in by_name.out
    for picture in (tmp_path / "a").iterdir():
        assert picture.read_bytes() == (tmp_path / "b" / picture.name).read_bytes()
    fresh = command(
        *arguments, "-o", tmp_path / "c", "--tune", "auto", "--json",
        "--support-images", exported / "images", "--support-labels", exported / "labels",
    )  # fmt: skip
    assert fresh.json["tuning"]["steps"] > 0


def test_weights_that_do_not_fit_are_refused_in_one_sentence(
    support: Path, network: Path, tiny_model_path: Path, command: Command, tmp_path: Path
) -> None:
    command("support", "tune", support, "-m", network)
    images = tmp_path / "exported"
    command("support", "export", support, "-o", images)
    arguments = ("segment", "--images", images / "images", "--support", support, "-o", tmp_path / "out")
    done = command(*arguments, "-m", tiny_model_path, "--tune", "auto")
    assert done.code == 2 and "tuned from another model than tiny; tune again." in done.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", ["often", "0", "-3", "nan", "inf", "a.pt"])
def test_what_the_option_does_not_understand(text: str, scan: Scan, tiny_model_path: Path, command: Command) -> None:
    out = scan.folder / "out.nii.gz"
    done = command("propagate", scan.volume, scan.labels, "-o", out, "-m", tiny_model_path, "--tune", text)
    assert done.code == 2 and done.err.count("\n") == 1 and f"--tune {text!r} is neither auto nor off" in done.err
    assert not out.exists()
