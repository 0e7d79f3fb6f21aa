"""The errors that MongoDB clients see: codes and names of the server's error_codes.yml, its words, its labels.

The engine and the language raise MongoError; the wire writes it as {ok: 0, errmsg, code, codeName, errorLabels}
or, for one statement of a bulk write, as an entry of writeErrors.
"""

NAMES = {
    1: "InternalError",
    2: "BadValue",
    4: "NoSuchKey",
    5: "GraphContainsCycle",
    6: "HostUnreachable",
    7: "HostNotFound",
    8: "UnknownError",
    9: "FailedToParse",
    10: "CannotMutateObject",
    11: "UserNotFound",
    12: "UnsupportedFormat",
    13: "Unauthorized",
    14: "TypeMismatch",
    15: "Overflow",
    16: "InvalidLength",
    17: "ProtocolError",
    18: "AuthenticationFailed",
    20: "IllegalOperation",
    21: "EmptyArrayOperation",
    22: "InvalidBSON",
    24: "LockTimeout",
    26: "NamespaceNotFound",
    27: "IndexNotFound",
    28: "PathNotViable",
    29: "NonExistentPath",
    30: "InvalidPath",
    40: "ConflictingUpdateOperators",
    43: "CursorNotFound",
    47: "NoMatchingDocument",
    48: "NamespaceExists",
    50: "MaxTimeMSExpired",
    52: "DollarPrefixedFieldName",
    53: "InvalidIdField",
    54: "NotSingleValueField",
    55: "InvalidDBRef",
    56: "EmptyFieldName",
    57: "DottedFieldName",
    59: "CommandNotFound",
    61: "ShardKeyNotFound",
    64: "WriteConcernTimeout",
    65: "MultipleErrorsOccurred",
    66: "ImmutableField",
    67: "CannotCreateIndex",
    68: "IndexAlreadyExists",
    72: "InvalidOptions",
    73: "InvalidNamespace",
    76: "NoReplicationEnabled",
    79: "UnknownReplWriteConcern",
    85: "IndexOptionsConflict",
    86: "IndexKeySpecsConflict",
    89: "NetworkTimeout",
    91: "ShutdownInProgress",
    96: "OperationFailed",
    100: "UnsatisfiableWriteConcern",
    112: "WriteConflict",
    115: "CommandNotSupported",
    116: "DocTooLargeForCapped",
    117: "ConflictingOperationInProgress",
    121: "DocumentValidationFailure",
    123: "NotAReplicaSet",
    125: "CommandFailed",
    133: "FailedToSatisfyReadPreference",
    136: "CappedPositionLost",
    139: "JSInterpreterFailure",
    143: "CursorInUse",
    146: "ExceededMemoryLimit",
    150: "StaleEpoch",
    159: "DurationOverflow",
    165: "ViewDepthLimitExceeded",
    166: "CommandNotSupportedOnView",
    167: "OptionNotSupportedOnView",
    168: "InvalidPipelineOperator",
    171: "CannotIndexParallelArrays",
    175: "QueryPlanKilled",
    181: "AmbiguousIndexKeyPattern",
    182: "InvalidViewDefinition",
    186: "ClientMetadataCannotBeMutated",
    189: "PrimarySteppedDown",
    197: "InvalidIndexSpecificationOption",
    201: "CannotBuildIndexKeys",
    206: "NoSuchSession",
    207: "InvalidUUID",
    217: "IncompleteTransactionHistory",
    218: "UpdateOperationFailed",
    223: "IllegalOpMsgFlag",
    224: "QueryFeatureNotAllowed",
    225: "TransactionTooOld",
    226: "AtomicityFailure",
    232: "MaxSubPipelineDepthExceeded",
    234: "RetryChangeStream",
    237: "CursorKilled",
    238: "NotImplemented",
    239: "SnapshotTooOld",
    241: "ConversionFailure",
    242: "CannotCreateCollection",
    246: "SnapshotUnavailable",
    251: "NoSuchTransaction",
    256: "TransactionCommitted",
    257: "TransactionTooLarge",
    260: "InvalidResumeToken",
    262: "ExceededTimeLimit",
    263: "OperationNotSupportedInTransaction",
    267: "PreparedTransactionInProgress",
    280: "ChangeStreamFatalError",
    286: "ChangeStreamHistoryLost",
    290: "TransactionExceededLifetimeLimitSeconds",
    291: "NoQueryExecutionPlans",
    292: "QueryExceededMemoryLimitNoDiskUseAllowed",
    322: "APIVersionError",
    323: "APIStrictError",
    324: "APIDeprecationError",
    352: "UnsupportedOpQueryCommand",
    359: "CannotConvertIndexToUnique",
    361: "CollectionUUIDMismatch",
    9001: "SocketException",
    10003: "CannotGrowDocumentInCappedNamespace",
    10107: "NotWritablePrimary",
    10334: "BSONObjectTooLarge",
    11000: "DuplicateKey",
    11600: "InterruptedAtShutdown",
    11601: "Interrupted",
    11602: "InterruptedDueToReplStateChange",
    13388: "StaleConfig",
    13435: "NotPrimaryNoSecondaryOk",
    13436: "NotPrimaryOrSecondary",
    31082: "SearchNotEnabled",
}
CODES = {name: code for code, name in NAMES.items()}

