"""What stands behind WITH: options of tables and views, replication of keyspaces."""

import re
import uuid

from stores.cassandra.errors import ConfigurationException, InvalidRequest, SyntaxException
from stores.cassandra.execute.modify import LONGEST_TTL
from stores.cassandra.schema import DEFAULT_OPTIONS

DATACENTER = "datacenter1"
LOCATOR = "org.apache.cassandra.locator."
STRATEGIES = ("SimpleStrategy", "NetworkTopologyStrategy", "LocalStrategy", "EverywhereStrategy")
PACKAGES = {"compaction": "org.apache.cassandra.db.compaction.", "compression": "org.apache.cassandra.io.compress."}
# Compaction strategies, and how the names of their own options begin.
COMPACTIONS = {
    "SizeTieredCompactionStrategy": ("bucket_", "min_sstable_size"),
    "LeveledCompactionStrategy": ("sstable_size_in_mb", "fanout_size", "single_sstable_uplevel"),
    "TimeWindowCompactionStrategy": (
        "compaction_window_",
        "timestamp_resolution",
        "expired_",
        "unsafe_",
        "bucket_",
        "min_sstable_size",
    ),
    "UnifiedCompactionStrategy": (
        "scaling_",
        "target_",
        "min_sstable_size",
        "base_",
        "max_",
        "expired_",
        "unsafe_",
        "overlap_",
        "sstable_",
    ),
}
COMPACTION_OPTIONS = (
    "class enabled min_threshold max_threshold tombstone_threshold tombstone_compaction_interval unchecked_tombstone_compaction "
    "only_purge_repaired_tombstones log_all provide_overlapping_tombstones"
).split()
COMPRESSORS = ("LZ4Compressor", "SnappyCompressor", "DeflateCompressor", "ZstdCompressor", "NoopCompressor")
COMPRESSION_OPTIONS = (
    "class enabled chunk_length_in_kb min_compress_ratio crc_check_chance compression_level lz4_compressor_type "
    "lz4_high_compressor_level"
).split()
RETRY = re.compile(r"(?i)\d+(\.\d+)?(p|percentile|ms)|always|never|none|(min|max)\(.+,.+\)")
TRUE, FALSE = ("1", "true", "yes"), ("0", "false", "no")


def boolean(name, value):
    """Return the truth in an option's text."""
    text = str(value).lower()
    if text not in TRUE + FALSE:
        raise SyntaxException(
            f"Invalid boolean value {value} for '{name}'. Positive values can be '1', 'true' or 'yes'. "
            "Negative values can be '0', 'false' or 'no'."
        )
    return text in TRUE


def table_options(properties):
    """Return the options of a table that the statement gives, checked."""
    options = {}
    for name, value in properties.items():
        if name == "id":
            continue
        if name not in DEFAULT_OPTIONS:
            raise SyntaxException(f"Unknown property '{name}'")
        options[name] = _option(name, value, DEFAULT_OPTIONS[name])
    if "read_repair" in options:
        options["read_repair"] = options["read_repair"].upper()
    _check_bounds(options)
    return options


def table_id(properties):
    """Return the id that WITH id = … gives, or None."""
    if "id" not in properties:
        return None
    try:
        return uuid.UUID(properties["id"])
    except ValueError:
        raise ConfigurationException("Invalid table id") from None


def _option(name, value, default):
    if isinstance(default, dict):
        if not isinstance(value, dict):
            raise SyntaxException(f"Invalid value for property '{name}'. It should be a map.")
        return _checked_map(name, dict(value))
    if isinstance(value, dict):
        raise SyntaxException(f"Invalid value for property '{name}'. It should be a string")
    if isinstance(default, bool) or name == "cdc":
        return boolean(name, value)
    for kind, word in ((int, "integer"), (float, "double")):
        if isinstance(default, kind):
            try:
                return kind(value)
            except ValueError:
                raise SyntaxException(f"Invalid {word} value {value} for '{name}'") from None
    return value


def _checked_map(name, value):
    if name in CHECKS:
        return CHECKS[name](value)
    if name == "extensions":
        return {key: each.encode() for key, each in value.items()}
    return value


