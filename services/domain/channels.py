"""The channels on which customers write or are reached; drafts and freezes name them."""

from __future__ import annotations

from enum import StrEnum


class Channel(StrEnum):
    """``unspecified`` where nobody said. ``internal`` stays inside Dealix: no freeze holds it back."""

    UNSPECIFIED = "unspecified"
    EMAIL = "email"
    WHATSAPP = "whatsapp"
    WEB_FORM = "web_form"
    PHONE = "phone"
    IN_APP = "in_app"
    MEETING = "meeting"
    LINKEDIN = "linkedin"
    INSTAGRAM = "instagram"
    CALENDAR = "calendar"
    SHEETS = "sheets"
    GOOGLE_BUSINESS_PROFILE = "google_business_profile"
    CRM = "crm"
    INTERNAL = "internal"
