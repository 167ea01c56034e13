"""Where standardised data sets live: one folder, one shard per data set, plain arrays and Parquet tables.

::

    <store>/store.json                 version of the layout
    <store>/<data set>/shard.json      origin, licence, seed, checksums, failures, notes
    <store>/<data set>/images.parquet  one row per picture
    <store>/<data set>/masks.parquet   one row per picture and label
    <store>/<data set>/res128_images.npy   uint8 (pictures, 128, 128)
    <store>/<data set>/res128_masks.npy    uint8 (masks, 128 * 128 / 8), bits packed along the rows

:class:`Store` reads it; :mod:`.shard` writes it.
"""

from __future__ import annotations

from .reader import Store

__all__ = ["Store"]
