"""The lake: closed canonical segments as Parquet, for whatever reads tables. A copy, never a source of truth.

One file holds the inputs of one segment. It is written under a temporary name, read back, compared with the rows that
the log's digests vouch for, and only then takes its name; so a name that is there is whole, and is not written again.
"""

import hashlib
import os
import uuid
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from apps.eventlog import reading
from apps.eventlog.faults import Corrupt
from apps.eventlog.packed import Reader
from apps.eventlog.reading import Sealed
from apps.eventlog.segments import canonical_folder
from polytraders.contracts.inputs import INPUT, INPUT_VERSION

Rows = np.ndarray[Any, Any]

GROUP_ROWS: Final = 1 << 20
LEVEL: Final = 6
SUFFIX: Final = ".parquet"
PARTIAL: Final = ".partial"
NAMES: Final = INPUT.names or ()
FEW: Final = ("kind", "side", "flags")
"""Columns of a few values: a dictionary is smaller there; all others are told by their differences."""
SCHEMA: Final = pa.schema([(name, pa.from_numpy_dtype(INPUT[name])) for name in NAMES])


class Exported(NamedTuple):
    """A file of the lake that was made.

    Attributes:
        path: Its name below the lake.
        first_seq: First input.
        last_seq: Last input.
        size_bytes: Of the file.
    """

    path: str
    first_seq: int
    last_seq: int
    size_bytes: int


class Lake:
    """Files below one folder: of this machine, or of any store that has an address (`s3://bucket/folder`)."""

    def __init__(self, place: str) -> None:
        """Use the folder, or the address.

        Raises:
            ValueError: An address of a kind that is not known.
        """
        if "://" in place:
            self._files, self._base = pafs.FileSystem.from_uri(place)
        else:
            self._files, self._base = pafs.LocalFileSystem(), str(Path(place).absolute())
        self._is_local = isinstance(self._files, pafs.LocalFileSystem)

    def path_of(self, shard: int, segment: str) -> str:
        """Where a segment's file is, below the lake."""
        return f"inputs/shard={shard}/{segment.partition('.')[0]}{SUFFIX}"

    def has(self, path: str) -> bool:
        """Whether a file has its name, and so is whole."""
        return bool(self._files.get_file_info(self._full(path)).type == pafs.FileType.File)

    def read(self, path: str) -> Rows:
        """(n,) INPUT of a file, the bytes that the log has."""
        return rows_of(pq.read_table(self._full(path), filesystem=self._files))

    def write(self, path: str, blocks: Iterator[Rows], told: dict[str, str]) -> tuple[int, int, int]:
        """Write a file whole or not at all.

        Args:
            path: Below the lake.
            blocks: INPUT rows in order.
            told: What the file says about itself.

        Returns:
            First input, last input, bytes.

        Raises:
            Corrupt: It does not read back; it has not got its name.
            OSError: It cannot be written.
        """
        full = self._full(path)
        partial = f"{full}.{uuid.uuid4().hex}{PARTIAL}"
        self._files.create_dir(full.rpartition("/")[0], recursive=True)
        try:
            first, last, digest = self._fill(partial, blocks, told)
            if _digest(partial, self._files) != digest:
                raise Corrupt(f"lake file {path} does not read back as it was written")
            if self._is_local:
                _sync(Path(partial))
            self._files.move(partial, full)
            if self._is_local:
                _sync(Path(full).parent)
        except BaseException:
            if self._files.get_file_info(partial).type != pafs.FileType.NotFound:
                self._files.delete_file(partial)
            raise
        return first, last, int(self._files.get_file_info(full).size)

    def _fill(self, partial: str, blocks: Iterator[Rows], told: dict[str, str]) -> tuple[int, int, bytes]:
        digest, first, last = hashlib.sha256(), 0, 0
        schema = SCHEMA.with_metadata({f"polytraders.{key}": value for key, value in told.items()})
        deltas = {name: "DELTA_BINARY_PACKED" for name in NAMES if name not in FEW}
        with pq.ParquetWriter(
            partial, schema, filesystem=self._files, compression="zstd", compression_level=LEVEL,
            use_dictionary=list(FEW), column_encoding=deltas,
        ) as writer:  # fmt: skip
            for rows in gathered(blocks):
                digest.update(np.ascontiguousarray(rows).view(np.uint8).data)
                writer.write_table(table_of(rows).replace_schema_metadata(schema.metadata), row_group_size=len(rows))
                first = first or int(rows["in_seq"][0])
                last = int(rows["in_seq"][-1])
        return first, last, digest.digest()

    def forget_partial(self, shard: int) -> int:
        """Delete what a crash has left half; to be called by whoever is alone at it."""
        selector = pafs.FileSelector(self._full(f"inputs/shard={shard}"), allow_not_found=True)
        left = [info.path for info in self._files.get_file_info(selector) if info.path.endswith(PARTIAL)]
        for path in left:
            self._files.delete_file(path)
        return len(left)

    def _full(self, path: str) -> str:
        return f"{self._base}/{path}"


def table_of(rows: Rows) -> pa.Table:
    """INPUT rows as a table with their column names."""
    return pa.table([pa.array(np.ascontiguousarray(rows[name])) for name in NAMES], schema=SCHEMA)


def rows_of(table: pa.Table) -> Rows:
    """The rows of a table, (n,) INPUT."""
    rows = np.zeros(table.num_rows, INPUT)
    for name in NAMES:
        rows[name] = table.column(name).to_numpy()
    return rows


def gathered(blocks: Iterator[Rows]) -> Iterator[Rows]:
    """The same rows in pieces of about GROUP_ROWS."""
    kept: list[Rows] = []
    count = 0
    for rows in blocks:
        kept.append(rows)
        count += len(rows)
        if count >= GROUP_ROWS:
            yield np.concatenate(kept)
            kept, count = [], 0
    if count:
        yield np.concatenate(kept)


def _digest(path: str, files: Any) -> bytes:
    digest = hashlib.sha256()
    with files.open_input_file(path) as file:
        parquet = pq.ParquetFile(file)
        for group in range(parquet.num_row_groups):
            digest.update(rows_of(parquet.read_row_group(group)).view(np.uint8).data)
    return digest.digest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def export_closed(connection: psycopg.Connection[Any], home: Path, shard: int, lake: Lake) -> list[Exported]:
    """Put every closed segment into the lake that is not there yet.

    Args:
        connection: Of any role that may read, in autocommit.
        home: Folder that holds `canonical/`.
        shard: Which log.
        lake: Where to.

    Returns:
        The files made now.

    Raises:
        Corrupt: A segment is not what was committed; what came before it is in the lake.
        OSError: The lake cannot be written.
    """
    head = connection.execute("SELECT canonical_file FROM log_head WHERE shard = %s", (shard,)).fetchone()
    if head is None:
        return []
    made = []
    # Names rise with time; the one that is being written, and what comes after the blocks read here, is not closed.
    for segment, sealed in groupby(reading.blocks(connection, shard), lambda block: block.segment):
        path = lake.path_of(shard, segment)
        if segment >= head[0]:
            break
        if not lake.has(path):
            told = {"shard": str(shard), "segment": segment, "input_version": str(INPUT_VERSION)}
            first, last, size = lake.write(path, _rows(canonical_folder(home, shard), segment, sealed), told)
            made.append(Exported(path, first, last, size))
    return made


def _rows(folder: Path, segment: str, blocks: Iterator[Sealed]) -> Iterator[Rows]:
    with Reader(folder, segment) as reader:
        for sealed in blocks:
            yield reading.sealed_rows(reader, sealed)
