"""The refusals of the success service, beside `InvalidInput`."""

from __future__ import annotations

from services.domain.errors import AlreadyExists, NotFound, PreconditionFailed


class CheckInExists(AlreadyExists):
    """The customer has a check-in in that week, written or held.

    Metadata: ``customer_id``, ``week_start``, ``check_in_id``, and of one that was held ``touchpoint_id``.
    """

    reason = "CHECK_IN_EXISTS"


class CheckInSuppressed(PreconditionFailed):
    """A SEV1 or SEV2 is open or the channel frozen, or nobody could tell.

    Metadata: ``customer_id``, and ``severity`` or ``channel`` or both where known.
    """

    reason = "CHECK_IN_SUPPRESSED"


class CheckInNotFound(NotFound):
    """No check-in has this id. Metadata: ``check_in_id``."""

    reason = "CHECK_IN_NOT_FOUND"


class PlanExists(AlreadyExists):
    """The customer has an active plan. Metadata: ``customer_id``, ``bundle_id``."""

    reason = "PLAN_EXISTS"


class PlanNotFound(NotFound):
    """No plan was ever activated for the customer. Metadata: ``customer_id``."""

    reason = "PLAN_NOT_FOUND"


class PlanNotActive(PreconditionFailed):
    """The plan has ended. Metadata: ``customer_id``."""

    reason = "PLAN_NOT_ACTIVE"


class TouchpointNotFound(NotFound):
    """No touchpoint has this id. Metadata: ``touchpoint_id``."""

    reason = "TOUCHPOINT_NOT_FOUND"


class TouchpointExists(AlreadyExists):
    """The customer has a touchpoint of this key. Metadata: ``customer_id``, ``touchpoint_id``."""

    reason = "TOUCHPOINT_EXISTS"


class TouchpointStateRefused(PreconditionFailed):
    """The touchpoint is closed, or its draft approved. Metadata: ``touchpoint_id``, ``state``."""

    reason = "TOUCHPOINT_STATE_REFUSED"


class TouchpointHeld(PreconditionFailed):
    """An upgrade offer before the first Proof Pack is known of. Metadata: ``touchpoint_id``, ``customer_id``."""

    reason = "TOUCHPOINT_HELD"


class WeekTaken(PreconditionFailed):
    """The customer has a check-in in that week. Metadata: ``customer_id``, ``week_start``."""

    reason = "WEEK_TAKEN"


class ActivityNotFound(NotFound):
    """The customer has no such event. Metadata: ``activity_id``, ``customer_id``."""

    reason = "ACTIVITY_NOT_FOUND"


class ActivityCorrected(PreconditionFailed):
    """The event was corrected before. Metadata: ``activity_id``, ``corrected_by``."""

    reason = "ACTIVITY_CORRECTED"


class NotAtRisk(PreconditionFailed):
    """The risk is neither high nor medium. Metadata: ``customer_id``, ``severity``."""

    reason = "NOT_AT_RISK"


class AtRiskAlertExists(AlreadyExists):
    """The customer has an alert of this severity on this day. Metadata: ``customer_id``, ``alert_id``."""

    reason = "AT_RISK_ALERT_EXISTS"


class AtRiskAlertSuppressed(PreconditionFailed):
    """A medium alert during an incident or a freeze, or where nobody could tell of them.

    Metadata: ``customer_id``, and ``severity`` or ``channel`` where known.
    """

    reason = "AT_RISK_ALERT_SUPPRESSED"