TRANSIENT = "TransientTransactionError"
RETRYABLE_WRITE = "RetryableWriteError"
RESUMABLE = "ResumableChangeStreamError"
NON_RESUMABLE = "NonResumableChangeStreamError"


class MongoError(Exception):
    """An error that a server answers with: `code` (int), `name` (its codeName), `message`, `labels`, `details`.

    `code` is a number or the name of one; a code that has no name is called "Location<code>", as MongoDB does.
    `details` are further fields of the answer: keyPattern and keyValue, errInfo of a failed validation …
    """

    def __init__(self, code, message, labels=(), **details):
        super().__init__(message)
        self.code = CODES[code] if isinstance(code, str) else code
        self.message = message
        self.labels = tuple(labels)
        self.details = details

    @property
    def name(self):
        """Return MongoDB's name of the code."""
        return NAMES.get(self.code, f"Location{self.code}")

    def reply(self):
        """Return the answer to a command that fails."""
        answer = {"ok": 0.0, "errmsg": self.message, "code": self.code, "codeName": self.name, **self.details}
        if self.labels:
            answer["errorLabels"] = list(self.labels)
        return answer

    def write_error(self, index):
        """Return the entry of writeErrors for the statement number `index`."""
        return {"index": index, "code": self.code, **self.details, "errmsg": self.message}

    def __repr__(self):
        return f"<MongoError {self.code} {self.name}: {self.message}>"


def bad_value(message):
    """Return the error for a value that makes no sense here."""
    return MongoError("BadValue", message)


def failed_to_parse(message):
    """Return the error for a request that MongoDB cannot read."""
    return MongoError("FailedToParse", message)


def type_mismatch(message):
    """Return the error for a value of the wrong type."""
    return MongoError("TypeMismatch", message)


def duplicate_key(namespace, index, key_pattern, key_value, shown):
    """Return the error of a unique index: `shown` is the key as MongoDB prints it, '{ email: "a@b.c" }'."""
    return MongoError(
        "DuplicateKey",
        f"E11000 duplicate key error collection: {namespace} index: {index} dup key: {shown}",
        keyPattern=key_pattern,
        keyValue=key_value,
    )


def write_conflict():
    """Return the error for a write of a transaction on a document that another one has written."""
    return MongoError(
        "WriteConflict",
        "Caused by :: Write conflict during plan execution and yielding is disabled. :: Please retry your operation or "
        "multi-document transaction.",
        labels=[TRANSIENT],
    )


def document_too_large(size, limit=16 * 2**20):
    """Return the error for a document of more than 16 MB (`size` in bytes)."""
    return MongoError(
        "BSONObjectTooLarge",
        f"BSONObj size: {size} ({size:#x}) is invalid. Size must be between 0 and {limit + 16 * 1024}({limit // 2**20}MB)",
    )


def not_embedded(what, code="CommandNotSupported"):
    """Return the error for what MongoDB has and the embedded engine lacks, under MongoDB's own code.

    `what` begins the sentence: "$search", "the command 'replSetReconfig'". Unknown stages have code 40324,
    unknown expressions 168.
    """
    return MongoError(code, f"{what} is not in the embedded engine. A real server has it: set MONGODB_URI to use one")
