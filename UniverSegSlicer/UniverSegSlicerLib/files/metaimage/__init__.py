"""MetaImage (``.mha``, ``.mhd``): the header looked at field by field, the voxels counted as they are read.

ITK's own reader is not asked: it counts no bytes. Of a list with too few files, or of compressed data whose length the
header does not tell, it gives whatever the memory held; a list of numbers with too many or too few of them, or a ``%``
in a file's name, ends the process (SimpleITK 2.5).
Source: https://docs.itk.org/en/latest/learn/metaio.html
"""

from __future__ import annotations

from .headers import is_meta_name
from .reading import read_meta

__all__ = ["is_meta_name", "read_meta"]
