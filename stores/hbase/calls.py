"""The methods of HBase's Thrift interface on the embedded engine, one function each: what the Thrift server of HBase does.

A function gets the Service, the arguments and the Operation to note what it costs in; it returns the method's value.
"""

from stores.hbase.engine import FOREVER, LONG, Failure, Family, Scanner, check_family, illegal, text
from stores.hbase.filters import Prefix, parse
from stores.hbase.thrift import idl

COMPRESSIONS = ("LZO", "GZ", "NONE", "SNAPPY", "LZ4", "BZIP2", "ZSTD", "LZMA", "BROTLI")
OPTIONAL = ("attributes", "columns", "value")  # arguments that may be missing
BLOOMS = ("NONE", "ROW", "ROWCOL", "ROWPREFIX_FIXED_LENGTH")


class Service:
    """Answers the calls of one connection. Scanners belong to the server, as with HBase, but end with their connection."""

    def __init__(self, engine, scanners, address):
        self.engine = engine
        self.scanners = scanners  # by number, those of all connections
        self.address = address  # (host, port), which the regions name
        self._own = set()

    def answer(self, call, operation):
        """Return the value of a call. Raises Failure."""
        names = [field[1] for field in call.args.thrift_spec.values()]
        if missing := [name for name in names if name not in OPTIONAL and getattr(call.args, name) is None]:
            raise illegal(f"{call.method} needs {' and '.join(missing)}")
        return CALLS[call.method](self, call.args, operation)

    def open_scanner(self, scanner):
        number = max(self.scanners, default=-1) + 1
        self.scanners[number] = scanner
        self._own.add(number)
        return number

    def scanner(self, number):
        if number not in self.scanners:
            raise Failure("scanner ID is invalid", kind="ia")
        return self.scanners[number]

    def close(self):
        for number in self._own:
            self.scanners.pop(number, None)


def column_of(name):
    """b"family:qualifier" → the pair; without a colon the qualifier is None, which means all of the family."""
    family, colon, qualifier = name.partition(b":")
    return family, qualifier if colon else None


def columns_of(names):
    return {column_of(name) for name in names} if names else None


# -- tables -----------------------------------------------------------------------------------


def get_table_names(service, arguments, operation):
    return sorted(service.engine.tables)


def create_table(service, arguments, operation):
    service.engine.create(arguments.tableName, [_family(descriptor) for descriptor in arguments.columnFamilies])


def _family(told):
    name = column_of(told.name or b"")[0]
    compression, bloom = (_string(told.compression), _string(told.bloomFilterType))
    check_family(name)
    if told.maxVersions <= 0:
        raise illegal("Maximum versions must be positive")
    if compression.upper() not in COMPRESSIONS:
        raise illegal(f"Unsupported compression algorithm name: {compression}")
    if bloom.upper() not in BLOOMS:
        raise illegal(f"No enum constant org.apache.hadoop.hbase.regionserver.BloomType.{bloom}")
    options = dict(compression=compression, inMemory=told.inMemory, bloomFilterType=bloom, blockCacheEnabled=told.blockCacheEnabled)
    return Family(name, told.maxVersions, told.timeToLive if 0 < told.timeToLive < FOREVER else None, options)


def _string(value):
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def get_column_descriptors(service, arguments, operation):
    families = service.engine.table(arguments.tableName, enabled=False).families.values()
    return {
        family.name + b":": idl.ColumnDescriptor(
            name=family.name + b":", maxVersions=family.versions, timeToLive=family.ttl or FOREVER, **family.options
        )
        for family in sorted(families, key=lambda family: family.name)
    }


def get_table_regions(service, arguments, operation):
    try:
        table = service.engine.table(arguments.tableName, enabled=False)
    except Failure:
        return []
    return [_region(service, table, start) for start in [b"", *table.splits]]


def _region(service, table, start):
    host, port = service.address
    ends = [*table.splits, b""]
    end = ends[0] if not start else ends[ends.index(start) + 1]
    return idl.TRegionInfo(
        startKey=start,
        endKey=end,
        id=table.created,
        name=table.region_name(start),
        version=1,
        serverName=host.encode(),
        port=port,
    )


def set_enabled(enabled):
    return lambda service, arguments, operation: service.engine.set_enabled(arguments.tableName, enabled)


def is_table_enabled(service, arguments, operation):
    return service.engine.table(arguments.tableName, enabled=False).enabled


def delete_table(service, arguments, operation):
    service.engine.delete(arguments.tableName)


def compact(service, arguments, operation):
    """A minor compaction keeps the markers of deletes."""
    service.engine.table(arguments.tableNameOrRegionName)


def major_compact(service, arguments, operation):
    service.engine.table(arguments.tableNameOrRegionName).compact()


# -- reads ------------------------------------------------------------------------------------


