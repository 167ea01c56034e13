"""The commented declaration that ``datasets add`` writes for a laboratory's own data."""

from __future__ import annotations

import re
from pathlib import Path

from UniverSegSlicerLib.errors import InputError
from UniverSegSlicerLib.writing import write_whole

_TEMPLATE = r"""# Declaration of the data set {id}. Fill in, then look at what it finds:
#   universeg-trainer datasets check {id} --root FOLDER --declarations {file}
# and make it part of a store:
#   universeg-trainer standardize --root FOLDER --store STORE --declarations {file} --datasets {id}
id: {id}
title: {id} of our laboratory
citation: ""                     # doi:..., arXiv:..., or empty
source: our laboratory
licence:
  name: internal                 # CC BY 4.0, CC0, internal, ...
  commercial_use: unclear        # yes, no, unclear, unknown
  registration: none             # none, account, form; account and form ask for --accept-licence {id}
role: train                      # train; val: only to choose settings; heldout: only for the final test
domain: organ and kind of picture
confidence: {{layout: seen_in_data, labels: seen_in_data, licence: seen_in_documentation}}

groups:                          # one per layout of files, field of view, or sub-population
- name: all
  root: .                        # folder below FOLDER or FOLDER/{id}
  # volume: NIfTI, NRRD, MetaImage, MGH     stack: folders of DICOM, PNG or TIFF slices, multi-page TIFF
  # image: PNG, JPEG, BMP, GIF, TIFF, MAT   table: NPY, NPZ, HDF5, MAT with many samples, video
  # json: pictures with run lengths or polygons in a json file
  reader: volume
  # Regular expressions on the path below root, letters of any case. What the named groups catch must agree between
  # image and label: (?P<subject>...) is the unit of the split; (?P<channel>...) makes an image of each contrast;
  # (?P<class>...) and (?P<rater>...) tell label files of one image apart; (?P<slice>...) orders the files of a stack.
  image:
    pattern: '^(?P<subject>[^/]+)/image\.nii\.gz$'
  label:
    pattern: '^(?P<subject>[^/]+)/label\.nii\.gz$'
    # values: integers with names. nonzero or threshold: one name. nearest: grey levels that were blurred.
    # ranges: 55..70. colours: 255,0,0. classes: one file per class. channels: last axis. rle, polygons: json.
    encoding: values
    names:
      1: first structure
      2: second structure
  modality: CT                   # or {{t1: T1 MRI, t2: T2 MRI}}, by what (?P<channel>...) catches
  axes: [0, 1, 2]                # volumes: 0 axial, 1 coronal, 2 sagittal
  intensity: {{rule: ct}}          # ct (window: [-500, 1000]), mr (percentiles of what is above 0), none
  resample_mm: 1.0               # volumes; null keeps the spacing
  # Paths that fit the patterns; they are checked when this file is read.
  example_image: case01/image.nii.gz
  example_label: case01/label.nii.gz
"""


def write_template(name: str, path: str | Path) -> Path:
    """Write a commented declaration named ``name``.

    Raises:
        InputError: The name has other characters than letters, digits, _ and -, or the file exists.
        OutputError: The file cannot be written.
    """
    path = Path(path)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise InputError(f"The name {name!r} may only have letters, digits, _ and -.")
    if path.exists():
        raise InputError(f"{path} exists already; choose another file, it is not overwritten.")
    write_whole(path, _TEMPLATE.format(id=name, file=path.name).encode())
    return path
