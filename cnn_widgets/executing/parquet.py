"""Rows as a Parquet table, and back: the same rows give the same bytes."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import Field, fields
from itertools import islice
from typing import Any, TypeVar

Row = TypeVar("Row")

#: Rows per group of a table: what is read at once.
GROUP = 65_536
#: How the fields of a dataclass are kept, by what is written beside them; others are JSON.
_KINDS = {
    "str": "string", "int": "int64", "float": "float64", "bytes": "binary", "bool": "bool_",
    "tuple[float, ...]": "floats",
}  # fmt: skip


def pyarrow() -> Any:
    """Return `pyarrow`, with its Parquet part.

    Raises
    ------
    ImportError
        If it is missing; the message names the extra.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise ImportError(
            "Parquet tables need pyarrow: pip install 'cnn-widgets[cluster]' (in a checkout: "
            "'.[cluster]')."
        ) from None
    return pyarrow


def write_table(file: Any, kinds: Mapping[str, str], rows: Iterable[Sequence[Any]]) -> None:
    """Write rows into a file that is open for writing, `GROUP` at a time.

    `kinds` names the columns and their types: those of `pyarrow`, or "floats" for a list of them.
    """
    arrow = pyarrow()
    schema = arrow.schema([
        (name, arrow.list_(arrow.float64()) if kind == "floats" else getattr(arrow, kind)())
        for name, kind in kinds.items()
    ])  # fmt: skip
    waiting = iter(rows)
    with arrow.parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        while some := list(islice(waiting, GROUP)):
            named = zip(schema, zip(*some, strict=True), strict=True)
            columns = [arrow.array(list(values), each.type) for each, values in named]
            writer.write_table(arrow.Table.from_arrays(columns, schema=schema))


def to_parquet(kind: type[Any], rows: Iterable[Any]) -> bytes:
    """Return rows of a dataclass as a Parquet file, a column for each field.

    Text, numbers, bytes and tuples of floats have columns of their type; anything else is JSON.

    >>> from cnn_widgets.records import Prediction
    >>> table = to_parquet(Prediction, [Prediction(3, "cat", 0.9, 4.5)])
    >>> list(from_parquet(Prediction, table))
    [Prediction(class_index=3, name='cat', probability=0.9, score=4.5)]
    """
    some, file = fields(kind), io.BytesIO()
    told = ([_kept(each, getattr(row, each.name)) for each in some] for row in rows)
    write_table(file, {each.name: _KINDS.get(str(each.type), "string") for each in some}, told)
    return file.getvalue()


def from_parquet(kind: type[Row], data: bytes) -> Iterator[Row]:
    """Yield the rows of a Parquet file; a ValueError if it is none, or holds another table."""
    arrow, some = pyarrow(), fields(kind)  # type: ignore[arg-type]
    try:
        table = arrow.parquet.read_table(io.BytesIO(data))
        columns = [table.column(each.name).to_pylist() for each in some]
    except (arrow.ArrowException, KeyError, OSError) as error:  # damaged pages are an OSError
        raise ValueError(f"This is no table of {kind.__name__}: {error}") from None
    for row in zip(*columns, strict=True):
        told = zip(some, row, strict=True)
        yield kind(**{each.name: _restored(each, value) for each, value in told})


def _kept(field: Field[Any], value: Any) -> Any:
    return value if str(field.type) in _KINDS else json.dumps(value)


def _restored(field: Field[Any], value: Any) -> Any:
    if str(field.type) not in _KINDS:
        return json.loads(value)
    return tuple(value) if isinstance(value, list) else value
