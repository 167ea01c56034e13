"""``universeg-slicer segment``: 2D images from a support set of 2D images."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from ..diagnostics import run_log
from ..errors import InputError
from ..files.pictures import read_picture, write_array, write_picture
from ..progress import sub_progress
from .common.console import notices, print_json, progress_bar, say
from .common.folders import list_pictures
from .common.inputs import read_pairs
from .common.network import NetworkChoice, choosing_network
from .common.options import EnsembleOption, JsonOption, SeedOption
from .common.outputs import check_filled, check_new_folder, filling_folder
from .common.tuning import TuneChoice, TuneOption, tuning_fact
from .common.unused import unused_draws

if TYPE_CHECKING:
    from ..segmentation import SupportSet

#: Pixels of the images that are in memory at once; every batch encodes the support set anew.
_PIXELS = 1 << 25


@choosing_network
def segment(
    *,
    images: Annotated[Path, typer.Option(metavar="DIR", help="The images to segment (png, jpg, tif or npy).")],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="DIR", help="One PNG of 0 and 255 for every image, of its size, goes here."
        ),
    ],
    support_images: Annotated[Path | None, typer.Option(metavar="DIR", help="The example images.")] = None,
    support_labels: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Their label maps, paired by stem (cat.jpg and cat.png).")
    ] = None,
    support: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Instead of the two folders: a saved support set.")
    ] = None,
    label: Annotated[
        int | None, typer.Option(min=1, max=65535, help="The label value to segment; by default all that is not 0.")
    ] = None,
    present: Annotated[
        bool,
        typer.Option(
            "--present",
            help="Every image shows the structure: cut an unsure answer at half of its highest value.",
        ),
    ] = False,
    closer: Annotated[
        bool,
        typer.Option(
            "--closer/--once",
            help="Look a second time, closer, at what whole images show small; --once does without, as in the paper.",
        ),
    ] = True,
    detail: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=4,
            help="Also show the network so many times 128 pixels a side, in so much squared the time; by default as "
            "many as the examples have, up to what the model was trained for.",
        ),
    ] = None,
    ensemble: EnsembleOption = 1,
    logits: Annotated[bool, typer.Option("--logits", help="Also write the logits, float32, as STEM.npy.")] = False,
    network: NetworkChoice,
    seed: SeedOption = 0,
    tune: TuneOption = "off",
    as_json: JsonOption = False,
) -> None:
    """Segment 2D images with the help of a few labelled ones.

    Example: universeg-slicer segment --support-images cats/images --support-labels cats/labels --images new -o masks
    """
    from ..segmentation import present_cutoff, segment_images
    from ..segmentation.images import MOST_EXAMPLES

    check_new_folder(output)
    tuning = TuneChoice.parse(tune)
    given = _read_support(support_images, support_labels, support)
    examples = _binary(given, label)
    queries = list_pictures(images)
    endings = (".png", ".npy") if logits else (".png",)
    read = (images, support_images, support_labels, support, *queries.values())
    check_filled(output, [f"{stem}{ending}" for stem in queries for ending in endings], read)
    notices(unused_draws(ensemble, seed, tuning, examples=len(examples), drawn=len(examples) > MOST_EXAMPLES))
    started = time.perf_counter()
    model, tuned = tuning.apply(network.open(), lambda: examples, saved=given, saved_path=support, seed=seed)
    with progress_bar("Segmenting") as report, filling_folder(output) as beside:
        done = 0
        for batch in _batches(queries):
            stage = sub_progress(report, done / len(queries), (done + len(batch)) / len(queries))
            pictures = list(batch.values())
            results = segment_images(
                pictures, examples, model, ensemble=ensemble, seed=seed, closer=closer, detail=detail, progress=stage
            )
            for stem, result in zip(batch, results, strict=True):
                cut = present_cutoff(result) if present else 0.0
                write_picture(beside / f"{stem}.png", np.where(result > cut, 255, 0).astype(np.uint8))
                if logits:
                    write_array(beside / f"{stem}.npy", np.asarray(result, dtype=np.float32))
            done += len(batch)
    seconds = time.perf_counter() - started
    run_log.note(images=len(queries), support=len(examples), device=str(model.device))
    if as_json:
        print_json(
            {
                "output": str(output),
                "images": list(queries),
                "support": len(examples),
                "seconds": round(seconds, 3),
                "model": model.name,
                "device": str(model.device),
                "tuning": tuning_fact(tuned),
            }
        )
        return
    say(
        f"{output}: {len(queries)} masks from {len(examples)} examples, "
        f"{seconds:.1f} s with {model.name} on {model.device}."
    )
    if tuned is not None:
        say(str(tuned))


def _batches(queries: dict[str, Path]) -> Iterator[dict[str, np.ndarray]]:
    """Read the images, by stem, in groups that fit into memory."""
    batch: dict[str, np.ndarray] = {}
    for stem, path in queries.items():
        batch[stem] = read_picture(path)
        if sum(picture.size for picture in batch.values()) >= _PIXELS:
            yield batch
            batch = {}
    if batch:
        yield batch


def _read_support(images: Path | None, labels: Path | None, file: Path | None) -> SupportSet:
    from ..segmentation import SupportSet

    if file is not None:
        if images is not None or labels is not None:
            raise InputError(
                "--support stands for both folders; give it alone, or --support-images and --support-labels."
            )
        return SupportSet.load(file)
    if images is None or labels is None:
        raise InputError("--support-images and --support-labels are needed, or --support.")
    return read_pairs(images, labels)


def _binary(support: SupportSet, label: int | None) -> SupportSet:
    """The same examples with 1 where the wanted label is (any label without a wanted one), 0 elsewhere."""
    from dataclasses import replace

    if label is not None and label not in support.label_values:
        present = ", ".join(str(value) for value in support.label_values) or "none"
        raise InputError(f"--label {label} is not in the support set, which has: {present}.")
    if not support.label_values:
        raise InputError("the support labels are empty: no pixel is above 0 in any of them.")
    examples = [
        replace(
            example, labels=(example.labels == label if label is not None else example.labels > 0).astype(np.uint16)
        )
        for example in support.examples
    ]
    return replace(support, examples=tuple(examples))
