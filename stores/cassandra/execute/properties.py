"""What stands behind WITH: options of tables and views, replication of keyspaces."""

import uuid

from stores.cassandra.errors import ConfigurationException, InvalidRequest, SyntaxException
from stores.cassandra.execute.modify import LONGEST_TTL
from stores.cassandra.schema import DEFAULT_OPTIONS

DATACENTER = "datacenter1"
LOCATOR = "org.apache.cassandra.locator."
STRATEGIES = ("SimpleStrategy", "NetworkTopologyStrategy", "LocalStrategy", "EverywhereStrategy")
PACKAGES = {"compaction": "org.apache.cassandra.db.compaction.", "compression": "org.apache.cassandra.io.compress."}
COMPACTIONS = (
    "SizeTieredCompactionStrategy",
    "LeveledCompactionStrategy",
    "TimeWindowCompactionStrategy",
    "UnifiedCompactionStrategy",
)
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
    ttl = options.get("default_time_to_live", 0)
    if ttl < 0:
        raise ConfigurationException(f"default_time_to_live must be greater than or equal to 0 (got {ttl})")
    if ttl > LONGEST_TTL:
        raise ConfigurationException(f"default_time_to_live must be less than or equal to {LONGEST_TTL} (got {ttl})")
    chance = options.get("bloom_filter_fp_chance", 1.0)
    if not 6.71e-5 < chance <= 1:
        raise ConfigurationException(
            f"bloom_filter_fp_chance must be larger than 6.71E-5 and less than or equal to 1.0 (got {chance})"
        )
    grace = options.get("gc_grace_seconds", 0)
    if grace < 0:
        raise ConfigurationException(f"gc_grace_seconds must be greater than or equal to 0 (got {grace})")
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
    if name in PACKAGES:
        if name == "compaction" and "class" not in value:
            raise ConfigurationException("Missing sub-option 'class' for the 'compaction' option")
        given = value.get("class", "")
        short = given.removeprefix(PACKAGES[name])
        if name == "compaction" and short not in COMPACTIONS:
            raise ConfigurationException(f"Unable to find compaction strategy class '{PACKAGES[name]}{short}'")
        if given and "." not in given:
            value["class"] = PACKAGES[name] + given
        if name == "compression" and not given and str(value.get("enabled", "true")).lower() != "false":
            raise ConfigurationException("Missing sub-option 'class' for the 'compression' option.")
    if name == "caching":
        for each in value:
            if each not in ("keys", "rows_per_partition"):
                raise ConfigurationException(
                    f"Invalid caching sub-options {{{each}}}: only 'keys' and 'rows_per_partition' are allowed"
                )
        value = {**DEFAULT_OPTIONS["caching"], **value}
    return value


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
            raise ConfigurationException(f"Replication factor must be non-negative; found {number}")
    return {"class": LOCATOR + strategy, **{name: str(value) for name, value in given.items()}}


def refuse_counter_ttl(table):
    if table.is_counter and table.options["default_time_to_live"]:
        raise InvalidRequest("Cannot set default_time_to_live on a table with counters")