def _read(service, operation, table, key, columns, newest=LONG, versions=1):
    for family, _ in columns or ():
        table.family(family)
    if not key:
        raise illegal("Row length is 0")
    if newest < 0:
        raise illegal(f"Timestamp cannot be negative. minStamp:0, maxStamp:{newest}")
    if versions < 1:
        raise Failure("versions must be positive", "java.io.IOException")
    operation.touch(table, key)
    found = table.read(key, columns, newest, service.engine.now(), versions)
    operation.returned += bool(found)
    return found


def _cells(versions_from=lambda arguments: 1):
    """getVer, getVerTs and get: all versions of one column, or of a family."""

    def call(service, arguments, operation):
        table = service.engine.table(arguments.tableName)
        newest = getattr(arguments, "timestamp", LONG)
        found = _read(service, operation, table, arguments.row, {column_of(arguments.column)}, newest, versions_from(arguments))
        return [_cell(version) for _, versions in found for version in versions]

    return call


def get_rows(service, arguments, operation):
    """All the getRow…: some columns or all, the latest versions before a timestamp or at all."""
    table = service.engine.table(arguments.tableName)
    columns, newest = columns_of(getattr(arguments, "columns", None)), getattr(arguments, "timestamp", LONG)
    keys = arguments.rows if hasattr(arguments, "rows") else [arguments.row]
    found = [(key, _read(service, operation, table, key, columns, newest)) for key in keys]
    return [_row(key, [(column, versions[0]) for column, versions in cells]) for key, cells in found if cells]


def _cell(version):
    timestamp, value = version
    return idl.TCell(value=value, timestamp=timestamp)


def _row(key, cells, in_order=False):
    if in_order:
        return idl.TRowResult(row=key, sortedColumns=[idl.TColumn(columnName=column, cell=_cell(cell)) for column, cell in cells])
    return idl.TRowResult(row=key, columns={column: _cell(cell) for column, cell in cells})


def open_with_scan(service, arguments, operation):
    scan = arguments.scan
    if scan.batchSize is not None and scan.filterString is not None:
        words = "Cannot set batch on a scan using a filter: java.io.IOException"
        raise Failure(words, "org.apache.hadoop.hbase.client.RetriesExhaustedException")
    return service.open_scanner(
        Scanner(
            service.engine,
            service.engine.table(arguments.tableName),
            scan.startRow or b"",
            scan.stopRow or b"",
            columns_of(scan.columns),
            LONG if scan.timestamp is None else scan.timestamp,
            bool(scan.reversed),
            parse(scan.filterString) if scan.filterString is not None else None,
            bool(scan.sortColumns),
            scan.batchSize or 0,
        )
    )


def open_scanner(service, arguments, operation):
    """scannerOpen, …WithStop, …WithPrefix and …Ts, of before there was TScan."""
    prefix = getattr(arguments, "startAndPrefix", None)
    return service.open_scanner(
        Scanner(
            service.engine,
            service.engine.table(arguments.tableName),
            prefix if prefix is not None else arguments.startRow,
            getattr(arguments, "stopRow", b""),
            columns_of(arguments.columns),
            getattr(arguments, "timestamp", LONG),
            filter=None if prefix is None else Prefix(prefix),
        )
    )


def scanner_get(service, arguments, operation):
    scanner = service.scanner(arguments.id)
    service.engine.table(scanner.table.name)  # it may have been disabled or deleted since
    count = getattr(arguments, "nbRows", 1)
    found = scanner.next(count, lambda key: operation.touch(scanner.table, key))
    operation.returned += len(found)
    return [_row(key, cells, scanner.sort) for key, cells in found]


def scanner_close(service, arguments, operation):
    service.scanner(arguments.id)
    del service.scanners[arguments.id]


# -- writes -----------------------------------------------------------------------------------


def mutate_row(service, arguments, operation):
    """One row: its deletes, then its puts."""
    table, timestamp = service.engine.table(arguments.tableName), getattr(arguments, "timestamp", None)
    puts, deletes = _split(arguments.mutations)
    _remove(service, operation, table, arguments.row, deletes, timestamp)
    _put(service, operation, table, arguments.row, puts, timestamp)


def mutate_rows(service, arguments, operation):
    """Many rows: all puts, then all deletes. Rows that fail do not keep the others from being written."""
    timestamp = getattr(arguments, "timestamp", None)
    try:
        table = service.engine.table(arguments.tableName)
    except Failure as failure:
        raise _some_failed([failure]) from None
    split = [(batch.row, *_split(batch.mutations)) for batch in arguments.rowBatches]
    failures = []
    for write, part in ((_put, 1), (_remove, 2)):
        for row in split:
            try:
                write(service, operation, table, row[0], row[part], timestamp)
            except Failure as failure:
                failures.append(failure)
        if failures:
            break
    if failures:
        raise failures[0] if failures[0].kind != "io" else _some_failed(failures)


