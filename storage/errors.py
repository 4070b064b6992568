"""Errors of the engine, as facts. The protocols give them their texts (``compat/server/faults.py``)."""


class StorageError(Exception):
    """Base of the engine's errors; nothing has been changed when one is raised."""


class WrongType(StorageError):
    """The key holds a value of the wrong kind for the operation."""


class NotAnInteger(StorageError):
    """A stored value or an operand is not a 64-bit integer."""


class NotAFloat(StorageError):
    """A stored value or an operand is not a number."""


class IncrementOverflow(StorageError):
    """Adding would leave the range of 64-bit signed integers."""


class IncrementNotFinite(StorageError):
    """Adding would give NaN or infinity."""


class StringTooLong(StorageError):
    """The string would grow beyond the largest allowed size."""


class NoSuchKey(StorageError):
    """The key does not exist."""


class NoSuchSession(StorageError):
    """No session has this token, or it has ended."""


class StillLoading(StorageError):
    """The data is still being loaded, so its contents are not known yet."""


class SessionExists(StorageError):
    """A shared session of this name is open."""

    def __init__(self, token: int) -> None:
        super().__init__(token)
        self.token = token


class KeyHoldsSeries(StorageError):
    """A key-value pair was to be written under the name of a series."""

    def __init__(self, key: bytes) -> None:
        super().__init__(key)
        self.key = key


class NoArray(StorageError):
    """A value, or the named member of it, is not an array."""


class IndexExists(StorageError):
    """The member of the events is indexed already."""


class NoSuchIndex(StorageError):
    """The member of the events is not indexed."""


class NotIndexed(StorageError):
    """A condition is on a member of the events that has no index."""


class TooManyBuckets(StorageError):
    """A query would return more buckets than are allowed."""


class TooManyValues(StorageError):
    """A query would keep more values in memory than are allowed."""


class TooManyFilters(StorageError):
    """A query has more conditions on tags than are allowed."""


class NoMatchingTags(StorageError):
    """The metric does not exist, or none of its series has a tag that was asked for."""


class UnknownFunction(StorageError):
    """A query names a function that does not exist."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class BadVisibility(StorageError):
    """A text is not a visibility expression."""


class DuplicateSample(StorageError):
    """The series has a sample at this time, and its policy forbids replacing it."""


class SampleTooOld(StorageError):
    """The sample is older than the series' retention."""


class BehindLastSample(StorageError):
    """The sample is older than the last one, to which it was to be added."""


class IdTooSmall(StorageError):
    """The id of a new entry is not greater than the stream's last id."""


class IdsExhausted(StorageError):
    """The stream has had the greatest possible id."""


class LastIdBehindDeleted(StorageError):
    """The last id of a stream would be smaller than that of an entry that was deleted."""


class LastIdBehindEntries(StorageError):
    """The last id of a stream would be smaller than that of an entry that it has."""


class FewerAddedThanHeld(StorageError):
    """The stream's count of added entries would be less than its length."""


class GroupExists(StorageError):
    """The stream already has a group of this name."""


class NotHyperLogLog(StorageError):
    """A string is not a HyperLogLog."""


class CorruptHyperLogLog(StorageError):
    """A HyperLogLog's registers are corrupt."""
