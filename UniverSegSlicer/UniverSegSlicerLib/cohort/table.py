"""The table of a cohort: one row a case, as CSV and as Parquet."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import DependencyError
from ..writing import replacing, write_whole
from .record import CaseRecord

_FACTS = ("ml", "voxels", "confidence", "agreement")


def columns_of(names: Mapping[int, str]) -> dict[int, str]:
    """Label value to the beginning of its columns: its name in small letters, with the value if need be."""
    simple = {v: re.sub(r"\W+", "_", name.lower()).strip("_") or f"label_{v}" for v, name in names.items()}
    return {v: name if list(simple.values()).count(name) == 1 else f"{name}_{v}" for v, name in simple.items()}


def table_rows(records: Sequence[CaseRecord], names: Mapping[int, str]) -> list[dict[str, Any]]:
    """The rows: the same columns in each, None where nothing is known."""
    columns = columns_of(names)
    rows = []
    for record in records:
        row: dict[str, Any] = {
            "case": record.case,
            "volume": record.volume,
            "label_map": None if record.failed else record.output,
            "status": "failed" if record.failed else "done",
            "distance": record.distance,
            "agreement": record.agreement,
            "confidence": record.confidence,
        }
        for value, column in columns.items():
            facts = record.labels.get(value)
            for fact in _FACTS:
                row[f"{column}_{fact}"] = None if facts is None else getattr(facts, fact)
        row |= {
            "seconds": record.seconds,
            "processor_seconds": record.processor_seconds,
            "warnings": " ".join(record.warnings) or None,
            "error": record.error or None,
            "version": record.version or None,
            "model": record.model or None,
            "model_sha256": record.model_sha256 or None,
            "support_sha256": record.support_sha256 or None,
            "support_scans": ", ".join(record.support_scans) or None,
        }
        rows.append(row)
    return rows


def write_tables(csv_file: Path, parquet_file: Path, records: Sequence[CaseRecord], names: Mapping[int, str]) -> None:
    """Write both files, each whole or not at all.

    Raises:
        DependencyError: pyarrow is not installed.
        OutputError: A file cannot be written.
    """
    arrow, parquet = need_pyarrow()
    rows = table_rows(records, names)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]) if rows else ["case"])
    writer.writeheader()
    writer.writerows(
        {name: round(value, 4) if isinstance(value, float) else value for name, value in row.items()} for row in rows
    )
    write_whole(csv_file, text.getvalue())
    kinds = {name: _kind(name, arrow) for name in (rows[0] if rows else {})}
    table = arrow.Table.from_pylist(rows, schema=arrow.schema(list(kinds.items())))
    with replacing(parquet_file) as beside:
        parquet.write_table(table, beside)


def need_pyarrow() -> tuple[Any, Any]:
    """The package, or the sentence that says how to get it."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise DependencyError(
            f"A cohort's table needs the package {error.name}: pip install 'universegslicer[cohort]'."
        ) from error
    return pyarrow, pyarrow.parquet


def _kind(column: str, arrow: Any) -> Any:
    if column.endswith("_voxels"):
        return arrow.int64()
    numbers = ("distance", "agreement", "confidence", "seconds", "processor_seconds")
    return arrow.float64() if column in numbers or column.endswith(_FACTS) else arrow.string()
