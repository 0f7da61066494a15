"""The customer's onboarding: five working days from the agreed pilot to the acceptance, with what goes wrong on the way."""

from __future__ import annotations

from datetime import date

from dealix.common.v1 import actor_pb2, channel_pb2
from dealix.gateway.v1 import gateway_service_pb2
from dealix.onboarding.v1 import (
    checklist_pb2,
    connector_pb2,
    connector_service_pb2,
    onboarding_pb2,
    onboarding_service_pb2,
)
from rich.console import Group

from customer_ops import views, views_onboarding
from customer_ops.render import Beside
from customer_ops.script import Both
from customer_ops.week.show import Show, new_id

_CONFIGURING = connector_pb2.CONNECTOR_STATE_CONFIGURING
_CONNECTED = connector_pb2.CONNECTOR_STATE_CONNECTED_DRAFT_ONLY
_ACCOUNTS = {
    "gmail": "workspace-4410",
    "google_calendar": "workspace-4410",
    "google_sheets": "workspace-4410",
    "whatsapp_cloud": "waba-2093",
}


class Onboarding:
    """The eight steps and the connectors that they need."""

    def __init__(self, show: Show) -> None:
        self._show = show
        self._client = show.client

    def begin(self) -> None:
        """Sunday: the checklist with its dates, and a step that takes an approval."""
        show, steps = self._show, self._client.onboarding
        show.part("onboarding")
        made = self._client.call(
            steps.CreateChecklist,
            onboarding_service_pb2.CreateChecklistRequest(
                request_id=new_id(), actor=show.operator, customer_id=show.customer_id, start_date=show.date()
            ),
        )
        last = date.fromisoformat(made.steps[-1].planned_date)
        show.tell(
            "checklist_made",
            customer=show.customer_id,
            steps=made.total_steps,
            due=show.week.words[f"{last:%A}".lower()],
        )
        show.later(minutes=12)
        self._complete_and_tell("select_goal")
        show.later(minutes=6)
        show.refused("step_needs_approval", "APPROVAL_REQUIRED", steps.UpdateStep, self._update("select_bundle"))
        drafted = self._client.call(
            steps.DraftStepApproval,
            onboarding_service_pb2.DraftStepApprovalRequest(
                request_id=new_id(),
                actor=show.operator,
                customer_id=show.customer_id,
                step_id="select_bundle",
                input=show.week.inputs["select_bundle"],
            ),
        ).draft
        show.later(minutes=20)
        approved = show.approve("onboarding", drafted, show.customer)
        request = self._update("select_bundle")
        request.approval_id = approved.approval.approval_id
        self._client.call(steps.UpdateStep, request)
        show.tell("bundle_approved", bundle=show.week.words[show.week.bundle_id], person=show.customer.id)
        show.later(minutes=9)
        self._complete_and_tell("company_intake")

    def connect(self) -> None:
        """Monday: connectors, one of which fails at first, and one that needs an audit before."""
        show, connectors = self._show, self._client.connectors
        show.part("connectors")
        show.at(1, "09:30")
        self._move("gmail", _CONFIGURING)
        self._problem("gmail", connector_pb2.CONNECTOR_PROBLEM_OAUTH_FAILED)
        show.tell("gmail_failed")
        self._guidance("gmail_oauth_failed")
        show.at(1, "10:05")
        self._move("gmail", _CONFIGURING)
        self._move("gmail", _CONNECTED)
        self._test("gmail", connector_pb2.CONNECTOR_TEST_ACTION_DRAFTED)
        for key in ("google_calendar", "google_sheets"):
            self._move(key, _CONNECTED)
            self._test(key, connector_pb2.CONNECTOR_TEST_ACTION_READ)
        show.tell("google_connected")
        show.refused(
            "audit_needed",
            "OPT_IN_AUDIT_REQUIRED",
            connectors.UpdateConnector,
            self._move_request("whatsapp_cloud", _CONNECTED),
        )
        self._client.call(
            connectors.RecordOptInAudit,
            connector_service_pb2.RecordOptInAuditRequest(
                request_id=new_id(),
                actor=show.operator,
                customer_id=show.customer_id,
                connector_key="whatsapp_cloud",
                opted_in_numbers=184,
                source=connector_pb2.OPT_IN_SOURCE_WEB_FORM,
                auditor=show.operator,
                audit_time=show.ago(minutes=20),
                reference="OPTIN-AUDIT-2026-07",
            ),
        )
        self._move("whatsapp_cloud", _CONNECTED)
        self._test("whatsapp_cloud", connector_pb2.CONNECTOR_TEST_ACTION_READ)
        show.tell("whatsapp_connected", numbers=184)
        self._complete("connect_channels")
        stored = self._connectors()
        show.show(views.connectors(stored.connectors[:5], stored.summary))

    def late(self) -> None:
        """Tuesday evening: the customer's list is not there yet."""
        show = self._show
        show.at(2, "17:00")
        self._client.call(
            self._client.onboarding.SetStepBlocker,
            onboarding_service_pb2.SetStepBlockerRequest(
                request_id=new_id(),
                actor=show.operator,
                customer_id=show.customer_id,
                step_id="upload_or_source",
                party=checklist_pb2.BLOCKING_PARTY_CUSTOMER,
                note=show.week.notes["list_missing"],
            ),
        )
        show.tell("list_missing")
        self._guidance("no_list_uploaded")

    def risk_and_grant(self) -> None:
        """Wednesday: the list arrives, the risk review stops everything, and a grant is taken back."""
        show, steps = self._show, self._client.onboarding
        show.part("risk")
        show.at(3, "13:00")
        self._complete("upload_or_source")
        show.tell("list_arrived")
        show.later(minutes=25)
        self._review(onboarding_pb2.RISK_OUTCOME_PROBLEM_FOUND, show.week.reasons["risk_finding"])
        show.tell("risk_found")
        self._guidance("risk_review_found_problem")
        show.refused("risk_blocks", "STEP_BLOCKED", steps.UpdateStep, self._update("risk_review", show.approval("")))
        show.later(minutes=50)
        self._client.call(
            steps.ResolveRiskProblem,
            onboarding_service_pb2.ResolveRiskProblemRequest(
                request_id=new_id(),
                actor=show.founder,
                customer_id=show.customer_id,
                resolution=show.week.reasons["risk_resolution"],
            ),
        )
        self._review(onboarding_pb2.RISK_OUTCOME_CLEAN, "")
        self._complete("risk_review")
        show.tell("risk_cleared", person=show.founder.id)
        show.later(minutes=15)
        self._problem("whatsapp_cloud", connector_pb2.CONNECTOR_PROBLEM_GRANT_REVOKED)
        show.tell("grant_revoked")
        show.refused(
            "not_ready", "STEP_BLOCKED", steps.UpdateStep, self._update("first_service_run", show.approval("run"))
        )
        show.later(minutes=30)
        self._move("whatsapp_cloud", _CONFIGURING)
        show.refused(
            "other_account",
            "CONNECTOR_ACCOUNT_MISMATCH",
            self._client.connectors.UpdateConnector,
            self._move_request("whatsapp_cloud", _CONNECTED, account="waba-5528"),
        )
        self._move("whatsapp_cloud", _CONNECTED)
        self._test("whatsapp_cloud", connector_pb2.CONNECTOR_TEST_ACTION_READ)
        show.later(minutes=10)
        self._complete("first_service_run")
        show.tell("first_run")

    def accept(self) -> None:
        """Thursday: the Proof Pack, and the acceptance, which activates the success plan and keeps the evidence."""
        show = self._show
        show.part("acceptance")
        show.at(4, "11:00")
        self._proof(onboarding_pb2.PROOF_PACK_EVENT_DELIVERED, show.operator, "PP-001")
        show.tell("proof_delivered", reference="PP-001")
        complete = self._client.gateway.CompleteOnboarding
        show.refused("not_accepted", "ACCEPTANCE_INCOMPLETE", complete, self._accept_request())
        show.at(4, "13:30")
        self._proof(onboarding_pb2.PROOF_PACK_EVENT_APPROVED, show.customer, "PP-001-signed")
        self._complete("first_proof_pack")
        show.tell("proof_approved", person=show.customer.id)
        show.later(minutes=25)
        answer = self._client.call(complete, self._accept_request())
        show.tell("accepted", bundle=show.week.words[answer.plan.bundle_id])
        show.show(views_onboarding.criteria(answer.acceptance.criteria))
        show.tell("plan_of_days")
        show.show(views_onboarding.steps(self._onboarding().checklist))

    # --- steps that come again ---

    def _onboarding(self) -> onboarding_pb2.Onboarding:
        answer = self._client.call(
            self._client.onboarding.GetOnboarding,
            onboarding_service_pb2.GetOnboardingRequest(customer_id=self._show.customer_id),
        )
        found: onboarding_pb2.Onboarding = answer.onboarding
        return found

    def _complete_and_tell(self, step_id: str) -> None:
        self._complete(step_id)
        checklist = self._onboarding().checklist
        title = next(Both(step.title_ar, step.title_en) for step in checklist.steps if step.step_id == step_id)
        self._show.tell("step_done", step=title, progress=f"{checklist.progress_pct:g}")

    def _guidance(self, recovery_id: str) -> None:
        """What is offered now in one respect; nothing where it is not."""
        for found in self._onboarding().guidance:
            if found.recovery_id == recovery_id:
                self._show.show(
                    Group(
                        *(
                            Beside(f"• {ar}", f"- {en}")
                            for ar, en in zip(found.actions_ar, found.actions_en, strict=True)
                        )
                    )
                )

    def _update(self, step_id: str, approval: object = None) -> onboarding_service_pb2.UpdateStepRequest:
        show = self._show
        return onboarding_service_pb2.UpdateStepRequest(
            request_id=new_id(),
            actor=show.operator,
            customer_id=show.customer_id,
            step_id=step_id,
            completed=True,
            input=show.week.inputs.get(step_id, ""),
            approval=approval,  # type: ignore[arg-type]
        )

    def _complete(self, step_id: str) -> None:
        """Completes a step, with the customer's approval where the week has a note of it."""
        note = self._show.week.notes.get(step_id)
        approval = self._show.approval(note) if note else None
        self._client.call(self._client.onboarding.UpdateStep, self._update(step_id, approval))

    def _move_request(
        self, key: str, state: connector_pb2.ConnectorState.ValueType, account: str = ""
    ) -> connector_service_pb2.UpdateConnectorRequest:
        return connector_service_pb2.UpdateConnectorRequest(
            request_id=new_id(),
            actor=self._show.operator,
            customer_id=self._show.customer_id,
            connector_key=key,
            state=state,
            account_id=account or (_ACCOUNTS[key] if state == _CONNECTED else ""),
        )

    def _move(self, key: str, state: connector_pb2.ConnectorState.ValueType) -> None:
        self._client.call(self._client.connectors.UpdateConnector, self._move_request(key, state))

    def _problem(self, key: str, problem: connector_pb2.ConnectorProblem.ValueType) -> None:
        self._client.call(
            self._client.connectors.RecordConnectorProblem,
            connector_service_pb2.RecordConnectorProblemRequest(
                request_id=new_id(),
                actor=self._show.intake,
                customer_id=self._show.customer_id,
                connector_key=key,
                problem=problem,
                occur_time=self._show.now,
            ),
        )

    def _test(self, key: str, action: connector_pb2.ConnectorTestAction.ValueType) -> None:
        self._client.call(
            self._client.connectors.RecordConnectorTest,
            connector_service_pb2.RecordConnectorTestRequest(
                request_id=new_id(),
                actor=self._show.operator,
                customer_id=self._show.customer_id,
                connector_key=key,
                action=action,
                succeeded=True,
                no_secret_in_logs=True,
                test_time=self._show.now,
                reference=f"TEST-{key}",
            ),
        )

    def _connectors(self) -> connector_service_pb2.GetConnectorSummaryResponse:
        return self._client.call(
            self._client.connectors.GetConnectorSummary,
            connector_service_pb2.GetConnectorSummaryRequest(customer_id=self._show.customer_id),
        )

    def _review(self, outcome: onboarding_pb2.RiskOutcome.ValueType, finding: str) -> None:
        self._client.call(
            self._client.onboarding.RecordRiskReview,
            onboarding_service_pb2.RecordRiskReviewRequest(
                request_id=new_id(),
                actor=self._show.operator,
                customer_id=self._show.customer_id,
                outcome=outcome,
                finding=finding,
                reference="RISK-REVIEW-07",
                reviewer=self._show.dpo,
                review_time=self._show.now,
            ),
        )

    def _proof(self, event: onboarding_pb2.ProofPackEvent.ValueType, who: actor_pb2.Actor, reference: str) -> None:
        self._client.call(
            self._client.onboarding.RecordProofPack,
            onboarding_service_pb2.RecordProofPackRequest(
                request_id=new_id(),
                actor=self._show.operator,
                customer_id=self._show.customer_id,
                event=event,
                person=who,
                occur_time=self._show.now,
                reference=reference,
            ),
        )

    def _accept_request(self) -> gateway_service_pb2.CompleteOnboardingRequest:
        return gateway_service_pb2.CompleteOnboardingRequest(
            request_id=new_id(),
            actor=self._show.success_manager,
            customer_id=self._show.customer_id,
            start_date=self._show.date(),
            renewal_date=self._show.date(days=90),
            channel=channel_pb2.CHANNEL_EMAIL,
        )
