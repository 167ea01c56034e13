"""Real files of every kind that is read, small enough to be read thousands of times."""

from __future__ import annotations

import bz2
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from UniverSegSlicerLib.files import Segment, read_label_map, read_volume, write_label_map, write_volume
from UniverSegSlicerLib.imaging import Geometry, Volume
from UniverSegSlicerLib.segmentation import LabelledScan, SupportSet

#: Part of a real MR volume that serves as a seed: (K, J, I).
_PART = (slice(80, 88), slice(100, 114), slice(60, 72))
_OBLIQUE = (0.9396926, 0.3420201, 0.0, 0.3420201, -0.9396926, 0.0, 0.0, 0.0, 1.0)

#: Ways to compress voxels, and doses.
_PACKED = (
    "MR_small_RLE.dcm", "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm", "JPGExtended.dcm",
    "image_dfl.dcm", "rtdose.dcm",
)  # fmt: skip

Reader = Callable[[Path], Any]


class Seeds:
    """Seed files by kind, and how each kind is read.

    Args:
        folder: Is filled with the files.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._volume, self._labels = _real_volume()
        self.kinds: dict[str, list[tuple[Path, Reader]]] = {
            "NIfTI": list(self._nifti()),
            "NRRD": list(self._nrrd()),
            "DICOM": list(self._dicom()),
            "support set": list(self._support()),
            "models.json": [(_copy(_catalogue(), folder / "models.json"), _read_catalogue)],
            "YAML": list(self._yaml()),
            "weights": list(self._weights()),
            "checkpoint": list(self._checkpoint()),
        }

    def _nifti(self) -> Iterator[tuple[Path, Reader]]:
        from UniverSegSlicerLib.files import read_label_map

        geometry = Geometry(self._volume.shape[::-1], (1.0, 1.2, 2.5), (-12.0, 30.0, 5.0), _OBLIQUE)
        for name in ("volume.nii", "volume.nii.gz"):
            write_volume(self.folder / name, self._volume, geometry)
            yield self.folder / name, read_volume
        write_volume(self.folder / "floats.nii", self._volume.astype(np.float64), geometry)
        yield self.folder / "floats.nii", read_volume
        write_label_map(self.folder / "labels.nii.gz", self._labels, geometry)
        yield self.folder / "labels.nii.gz", read_label_map
        try:
            import nibabel
        except ImportError:
            return
        second = nibabel.Nifti2Image(self._volume.T.astype(np.int16), np.diag((1.0, 1.2, 2.5, 1.0)))
        nibabel.save(second, self.folder / "second.nii")
        yield self.folder / "second.nii", read_volume
        # Packed and named otherwise, and in two files.
        yield _copy(self.folder / "volume.nii.gz", self.folder / "packed.nii"), read_volume
        (self.folder / "volume.nii.bz2").write_bytes(bz2.compress((self.folder / "volume.nii").read_bytes()))
        yield self.folder / "volume.nii.bz2", read_volume
        pair = nibabel.Nifti1Pair(self._volume.T.astype(np.int16), np.diag((1.0, 1.2, 2.5, 1.0)))
        nibabel.save(pair, self.folder / "pair.img")
        for name in ("pair.img", "pair.hdr"):
            yield self.folder / name, read_volume

    def _nrrd(self) -> Iterator[tuple[Path, Reader]]:
        import SimpleITK as sitk

        from UniverSegSlicerLib.imaging import Volume, to_sitk

        geometry = Geometry(self._volume.shape[::-1], (1.0, 1.2, 2.5), (-12.0, 30.0, 5.0), _OBLIQUE)
        for name in ("volume.nrrd", "volume.mha"):
            write_volume(self.folder / name, self._volume, geometry)
            yield self.folder / name, read_volume
        sitk.WriteImage(to_sitk(Volume(self._volume, geometry)), str(self.folder / "plain.nrrd"), useCompression=False)
        yield self.folder / "plain.nrrd", read_volume
        named = tuple(Segment(value, f"Größe {value}", (1.0, 0.5, 0.0)) for value in (1, 2))
        write_label_map(self.folder / "labels.seg.nrrd", self._labels, geometry, segments=named)
        yield self.folder / "labels.seg.nrrd", read_label_map
        sitk.WriteImage(
            to_sitk(Volume(self._volume, geometry)), str(self.folder / "detached.mhd"), useCompression=False
        )
        yield self.folder / "detached.mhd", read_volume
        # One file for each slice, of the same type as detached.raw.
        whole = (self.folder / "detached.raw").read_bytes()
        share = len(whole) // len(self._volume)
        names = [f"slice{number}.raw" for number in range(len(self._volume))]
        for number, name in enumerate(names):
            (self.folder / name).write_bytes(whole[number * share : (number + 1) * share])
        head, _, _ = (self.folder / "plain.nrrd").read_bytes().partition(b"\n\n")
        listed = "\n".join(names).encode()
        (self.folder / "pieces.nhdr").write_bytes(head + b"\ndata file: LIST\n" + listed + b"\n")
        meta = (self.folder / "detached.mhd").read_bytes().replace(b"detached.raw", b"LIST\n" + listed)
        (self.folder / "pieces.mhd").write_bytes(meta)
        numbered = f"data file: slice%d.raw 0 {len(names) - 1} 1\n".encode()
        (self.folder / "numbered.nhdr").write_bytes(head + b"\n" + numbered)
        for name in ("pieces.nhdr", "pieces.mhd", "numbered.nhdr"):
            yield self.folder / name, read_volume

    def _dicom(self) -> Iterator[tuple[Path, Reader]]:
        from pydicom.data import get_testdata_file

        for name in ("CT_small.dcm", "MR_small.dcm"):
            found = get_testdata_file(name, download=False)
            if found is not None:
                yield _copy(Path(str(found)), self.folder / name), read_volume
                # The same file as the only one of a series.
                yield _copy(Path(str(found)), self.folder / f"series_{name}"), _read_series
        for name in _PACKED:
            found = get_testdata_file(name, download=False)
            if found is not None:
                yield _copy(Path(str(found)), self.folder / name), read_volume
        yield from self._dicom_frames()

    def _dicom_frames(self) -> Iterator[tuple[Path, Reader]]:
        """A multi-frame object, and a SEG that refers to it."""
        from Testing.files.dicom.dicom_maker import enhanced, heights, save
        from UniverSegSlicerLib.files.dicom import read_dicom_labels, write_dicom_segments
        from UniverSegSlicerLib.files.label_maps import LabelMap, Segment

        count = len(self._volume)
        made = enhanced(self._volume, heights(count), slopes=[(0.5 + k, -k) for k in range(count)])
        frames = save(made, self.folder / "frames.dcm")
        yield frames, read_volume
        geometry = read_volume(frames).geometry
        labels = LabelMap(self._labels, geometry, (Segment(2, "structure", (1.0, 0.0, 0.0)),))
        write_dicom_segments(self.folder / "segments.dcm", [labels])
        yield self.folder / "segments.dcm", read_dicom_labels

    def _support(self) -> Iterator[tuple[Path, Reader]]:
        volume = self._volume.astype(np.float32)
        support = SupportSet.from_pairs(list(volume[:3]), list(self._labels[:3]), label_names={1: "one"})
        support.save(self.folder / "support.npz")
        yield self.folder / "support.npz", SupportSet.load
        grid = Geometry(volume.shape[::-1], (1.0, 1.0, 2.0))
        scan = LabelledScan.of(Volume(volume, grid), self._labels.astype(np.uint16), source="scan")
        replace(support, scans=(scan,)).save(self.folder / "support_scan.npz")
        yield self.folder / "support_scan.npz", SupportSet.load
        plain = self.folder / "plain.npz"
        with np.load(self.folder / "support.npz") as archive:
            np.savez(plain, **dict(archive))
        yield plain, SupportSet.load

    def _yaml(self) -> Iterator[tuple[Path, Reader]]:
        import trainer
        from trainer.learning.loop.config import load_config
        from trainer.megamedical.declaration import load_declaration

        package = Path(trainer.__file__).parent
        for name in ("default", "synthetic"):
            yield _copy(package / "configs" / f"{name}.yaml", self.folder / f"{name}.yaml"), load_config
        for name in ("ACDC", "OASIS", "BUS"):
            source = package / "megamedical" / "datasets" / f"{name}.yaml"
            yield _copy(source, self.folder / f"{name}.yaml"), load_declaration

    def _weights(self) -> Iterator[tuple[Path, Reader]]:
        import torch

        from UniverSegSlicerLib.network.weights.files import read_network, write_network

        network = _network()
        write_network(self.folder / "model.safetensors", network)
        yield self.folder / "model.safetensors", read_network
        torch.save(network.state_dict(), self.folder / "model.pt")
        yield self.folder / "model.pt", read_network
        torch.save(network.state_dict(), self.folder / "old.pt", _use_new_zipfile_serialization=False)
        yield self.folder / "old.pt", read_network

    def _checkpoint(self) -> Iterator[tuple[Path, Reader]]:
        import torch

        from trainer.learning.loop.checkpoints import Checkpoint, load_checkpoint, save_checkpoint

        network = _network()
        optimizer = torch.optim.Adam(network.parameters())
        sum(parameter.sum() for parameter in network.parameters()).backward()
        optimizer.step()
        checkpoint = Checkpoint(
            5, network.architecture, network.state_dict(), network.state_dict(), 1, optimizer.state_dict(),
            [{"torch": torch.get_rng_state()}], {"history": [1.0]},
        )  # fmt: skip
        saved = save_checkpoint(self.folder / "checkpoints", checkpoint)

        def reader(path: Path) -> Any:
            """Read the checkpoint with one file exchanged."""
            whole = path.parent / "checkpoint"
            if not whole.is_dir():
                shutil.copytree(saved, whole)
            original = saved / path.name
            shutil.copyfile(path, whole / path.name)
            try:
                return load_checkpoint(whole)
            finally:
                shutil.copyfile(original, whole / path.name)

        for file in sorted(saved.iterdir()):
            yield file, reader


def _real_volume() -> tuple[np.ndarray, np.ndarray]:
    """A part of the ICBM-152 average T1 that comes with nilearn, (K, J, I) int16, and two labels in it."""
    try:
        import nilearn
    except ImportError:
        volume = np.random.default_rng(0).integers(0, 255, [s.stop - s.start for s in _PART])
    else:
        folder = Path(nilearn.__file__).parent / "datasets" / "data"
        volume = read_volume(next(folder.glob("*t1_tal_nlin_sym_09a*.nii.gz"))).array[_PART]
    volume = np.ascontiguousarray(volume).astype(np.int16)
    return volume, (volume > np.median(volume)).astype(np.uint16) * 2


def _network() -> Any:
    import torch

    from UniverSegSlicerLib.network import Architecture, UniverSeg

    torch.manual_seed(3)
    return UniverSeg(Architecture(1, (2, 2)))


def _catalogue() -> Path:
    from UniverSegSlicerLib.network.weights import resource_folder

    return resource_folder() / "models.json"


def _read_catalogue(path: Path) -> Any:
    from UniverSegSlicerLib.network.weights import read_catalogue

    entries = read_catalogue(path)
    json.dumps([entry.title for entry in entries.values()])
    return entries


def _read_series(path: Path) -> Any:
    folder = path.parent / "series"
    folder.mkdir(exist_ok=True)
    shutil.copyfile(path, folder / "only.dcm")
    return read_volume(folder)


def _copy(source: Path, target: Path) -> Path:
    shutil.copyfile(source, target)
    return target
