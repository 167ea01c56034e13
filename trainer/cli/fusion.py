"""``universeg-trainer fusion``: the weights of the default strategy, fitted to a model on labelled scans."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def fusion(
    data: Annotated[
        Path, typer.Option("--data", help="Folder of labelled volumes with a catalogue.json, or */image.nii.gz.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for evidence, weights and tables.")] = Path(
        "fusion"
    ),
    model: Annotated[str, typer.Option(help="Name or file of the model.")] = "default",
    role: Annotated[str, typer.Option(help="Roles of the data sets, separated by commas: val, train.")] = "val",
    datasets: Annotated[str, typer.Option(help="Only these data sets, separated by commas.")] = "",
    volumes: Annotated[int, typer.Option(min=0, help="At most so many volumes of a data set; 0: all.")] = 2,
    labels_per_volume: Annotated[int, typer.Option(min=0, help="At most so many labels of a volume; 0: all.")] = 2,
    slices: Annotated[int, typer.Option(min=2, help="At most so many unmarked slices of a case.")] = 20,
    entropy: Annotated[float, typer.Option(min=0, help="Weight of the cross entropy beside soft Dice.")] = 0.05,
    penalty: Annotated[
        float, typer.Option(min=0, help="Pull towards the present weights, per mean square change of the logits.")
    ] = 0.003,
    steps: Annotated[int, typer.Option(min=1, help="At most so many steps of a fit.")] = 40,
    validate: Annotated[bool, typer.Option(help="Also fit with each data set left out in turn.")] = True,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0: PyTorch's choice.")] = 0,
) -> None:
    """Fit the weights of shape, votes, brightness and network in the default strategy to a model.

    1, 3, 5 and 10 evenly marked slices, 4 ever wider apart, 4 and 10 at one end of each label; what the strategy weighs
    on unmarked slices is kept below --output/evidence, one folder for each model and number of slices, so another fit
    takes no new evidence (delete the folder after changes of the strategy itself). weights.json, validation.csv and
    fusion.md are written; the lines at the end go into segmentation/propagation/guided/fusion.py by hand.

    Example: universeg-trainer fusion --data scans --output fusion --volumes 2 --labels-per-volume 2
    """
    from trainer.learning.fusion import FitSettings, Sample, fitted_weights, gather_all, leave_one_out, write_fusion
    from trainer.megamedical.store.checksum import sha256
    from UniverSegSlicerLib.network import load_model
    from UniverSegSlicerLib.network.weights.store import locate_model

    from .console import progress_bar

    scans = _scans(data, role, datasets, volumes or None)
    if threads:
        import SimpleITK as sitk
        import torch

        torch.set_num_threads(threads)
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
    path = locate_model(model)
    identity = sha256(path)
    loaded = load_model(model, device)
    folder = output / "evidence" / f"{path.stem}-{identity[:8]}-{slices}"
    with progress_bar() as progress:
        sample = Sample(list(gather_all(scans, labels_per_volume or None, loaded, slices, folder, progress)))
    settings = FitSettings(entropy, penalty, steps)
    with progress_bar() as progress:
        scores = leave_one_out(sample, settings, progress) if validate else []
        progress(0.0, "all data sets")
        weights = fitted_weights(sample, settings)
    facts = {
        "model": path.name,
        "sha256": identity,
        "data_sets": sample.datasets,
        "cases": len(sample.cases),
        "slices": len(sample.case),
        "settings": vars(settings),
    }
    typer.echo(write_fusion(output, weights, scores, facts))


def _scans(data: Path, role: str, datasets: str, volumes: int | None) -> list:
    """The volumes of all roles, without doubles."""
    from UniverSegSlicerLib.errors import InputError
    from UniverSegSlicerLib.files.labelled_scans import find_scans

    roles = [part.strip() for part in role.split(",") if part.strip()]
    wrong = [part for part in roles if part not in ("val", "train")]
    if wrong or not roles:
        raise InputError(f"--role is {role!r}; expected val, train, or both separated by a comma.")
    if not data.is_dir():
        raise InputError(f"--data {data} is no folder.")
    found = {scan.folder: scan for one in roles for scan in find_scans(data, one, volumes)}
    names = {part.strip() for part in datasets.split(",") if part.strip()}
    absent = sorted(names - {scan.dataset for scan in found.values()})
    if absent:
        raise InputError(f"--datasets: there is no {absent[0]!r} of the role {role} in {data}.")
    return [scan for scan in found.values() if not names or scan.dataset in names]