def _compaction(value):
    package = PACKAGES["compaction"]
    if "class" not in value:
        raise ConfigurationException("Missing sub-option 'class' for the 'compaction' option")
    name = value["class"].removeprefix(package)
    if name not in COMPACTIONS:
        raise ConfigurationException(f"Unable to find compaction strategy class '{package}{name}'")
    unknown = [key for key in value if key not in COMPACTION_OPTIONS and not key.startswith(COMPACTIONS[name])]
    if unknown:
        raise ConfigurationException(f"Properties specified [{', '.join(unknown)}] are not understood by {name}")
    low, high = (_threshold(value, key, default) for key, default in (("min_threshold", 4), ("max_threshold", 32)))
    if low < 2:
        raise ConfigurationException(f"Min compaction threshold cannot be less than 2 (got {low})")
    if low > high:
        raise ConfigurationException(
            f"Min compaction threshold (got {low}) cannot be greater than max compaction threshold (got {high})"
        )
    if int(value.get("compaction_window_size", 1)) < 1:
        raise ConfigurationException(f"{value['compaction_window_size']} must be greater than 1 for compaction_window_size")
    defaults = {"max_threshold": "32", "min_threshold": "4"} if name != "UnifiedCompactionStrategy" else {}
    return {**defaults, **value, "class": package + name}


def _threshold(value, key, default):
    try:
        return int(value.get(key, default))
    except ValueError:
        message = f"Invalid value {value[key]} for '{key}' compaction sub-option - must be an integer"
        raise ConfigurationException(message) from None


def _compression(value):
    if not value:
        return {"enabled": "false"}
    package = PACKAGES["compression"]
    if str(value.get("enabled", "true")).lower() == "false":
        if len(value) > 1:
            raise ConfigurationException("If the 'enabled' option is set to false no other options must be specified")
        return value
    if "class" not in value:
        raise ConfigurationException("Missing sub-option 'class' for the 'compression' option.")
    name = value["class"].removeprefix(package)
    if not name:
        raise ConfigurationException("The 'class' option must not be empty. To disable compression use 'enabled' : false")
    if name not in COMPRESSORS:
        raise ConfigurationException(f"Could not create Compression for type {package}{name}")
    try:
        length = int(value.get("chunk_length_in_kb", 16))
    except ValueError:
        raise ConfigurationException("Invalid value for chunk_length_in_kb") from None
    if length <= 0:
        raise ConfigurationException("Invalid negative or null chunk_length_in_kb")
    if length & (length - 1):
        raise ConfigurationException("chunk_length_in_kb must be a power of 2")
    unknown = [key for key in value if key not in COMPRESSION_OPTIONS]
    if unknown:
        raise ConfigurationException(f"Unknown compression options {', '.join(unknown)}")
    kept = {key: each for key, each in value.items() if key != "enabled"}
    return {**kept, "class": package + name, "chunk_length_in_kb": str(length)}


def _caching(value):
    unknown = [key for key in value if key not in ("keys", "rows_per_partition")]
    if unknown:
        raise ConfigurationException(
            f"Invalid caching sub-options [{', '.join(unknown)}]: only 'keys' and 'rows_per_partition' are allowed"
        )
    if value.get("keys", "ALL").upper() not in ("ALL", "NONE"):
        raise ConfigurationException(
            f"Invalid value '{value['keys']}' for caching sub-option 'keys': only 'ALL' and 'NONE' are allowed"
        )
    rows = value.get("rows_per_partition", "NONE")
    if rows.upper() not in ("ALL", "NONE") and not rows.isdigit():
        raise ConfigurationException(
            f"Invalid value '{rows}' for caching sub-option 'rows_per_partition': only 'ALL', 'NONE', and integer values are allowed"
        )
    return {**DEFAULT_OPTIONS["caching"], **value}


CHECKS = {"compaction": _compaction, "compression": _compression, "caching": _caching}


