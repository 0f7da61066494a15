"""What a person is asked to approve: the completion of a step, the execution through a connector, a founder's decision."""

from __future__ import annotations

import hashlib
import re

from services.domain.channels import Channel
from services.domain.drafts import DraftKind, NewDraft
from services.domain.texts import Bilingual
from services.onboarding.domain.catalog import Catalog, Connector, Step

# What a title shows of an input; of a longer one a digest tells it from others.
_SHOWN = 160
# Looks like an identifier that must not stand in a draft.
_INTERNAL_ID = re.compile(r"\b[a-z]{3}_[a-z0-9]{26}\b", re.IGNORECASE)


def step_subject(customer_id: str, step_id: str) -> str:
    """What drafts about a step belong to."""
    return f"step/{customer_id}/{step_id}"


def connector_subject(customer_id: str, connector_key: str) -> str:
    """What drafts about a connector belong to."""
    return f"connector/{customer_id}/{connector_key}"


def names_internal_id(text: str) -> bool:
    """Whether an identifier of ours stands in ``text``, which then cannot stand in a draft."""
    return bool(_INTERNAL_ID.search(text))


def step_draft(catalog: Catalog, customer_id: str, step: Step, given: str) -> NewDraft:
    """The draft that asks for the approval of a step with this input. Two inputs give two titles."""
    words = _given(catalog, step, given)
    values = {"step": step.title, "given": words, "description": step.description}
    texts = catalog.approvals
    return NewDraft(
        kind=DraftKind.ONBOARDING_STEP,
        subject=step_subject(customer_id, step.id),
        customer_id=customer_id,
        # Decided inside: completing a step reaches nobody.
        channel=Channel.INTERNAL,
        title=texts.step_title.format(customer=customer_id, **values),
        body=texts.step_body.format(customer=customer_id, **values),
    )


def connector_draft(catalog: Catalog, customer_id: str, connector: Connector) -> NewDraft:
    """The draft that asks for the approval of execution through a connector, on the channel whose freeze holds it back."""
    values = {
        "name": connector.name,
        "purpose": connector.purpose,
        "needs": connector.live_action_needs,
    }
    texts = catalog.approvals
    return NewDraft(
        kind=DraftKind.CONNECTOR_APPROVAL,
        subject=connector_subject(customer_id, connector.key),
        customer_id=customer_id,
        channel=connector.channel,
        title=texts.connector_title.format(customer=customer_id, **values),
        body=texts.connector_body.format(customer=customer_id, **values),
    )


def risk_draft(catalog: Catalog, customer_id: str, review_id: str) -> NewDraft:
    """The report to the founder of a problem that a risk review found."""
    return NewDraft(
        kind=DraftKind.ESCALATION,
        subject=f"risk_review/{review_id}",
        customer_id=customer_id,
        channel=Channel.INTERNAL,
        title=catalog.approvals.risk_title.format(customer=customer_id),
        body=catalog.approvals.risk_body.format(customer=customer_id),
    )


def _given(catalog: Catalog, step: Step, given: str) -> Bilingual:
    if not given:
        return Bilingual("", "")
    bundle = catalog.bundle(given) if step.input == "bundle_id" else None
    words = catalog.approvals.given.format(value=bundle.name if bundle is not None else _shown(given))
    return Bilingual(f" {words.ar}", f" {words.en}")


def _shown(given: str) -> str:
    line = " ".join(given.split())
    if line == given and len(line) <= _SHOWN:
        return line
    return f"{line[:_SHOWN]}… #{hashlib.sha256(given.encode()).hexdigest()[:12]}"
