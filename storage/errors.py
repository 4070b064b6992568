"""What can go wrong in the engine, as facts. The faces word them (``compat/server/faults.py``)."""


class StorageError(Exception):
    """Base of the engine's refusals; nothing has been changed when one is raised."""


class WrongType(StorageError):
    """The key holds a value of another kind than the operation works on."""


class NotAnInteger(StorageError):
    """A stored value or an operand is not an integer of 64 bits."""


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
    """The data is being loaded, so it is not known yet what there is."""


class SessionExists(StorageError):
    """A shared session of this name is open."""

    def __init__(self, token: int) -> None:
        super().__init__(token)
        self.token = token


class HeldBySeries(StorageError):
    """A key-value was to be written under the name of a series."""

    def __init__(self, key: bytes) -> None:
        super().__init__(key)
        self.key = key


class NoArray(StorageError):
    """A value, or the member of it that is meant, is not an array."""


class IndexExists(StorageError):
    """The member of the events is indexed already."""


class NoSuchIndex(StorageError):
    """The member of the events is not indexed."""


class NotIndexed(StorageError):
    """A condition is on a member of the events that has no index."""


class TooManyBuckets(StorageError):
    """A query would answer with more buckets than are allowed."""


class TooManyValues(StorageError):
    """A query would keep more values at a time than are allowed."""


class TooManyFilters(StorageError):
    """A query has more conditions on tags than are allowed."""


class NoMatchingTags(StorageError):
    """There is no such metric, or none of its series has a tag that was asked for."""


class UnknownFunction(StorageError):
    """A query names a function that does not exist."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class BadVisibility(StorageError):
    """A text is not a visibility expression."""


class DuplicateSample(StorageError):
    """The series has a sample at this time and does not let it be replaced."""


class SampleTooOld(StorageError):
    """The sample is older than the series keeps samples."""


class BehindLastSample(StorageError):
    """The sample is older than the last one, which it was to add to."""


class IdTooSmall(StorageError):
    """The id of a new entry is not greater than the stream's last one."""


class IdsExhausted(StorageError):
    """The stream has had the greatest possible id."""


class LastIdBehindDeleted(StorageError):
    """The last id of a stream would be smaller than that of an entry that was deleted."""


class LastIdBehindEntries(StorageError):
    """The last id of a stream would be smaller than that of an entry that it has."""


class FewerAddedThanHeld(StorageError):
    """Fewer entries would have been added to a stream than it has."""


class GroupExists(StorageError):
    """The stream has a group of this name."""


class NotHyperLogLog(StorageError):
    """A string is not a HyperLogLog."""


class CorruptHyperLogLog(StorageError):
    """A HyperLogLog's registers make no sense."""
