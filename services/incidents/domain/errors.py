"""The refusals of the incidents service, beside `InvalidInput`."""

from __future__ import annotations

from services.domain.errors import NotFound


class IncidentNotFound(NotFound):
    """No incident has this id. Metadata: ``incident_id``."""

    reason = "INCIDENT_NOT_FOUND"
