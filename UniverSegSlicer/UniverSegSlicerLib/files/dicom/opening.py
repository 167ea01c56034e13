"""One DICOM file: what its header says, read by pydicom, and every fault of the file in words."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from ...errors import DependencyError, InputError

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

#: The elements that hold voxels, in the order of PS3.3 C.7.6.3, C.7.6.24 and C.7.6.25.
PIXELS = {0x7FE00010: "PixelData", 0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData"}

_PREAMBLE, _MARK = 128, b"DICM"
# Endings under which nothing but DICOM is kept: such a file in a folder is a slice, or was to be one.
_ENDINGS = (".dcm", ".ima", ".dicom")
_DIRECTORY = "1.2.840.10008.1.3.10"
_IMPLICIT, _EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
_EXPLICIT_BIG_ENDIAN = "1.2.840.10008.1.2.2"
_WITHOUT_IMAGE = {
    "SR": "a structured report",
    "RTSTRUCT": "contours (RT structures); save them as NIfTI, NRRD or DICOM SEG",
    "RTPLAN": "a plan of a treatment",
    "PR": "settings of a display",
    "KO": "a list of images",
    "DOC": "a document",
    "REG": "a registration",
    "ECG": "a waveform",
}
_SEGMENTATIONS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
_GREY = ("", "MONOCHROME1", "MONOCHROME2")
_SECONDARY = "1.2.840.10008.5.1.4.1.1.7"


@cache
def library() -> Any:
    """pydicom, imported when the first DICOM file is read.

    Raises:
        DependencyError: It is not installed.
    """
    absent = object()
    # GDCM's package looks for a module of Python 2 and takes any folder named dl in the working directory for it.
    before = sys.modules.get("dl", absent)
    sys.modules["dl"] = None  # type: ignore[assignment]
    try:
        import pydicom
    except ImportError as error:
        raise DependencyError("DICOM is read by the package pydicom: pip install 'universegslicer[cli]'.") from error
    finally:
        if before is absent:
            del sys.modules["dl"]
        else:
            sys.modules["dl"] = before  # type: ignore[assignment]
    return pydicom


def is_dicom(path: Path) -> bool:
    """Whether a file is DICOM: by its mark (``DICM`` at byte 128), or, without preamble, by its first element."""
    with path.open("rb") as file:
        start = file.read(_PREAMBLE + len(_MARK))
    named = bool(start) and path.name.lower().endswith(_ENDINGS)
    return start[_PREAMBLE:] == _MARK or _starts_with_an_element(start) or named


def _starts_with_an_element(start: bytes) -> bool:
    """Whether bytes are the head of an element of group 2 or 8, in which every data set starts."""
    if len(start) < 8:
        return False
    for order in ("little", "big"):
        group, number = (int.from_bytes(start[at : at + 2], order) for at in (0, 2))
        if group in (2, 8) and number <= 0x0070:
            explicit = start[4:6] in (b"UL", b"CS", b"UI", b"SH", b"LO", b"DA", b"TM", b"OB", b"DT", b"ST", b"SQ")
            short = int.from_bytes(start[4:8], order) <= 64
            return explicit or (order == "little" and short)
    return False


@contextlib.contextmanager
def in_words(path: Path) -> Iterator[None]:
    """Turn whatever pydicom raises on a damaged file into one sentence, and keep its warnings to itself."""
    pydicom = library()
    try:
        with warnings.catch_warnings(), pydicom.config.disable_value_validation():
            warnings.simplefilter("ignore")
            yield
    except (InputError, DependencyError, MemoryError):
        raise
    except Exception as error:  # damaged elements raise every type that Python has
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's, and not pydicom's own
        raise InputError(f"{path} is damaged, or not DICOM as it should be.") from error


@dataclass(frozen=True)
class Pixels:
    """The element with the voxels of a file.

    Attributes:
        keyword: Its name, one of :data:`PIXELS`.
        kind: Its value representation, where the file says it.
        start: Byte at which its value starts; of no use in a deflated file.
        length: Of its value in bytes, as the file says; 0xFFFFFFFF where it ends by a mark.
    """

    keyword: str
    kind: str | None
    start: int
    length: int


class Instance:
    """One file.

    Attributes:
        path: The file.
        header: Its elements up to the voxels.
        pixels: Where its voxels are, None where it has none.
        kind: SOP Class UID.
        rows, columns, frames: Its size; 0 rows where it is no image.
        series: Study and Series Instance UID.
        uid: SOP Instance UID.
        number, title: Series Number and Series Description (or what stands in for it), as text.
        place: Instance Number, 0 where there is none.
        types: Image Type, in capitals.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with in_words(path):
            self.header, self.pixels = _read(path)
            self.kind = self.text("SOPClassUID") or self._meta("MediaStorageSOPClassUID")
            if not self.kind and not any(keyword in self.header for keyword in ("Rows", "Modality")):
                raise InputError(f"{path} is damaged, or not DICOM: it says neither what it is nor how large.")
            self.rows, self.columns = self._count("Rows"), self._count("Columns")
            self.frames = max(1, self._count("NumberOfFrames"))
            self.series = (self.text("StudyInstanceUID"), self.text("SeriesInstanceUID"))
            self.uid = self.text("SOPInstanceUID")
            self.number, self.title = self.text("SeriesNumber"), self.text("SeriesDescription") or self.text("Modality")
            self.place = _whole(self.text("InstanceNumber"))
            self.types = tuple(str(part).upper() for part in self.values("ImageType"))

    @property
    def syntax(self) -> str:
        """The transfer syntax; where no meta information names it, what the elements are written in."""
        named = self._meta("TransferSyntaxUID")
        if named:
            return named
        implicit, little = self.header.original_encoding
        return _EXPLICIT_BIG_ENDIAN if not little else _IMPLICIT if implicit else _EXPLICIT

    @property
    def is_directory(self) -> bool:
        """Whether it is a DICOMDIR."""
        return self.kind == _DIRECTORY or "DirectoryRecordSequence" in self.header

    @property
    def is_segmentation(self) -> bool:
        """Whether it is a DICOM SEG (PS3.3 A.51)."""
        return self.kind in _SEGMENTATIONS or (self.text("Modality") == "SEG" and "SegmentSequence" in self.header)

    @property
    def is_image(self) -> bool:
        """Whether it has voxels that are no segmentation."""
        spectra = "SpectroscopyData" in self.header
        return self.rows > 0 and self.columns > 0 and not (self.is_segmentation or self.is_directory or spectra)

    @property
    def is_broken(self) -> bool:
        """Whether it is an image by its kind and has no voxels; or ends before it says what it is."""
        name = _kind_name(self.kind)
        if name.endswith("Image Storage"):
            return self.pixels is None or self.rows < 1 or self.columns < 1
        return self.pixels is None and name == self.kind and not self.series[1]

    @property
    def is_localizer(self) -> bool:
        """Whether it is an overview for planning (PS3.3 C.8.2.1.1.1, C.8.3.1.1.1)."""
        return bool({"LOCALIZER", "SCOUT", "TOPOGRAM"} & set(self.types))

    @property
    def is_secondary(self) -> bool:
        """Whether it is a picture of a screen or of paper, which lies nowhere in the patient."""
        return self.kind.startswith(_SECONDARY) and "ImagePositionPatient" not in self.header

    @cached_property
    def is_grey(self) -> bool:
        """Whether a pixel is one number, and not an index into a table of colours."""
        return self._count("SamplesPerPixel") <= 1 and self.text("PhotometricInterpretation") in _GREY

    def refuse(self) -> InputError | None:
        """Why no voxels can be taken from this file, where that is so."""
        if not self.is_image or self.is_broken:
            return self._without_image()
        if "MOSAIC" in self.types:
            return InputError(
                f"{self.path} is a Siemens mosaic, whose slices lie side by side in one picture; make a volume of it "
                "with dcm2niix."
            )
        if not self.is_grey:
            kind = self.text("PhotometricInterpretation")
            if kind in _GREY:
                kind = "several samples per pixel"
            return InputError(f"{self.path} is a colour image ({kind}); a volume has one number per voxel.")
        if "TotalPixelMatrixColumns" in self.header:
            return InputError(f"{self.path} is a microscope's picture in tiles, which is not a volume.")
        return None

    def _without_image(self) -> InputError:
        if self.is_broken and self.pixels is None:
            return InputError(f"{self.path} is cut off or damaged: it should hold an image, and it has no pixel data.")
        if self.is_broken:
            return InputError(f"{self.path} is damaged: its header tells of {self.columns} x {self.rows} pixels.")
        what = _WITHOUT_IMAGE.get(self.text("Modality")) or _kind_name(self.kind) or "something else"
        return InputError(f"{self.path} holds no image: it is {what}.")

    def text(self, keyword: str) -> str:
        """An element in one line of printable text; empty where there is none."""
        try:
            value = str(self.header.get(keyword) or "")
        except Exception:  # a number that is none, letters of no alphabet: it is shown as it stands
            value = bytes(self.header.get_item(keyword).value or b"").decode("latin-1")
        return "".join(letter for letter in value if letter.isprintable()).strip()

    def values(self, keyword: str) -> list[Any]:
        """The values of an element, however many there are."""
        value = self.header.get(keyword)
        if value is None or value == "":
            return []
        return [value] if isinstance(value, str | int | float) else list(value)

    def _count(self, keyword: str) -> int:
        value = self.header.get(keyword)
        try:
            return int(value or 0)
        except (TypeError, ValueError) as error:
            name = library().datadict.dictionary_description(keyword)
            raise InputError(f"{self.path} is damaged: its {name} is {str(value)[:40]!r}.") from error

    def _meta(self, keyword: str) -> str:
        return str(getattr(self.header, "file_meta", {}).get(keyword) or "").strip()


def _kind_name(kind: str) -> str:
    return str(library().uid.UID(kind, validation_mode=0).name)


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0


def _read(path: Path) -> tuple[FileDataset, Pixels | None]:
    """The elements of a file up to the voxels, and where these are."""
    from pydicom.filereader import read_partial

    found: Pixels | None = None

    def at_pixels(tag: int, kind: str | None, length: int) -> bool:
        nonlocal found
        if int(tag) in PIXELS:
            found = Pixels(PIXELS[int(tag)], kind, file.tell(), length)
        return found is not None

    with path.open("rb") as file:
        stream: Any = _Clipped(file, path.stat().st_size)
        return read_partial(stream, at_pixels, force=True), found


class _Clipped:
    """A stream that is never asked for more than it has: a damaged length of four bytes would reserve gigabytes."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream, self._size = stream, size
        self.seek, self.tell, self.name = stream.seek, stream.tell, stream.name

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._size - self.tell())
        return self._stream.read(left if size < 0 else min(size, left))
