"""Work over many photographs by several processes, on one machine or on many.

Photographs are cut into shards of a fixed size; a `PackedNetwork` is a network that a worker can
open; a `Job` is what to do with each shard. `shard_results` hands the shards to an executor
(anything with the interface of `concurrent.futures`) and yields what comes back. A shard whose
worker died is done again; a photograph that makes workers die is found in a process of its own
and left out.

>>> [shard_size(count) for count in (10, 10_000, 100_000_000)]
[64, 160, 256]
"""

from cnn_widgets.executing.packing import PackedNetwork, pack, unpack
from cnn_widgets.executing.parquet import from_parquet, to_parquet, write_table
from cnn_widgets.executing.shards import Job, shard_results, shard_size
from cnn_widgets.executing.workers import checked_executor

__all__ = [
    "Job", "PackedNetwork", "checked_executor", "from_parquet", "pack", "shard_results",
    "shard_size", "to_parquet", "unpack", "write_table",
]  # fmt: skip