def _check_bounds(options):
    """Refuse numbers that make no sense."""
    chance = options.get("bloom_filter_fp_chance", 1.0)
    if not 6.71e-5 < chance <= 1:
        raise ConfigurationException(
            f"bloom_filter_fp_chance must be larger than 6.71E-5 and less than or equal to 1.0 (got {chance})"
        )
    chance = options.get("crc_check_chance", 1.0)
    if not 0 <= chance <= 1:
        raise ConfigurationException(
            f"crc_check_chance must be larger than or equal to 0 and smaller than or equal to 1.0 (got {chance})"
        )
    for name, least in (
        ("default_time_to_live", 0),
        ("gc_grace_seconds", 0),
        ("min_index_interval", 1),
        ("memtable_flush_period_in_ms", 0),
    ):
        if options.get(name, least) < least:
            raise ConfigurationException(f"{name} must be greater than or equal to {least} (got {options[name]})")
    ttl = options.get("default_time_to_live", 0)
    if ttl > LONGEST_TTL:
        raise ConfigurationException(f"default_time_to_live must be less than or equal to {LONGEST_TTL} (got {ttl})")
    low = options.get("min_index_interval", DEFAULT_OPTIONS["min_index_interval"])
    high = options.get("max_index_interval", DEFAULT_OPTIONS["max_index_interval"])
    if high < low:
        raise ConfigurationException(f"max_index_interval must be greater than or equal to min_index_interval ({low}) (got {high})")
    retry = options.get("speculative_retry", "99p")
    if not RETRY.fullmatch(retry):
        raise ConfigurationException(f"Invalid value {retry} for option 'speculative_retry'")
    if options.get("memtable", "default") not in ("default", "skiplist", "trie"):
        raise ConfigurationException(f'Memtable configuration "{options["memtable"]}" not found.')
    if options.get("read_repair", "BLOCKING") not in ("BLOCKING", "NONE"):
        raise ConfigurationException(f"Invalid value {options['read_repair']} for option 'read_repair'")


def keyspace_options(keyspace, properties, old=None):
    """Return (replication, durable_writes) of a keyspace; `old` is the replication before ALTER."""
    for name in properties:
        if name not in ("replication", "durable_writes"):
            raise SyntaxException(f"Unknown property '{name}'")
    durable = boolean("durable_writes", properties.get("durable_writes", "true"))
    if "replication" not in properties:
        if old is None:
            raise ConfigurationException("Missing mandatory option 'replication'")
        return old, durable
    given = properties["replication"]
    if not isinstance(given, dict):
        raise SyntaxException("Invalid value for property 'replication'. It should be a map.")
    return _replication(keyspace, dict(given), old), durable


def _replication(keyspace, given, old):
    if "class" not in given:
        raise ConfigurationException("Missing replication strategy class")
    strategy = given.pop("class").rsplit(".", 1)[-1]
    if strategy not in STRATEGIES:
        raise ConfigurationException(f"Unable to find replication strategy class '{LOCATOR}{strategy}'")
    if strategy == "LocalStrategy":
        raise ConfigurationException("Unable to use given strategy class: LocalStrategy is reserved for internal use.")
    known = ("replication_factor",)
    if strategy == "NetworkTopologyStrategy":
        if "replication_factor" in given:
            given.setdefault(DATACENTER, given.pop("replication_factor"))
            given.pop("replication_factor", None)
        elif not given:
            given[DATACENTER] = (old or {}).get(DATACENTER, "1")
        known = (DATACENTER,)
    elif strategy == "SimpleStrategy" and not given:
        given["replication_factor"] = "1"
    for name in given:
        if name not in known:
            raise ConfigurationException(f"Unrecognized strategy option {{{name}}} passed to {strategy} for keyspace {keyspace}")
    for value in given.values():
        try:
            number = int(str(value).split("/")[0])
        except ValueError:
            raise ConfigurationException(f'For input string: "{value}"') from None
        if number < 0:
            raise ConfigurationException(f"Replication factor must be non-negative, found {number}")
    return {"class": LOCATOR + strategy, **{name: str(value) for name, value in given.items()}}


def refuse_counter_ttl(table):
    if table.is_counter and table.options["default_time_to_live"]:
        raise InvalidRequest("Cannot set default_time_to_live on a table with counters")
