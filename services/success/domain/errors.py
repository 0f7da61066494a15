"""The refusals of the success service, beside `InvalidInput`."""

from __future__ import annotations

from services.domain.errors import AlreadyExists, NotFound, PreconditionFailed


class CheckInExists(AlreadyExists):
    """The customer has a check-in in that week. Metadata: ``customer_id``, ``week_start``, ``check_in_id``."""

    reason = "CHECK_IN_EXISTS"


class CheckInSuppressed(PreconditionFailed):
    """A SEV1 or SEV2 that touches the customer is open. Metadata: ``customer_id``, ``severity``."""

    reason = "CHECK_IN_SUPPRESSED"


class CheckInNotFound(NotFound):
    """No check-in has this id. Metadata: ``check_in_id``."""

    reason = "CHECK_IN_NOT_FOUND"
