"""Any file as an array, by its name: pictures, volumes, MATLAB, HDF5 and NumPy files, DICOM, video."""

from __future__ import annotations

import gzip
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from UniverSegSlicerLib.errors import InputError, UniverSegError

from . import volumes
from .arrays import ARRAY_SUFFIXES, TIFF_SUFFIXES, VIDEO_SUFFIXES, VOLUME_SUFFIXES, PaletteArray, RawArray, suffix_of
from .optional import need

#: Pillow's modes that are read as another: without transparency, and colours as red, green and blue.
_PLAIN_MODES = {
    "CMYK": "RGB", "YCbCr": "RGB", "LAB": "RGB", "HSV": "RGB", "RGBA": "RGB", "RGBa": "RGB", "PA": "P", "LA": "L",
}  # fmt: skip


def load_array(path: Path, options: Mapping[str, Any] | None = None) -> RawArray:
    """Load any of the formats of one file; colours and palettes stay as they are stored.

    Returns:
        Pictures as (rows, cols) or (rows, cols, channels); volumes as :func:`.volumes.load_volume` gives them.

    Raises:
        InputError: The file is missing, empty or corrupt, has an unknown suffix, or lacks the wanted key.
        DependencyError: The package for this format is not installed.
    """
    options = options or {}
    if not path.is_file():
        raise InputError(f"The file {path} is missing.")
    if path.stat().st_size == 0:
        raise InputError(f"The file {path} is empty (0 bytes): a half-finished download or extraction?")
    suffix = suffix_of(path)
    try:
        if suffix in VOLUME_SUFFIXES:
            return volumes.load_volume(path, orient=options.get("orient", True))
        if suffix == ".dcm":
            return volumes.load_dicom_slice(path)
        if suffix in ARRAY_SUFFIXES:
            return RawArray(_load_keyed(path, suffix, options.get("key")))
        if suffix in VIDEO_SUFFIXES:
            return RawArray(_load_video(path))
        return RawArray(_load_picture(path, suffix))
    except UniverSegError:
        raise
    except MemoryError:
        raise
    except Exception as error:  # a dozen libraries, each with exceptions of its own for damaged files
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"The file {path} cannot be read ({text}).") from error


def _load_picture(path: Path, suffix: str) -> NDArray[Any]:
    if suffix in TIFF_SUFFIXES:
        return load_tiff(path)
    image_module = need("PIL.Image", "pictures", "pillow")
    source: Any = path
    if suffix.endswith(".gz"):
        source = io.BytesIO(gzip.decompress(path.read_bytes()))
    with image_module.open(source) as opened:
        plain = _PLAIN_MODES.get(opened.mode)
        picture = opened.convert(plain) if plain else opened
        # A palette picture keeps its indices: for masks they are the label values.
        array = np.asarray(picture)
        palette = picture.getpalette() if picture.mode == "P" else None
    return array if palette is None else PaletteArray.make(array, palette)


def load_tiff(path: Path) -> NDArray[Any]:
    """A tif of any bit depth; several pages become (pages, rows, cols[, channels])."""
    tifffile = need("tifffile", "tif files")
    try:
        array = np.asarray(tifffile.imread(path))
    except (ValueError, KeyError, ImportError) as first:
        # Old compressions (group 4 fax, JPEG in tif) need imagecodecs in tifffile; Pillow has them built in.
        image_module = need("PIL.Image", "pictures", "pillow")
        try:
            with image_module.open(path) as picture:
                array = np.asarray(picture)
        except OSError:
            raise first from None
    if array.ndim == 3 and array.shape[0] in (3, 4) and array.shape[-1] not in (1, 3, 4):
        with tifffile.TiffFile(path) as tif:
            if tif.pages[0].planarconfig == tifffile.PLANARCONFIG.SEPARATE:
                array = np.moveaxis(array, 0, -1)
    if array.ndim >= 3 and array.shape[-1] == 4 and array.dtype == np.uint8:
        array = array[..., :3]
    return array


def _load_keyed(path: Path, suffix: str, key: str | None) -> NDArray[Any]:
    if suffix == ".npy":
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    if suffix == ".npz":
        with np.load(path, allow_pickle=False) as archive:
            return np.asarray(archive[_only(key, list(archive.files), path)])
    if suffix == ".mat":
        return _load_matlab(path, key)
    h5py = need("h5py", "HDF5 files")
    with h5py.File(path, "r") as file:
        return np.asarray(file[_only(key, [k for k in file if isinstance(file[k], h5py.Dataset)], path)])


def _load_matlab(path: Path, key: str | None) -> NDArray[Any]:
    scipy_io = need("scipy.io", "MATLAB files", "scipy")
    try:
        content = scipy_io.loadmat(path, variable_names=None)
    except NotImplementedError:  # v7.3 is HDF5 inside, with the axes reversed
        h5py = need("h5py", "MATLAB 7.3 files")
        with h5py.File(path, "r") as file:
            names = [k for k in file if k != "#refs#" and isinstance(file[k], h5py.Dataset)]
            return np.asarray(file[_only(key, names, path)]).T
    names = [name for name in content if not name.startswith("__")]
    value: Any = content
    for part in _only(key, names, path).split("/"):
        if isinstance(value, np.ndarray) and value.dtype.names:
            value = value[part].item() if value.size == 1 else value[part]
        else:
            value = value[part]
    return np.asarray(value)


def _only(key: str | None, names: list[str], path: Path) -> str:
    if key is not None:
        if key.split("/")[0] not in names:
            raise InputError(f"{path} has no array {key!r}; it has {', '.join(sorted(names)) or 'none'}.")
        return key
    if len(names) != 1:
        raise InputError(f"{path} has {len(names)} arrays ({', '.join(sorted(names))}); say which with the option key.")
    return names[0]


def _load_video(path: Path) -> NDArray[Any]:
    """Every frame of a video: (frames, rows, cols, 3)."""
    need("av", "video files")
    imageio = need("imageio.v3", "video files", "imageio")
    return np.asarray(imageio.imread(path, plugin="pyav"))