def _some_failed(failures):
    words = f"Failed {len(failures)} action{'s' if len(failures) > 1 else ''}: {failures[0]}"
    return Failure(words, "org.apache.hadoop.hbase.client.RetriesExhaustedWithDetailsException")


def _split(mutations):
    """Return ([(family, qualifier, value), …], [(family, qualifier or None), …]): what is put, what is deleted."""
    for mutation in mutations:
        if mutation.column is None:
            raise illegal("a mutation needs a column")
    puts = [(*column_of(mutation.column), mutation.value or b"") for mutation in mutations if not mutation.isDelete]
    # A put without a qualifier is left out with a warning in the server's log, as HBase does for one row.
    puts = [put for put in puts if put[1] is not None]
    return puts, [column_of(mutation.column) for mutation in mutations if mutation.isDelete]


def _put(service, operation, table, key, puts, timestamp):
    if puts:
        service.engine.put(table, key, puts, service.engine.stamp() if timestamp is None else timestamp)
        operation.write(table, key)


def _remove(service, operation, table, key, columns, timestamp):
    if columns:
        service.engine.remove(table, key, columns, service.engine.stamp() if timestamp is None else timestamp)
        operation.write(table, key)


def delete_all(service, arguments, operation):
    """deleteAll and deleteAllRow, with and without a timestamp."""
    table = service.engine.table(arguments.tableName)
    columns = [column_of(arguments.column)] if hasattr(arguments, "column") else [(name, None) for name in table.families]
    _remove(service, operation, table, arguments.row, columns, getattr(arguments, "timestamp", None))


def atomic_increment(service, arguments, operation):
    return _increment(service, operation, arguments.tableName, arguments.row, arguments.column, arguments.value)


def increment_rows(service, arguments, operation):
    for each in [arguments.increment] if hasattr(arguments, "increment") else arguments.increments:
        _increment(service, operation, each.table, each.row, each.column, each.ammount)


def _increment(service, operation, name, key, column, amount):
    table = service.engine.table(name)
    family, qualifier = column_of(column)
    total = service.engine.increment(table, key, family, qualifier or b"", amount)
    operation.write(table, key)
    return total


def append(service, arguments, operation):
    told = arguments.append
    table = service.engine.table(told.table)
    puts = []
    for column, value in zip(told.columns, told.values, strict=False):
        family, qualifier = column_of(column)
        table.family(family)
        puts.append((family, qualifier or b"", (service.engine.latest(table, told.row, family, qualifier or b"") or b"") + value))
    stamp = service.engine.stamp()
    service.engine.put(table, told.row, puts, stamp)
    operation.write(table, told.row)
    return [_cell((stamp, value)) for _, _, value in puts]


def check_and_put(service, arguments, operation):
    """Put only if a cell has this value now; without a value, if there is no such cell."""
    table = service.engine.table(arguments.tableName)
    family, qualifier = column_of(arguments.column)
    table.family(family)
    puts, _ = _split([arguments.mput])
    if not puts:
        raise illegal(f"checkAndPut needs a column with a qualifier, found {text(arguments.mput.column)}")
    if service.engine.latest(table, arguments.row, family, qualifier or b"") != arguments.value:
        return False
    _put(service, operation, table, arguments.row, puts, None)
    return True


CALLS = {
    "getTableNames": get_table_names,
    "createTable": create_table,
    "deleteTable": delete_table,
    "enableTable": set_enabled(True),
    "disableTable": set_enabled(False),
    "isTableEnabled": is_table_enabled,
    "compact": compact,
    "majorCompact": major_compact,
    "getColumnDescriptors": get_column_descriptors,
    "getTableRegions": get_table_regions,
    "get": _cells(),
    "getVer": _cells(lambda arguments: arguments.numVersions),
    "getVerTs": _cells(lambda arguments: arguments.numVersions),
    **{f"getRow{many}{columns}{ts}": get_rows for many in ("", "s") for columns in ("", "WithColumns") for ts in ("", "Ts")},
    "scannerOpenWithScan": open_with_scan,
    **{f"scannerOpen{kind}": open_scanner for kind in ("", "WithStop", "WithPrefix", "Ts", "WithStopTs")},
    "scannerGet": scanner_get,
    "scannerGetList": scanner_get,
    "scannerClose": scanner_close,
    **dict.fromkeys(("mutateRow", "mutateRowTs"), mutate_row),
    **dict.fromkeys(("mutateRows", "mutateRowsTs"), mutate_rows),
    **dict.fromkeys(("deleteAll", "deleteAllTs", "deleteAllRow", "deleteAllRowTs"), delete_all),
    "atomicIncrement": atomic_increment,
    **dict.fromkeys(("increment", "incrementRows"), increment_rows),
    "append": append,
    "checkAndPut": check_and_put,
}
