"""Real files of every format that the declared data sets come in, one writer per format."""

from __future__ import annotations

import gzip
import io
import json
import struct
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[Any]

#: Where the first voxel of every test volume lies, in mm (LPS): no symmetry that could hide an error.
ORIGIN = (-11.0, 7.5, 40.25)


def write_volume(path: Path, array: Array, spacing: Sequence[float], axes: str = "LPS") -> None:
    """Write a volume so that its voxel axes run along ``axes``, with the header that says so.

    Args:
        path: .nii, .nii.gz, .mgz, .mha, .mhd or .nrrd.
        array: (K, J, I) in LPS, or (C, K, J, I), which becomes a 4D file with the channels last.
        spacing: mm along K, J and I.
        axes: Direction of the voxel axes in the file, three letters as in DICOM orientations.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if array.ndim == 4:
        channels = [_oriented(channel, spacing, axes) for channel in array]
        image = sitk.JoinSeries(channels)
    else:
        image = _oriented(array, spacing, axes)
    if path.suffix == ".mgz":
        _write_mgz(path, image)
    else:
        sitk.WriteImage(image, str(path), useCompression=_compressed(path))


def _oriented(array: Array, spacing: Sequence[float], axes: str) -> sitk.Image:
    image = sitk.GetImageFromArray(array)
    image.SetSpacing([float(value) for value in reversed(spacing)])
    image.SetOrigin(ORIGIN)
    return sitk.DICOMOrient(image, axes)


def _compressed(path: Path) -> bool:
    # LUNA16 has raw scans and zraw masks, so both kinds of MetaImage are written.
    return path.name.endswith((".gz", ".nrrd")) or "seg" in path.as_posix()


def _write_mgz(path: Path, image: sitk.Image) -> None:
    import nibabel

    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    # FreeSurfer's world is RAS, the one of SimpleITK is LPS.
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    voxels = sitk.GetArrayFromImage(image).transpose(2, 1, 0)
    nibabel.save(nibabel.MGHImage(np.ascontiguousarray(voxels), affine), path)


def write_picture(path: Path, array: Array, palette: Sequence[int] | None = None) -> None:
    """Write a picture (rows, cols) or (rows, cols, 3) of 8 or 16 bits; ``palette`` makes the values indices."""
    path.parent.mkdir(parents=True, exist_ok=True)
    name = path.name.lower()
    if name.endswith((".tif", ".tiff")) and palette is None:
        import tifffile

        tifffile.imwrite(path, array, photometric="rgb" if array.ndim == 3 else "minisblack")
        return
    image = Image.fromarray(array)
    if palette is not None:
        image = image.convert("L")
        image.putpalette(list(palette))
    if name.endswith(".gz"):
        buffer = io.BytesIO()
        image.save(buffer, "PPM")
        path.write_bytes(gzip.compress(buffer.getvalue()))
    elif name.endswith((".jpg", ".jpeg")):
        image.save(path, "JPEG", quality=95, subsampling=0)
    else:
        image.save(path)


def write_pages(path: Path, pages: Array) -> None:
    """Write a tif of several pages: (pages, rows, cols)."""
    import tifffile

    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, pages, photometric="minisblack")


def write_dicom(path: Path, array: Array, *, instance: int, position: float, spacing: Sequence[float]) -> None:
    """Write one axial CT or MR slice with rescale slope 1 and intercept -1024.

    Args:
        path: Where to.
        array: (rows, cols) values after rescaling.
        instance: InstanceNumber.
        position: Position of the slice in mm along the patient axis.
        spacing: mm between slices, rows and columns.
    """
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    path.parent.mkdir(parents=True, exist_ok=True)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[str(path)])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    data.Modality, data.InstanceNumber = "CT", instance
    data.Rows, data.Columns = array.shape
    data.PixelSpacing = [float(spacing[1]), float(spacing[2])]
    data.SliceThickness = float(spacing[0])
    data.ImagePositionPatient = [ORIGIN[0], ORIGIN[1], float(position)]
    data.ImageOrientationPatient = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 0
    data.RescaleSlope, data.RescaleIntercept = 1, -1024
    data.PixelData = (array.astype(np.int32) + 1024).astype("<u2").tobytes()
    data.save_as(path)


def write_matlab(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write a MATLAB 5 file."""
    from scipy.io import savemat

    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, dict(arrays), do_compression=True)


