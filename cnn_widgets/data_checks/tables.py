"""Results as tables: one dict per row, or a pandas DataFrame where pandas is installed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any


def frame(records: Iterable[dict[str, Any]], columns: Sequence[str]) -> Any:
    """Return records as a pandas DataFrame; an ImportError says if pandas is missing."""
    try:
        pandas: Any = import_module("pandas")
    except ImportError:
        raise ImportError("pandas is not installed: pip install pandas") from None
    return pandas.DataFrame(list(records), columns=list(columns))