def write_hdf5(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write arrays, and lists of texts, as data sets of one HDF5 file."""
    import h5py

    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for key, value in arrays.items():
            texts = isinstance(value, list)
            file.create_dataset(key, data=value, dtype=h5py.string_dtype() if texts else None)


def write_npy(path: Path, array: Array) -> None:
    """Write one NumPy array."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array)


def run_length(mask: Array) -> dict[str, Any]:
    """A binary mask (rows, cols) as a compressed COCO run-length code that json can hold."""
    from pycocotools import mask as coco

    code = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": [int(side) for side in code["size"]], "counts": code["counts"].decode("ascii")}


def write_json(path: Path, content: Any) -> None:
    """Write json."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def write_xlsx(path: Path, rows: Sequence[Sequence[str | int]]) -> None:
    """Write the least that is an Excel workbook: one sheet with inline texts and numbers."""
    path.parent.mkdir(parents=True, exist_ok=True)

    def cell(column: int, row: int, value: str | int) -> str:
        place = f"{chr(ord('A') + column)}{row}"
        if isinstance(value, int):
            return f'<c r="{place}"><v>{value}</v></c>'
        return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{value}</t></is></c>'

    office = "http://schemas.openxmlformats.org"
    sheet_rows = "".join(
        f'<row r="{number}">{"".join(cell(column, number, value) for column, value in enumerate(row))}</row>'
        for number, row in enumerate(rows, start=1)
    )
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    relation = f"{office}/officeDocument/2006/relationships"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{office}/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kind}.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{office}/package/2006/relationships">'
        f'<Relationship Id="rId1" Type="{relation}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{office}/spreadsheetml/2006/main" xmlns:r="{relation}">'
        '<sheets><sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{office}/package/2006/relationships">'
        f'<Relationship Id="rId1" Type="{relation}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{office}/spreadsheetml/2006/main">'
        f"<sheetData>{sheet_rows}</sheetData></worksheet>",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, f'<?xml version="1.0" encoding="UTF-8"?>\n{text}')


def write_avi(path: Path, frames: Array, rate: int = 25) -> None:
    """Write a motion-JPEG video: (frames, rows, cols) uint8, repeated as red, green and blue."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _, rows, cols = frames.shape
    pictures = []
    for frame in frames:
        buffer = io.BytesIO()
        Image.fromarray(np.repeat(frame[..., None], 3, axis=-1)).save(buffer, "JPEG", quality=95, subsampling=0)
        pictures.append(buffer.getvalue())
    count, size = len(pictures), max(map(len, pictures))
    main = struct.pack("<14I", 1_000_000 // rate, size * rate, 0, 0x10, count, 0, 1, size, cols, rows, 0, 0, 0, 0)
    stream = b"vidsMJPG" + struct.pack("<IHHIIIIIIIIHHHH", 0, 0, 0, 0, 1, rate, 0, count, size, 0, 0, 0, 0, cols, rows)
    bitmap = struct.pack("<IiiHH4sIiiII", 40, cols, rows, 1, 24, b"MJPG", rows * cols * 3, 0, 0, 0, 0)
    movie, index = b"", b""
    for picture in pictures:
        index += b"00dc" + struct.pack("<III", 0x10, 4 + len(movie), len(picture))
        movie += _chunk(b"00dc", picture)
    header = _list(b"hdrl", _chunk(b"avih", main) + _list(b"strl", _chunk(b"strh", stream) + _chunk(b"strf", bitmap)))
    body = header + _list(b"movi", movie) + _chunk(b"idx1", index)
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body) + 4) + b"AVI " + body)


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def _list(name: bytes, data: bytes) -> bytes:
    return _chunk(b"LIST", name + data)


PictureWriter = Callable[[Path, Array], None]
