-- Made from the migrations; see services/storage/migrations.py.
BEGIN TRANSACTION;
CREATE TABLE acceptances (
	customer_id TEXT NOT NULL, 
	accept_us BIGINT NOT NULL, 
	actor_id TEXT NOT NULL, 
	actor_role TEXT NOT NULL, 
	criteria TEXT NOT NULL, 
	PRIMARY KEY (customer_id)
);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0003');
CREATE TABLE approvals (
	approval_id TEXT NOT NULL, 
	draft_id TEXT NOT NULL, 
	content_hash TEXT NOT NULL, 
	actor_kind TEXT NOT NULL, 
	actor_id TEXT NOT NULL, 
	actor_role TEXT NOT NULL, 
	approve_us BIGINT NOT NULL, 
	expire_us BIGINT NOT NULL, 
	note TEXT NOT NULL, 
	use_us BIGINT, 
	void_us BIGINT, 
	PRIMARY KEY (approval_id), 
	FOREIGN KEY(draft_id) REFERENCES drafts (draft_id)
);
CREATE TABLE checklists (
	customer_id TEXT NOT NULL, 
	bundle_id TEXT NOT NULL, 
	current_step_id TEXT NOT NULL, 
	create_us BIGINT NOT NULL, 
	update_us BIGINT NOT NULL, 
	revision BIGINT NOT NULL, start_date TEXT DEFAULT '' NOT NULL, due_us BIGINT DEFAULT 0 NOT NULL, accepted BIGINT DEFAULT 0 NOT NULL, 
	PRIMARY KEY (customer_id)
);
CREATE TABLE completed_steps (
	customer_id TEXT NOT NULL, 
	step_id TEXT NOT NULL, 
	complete_us BIGINT NOT NULL, 
	given TEXT NOT NULL, 
	approver_id TEXT NOT NULL, 
	approver_role TEXT NOT NULL, 
	approve_us BIGINT, 
	approve_note TEXT NOT NULL, actor_kind TEXT DEFAULT '' NOT NULL, actor_id TEXT DEFAULT '' NOT NULL, actor_role TEXT DEFAULT '' NOT NULL, approval_id TEXT DEFAULT '' NOT NULL, 
	PRIMARY KEY (customer_id, step_id), 
	FOREIGN KEY(customer_id) REFERENCES checklists (customer_id)
);
CREATE TABLE connector_events (
	customer_id TEXT NOT NULL, 
	number BIGINT NOT NULL, 
	connector_key TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	from_state TEXT NOT NULL, 
	to_state TEXT NOT NULL, 
	problem TEXT NOT NULL, 
	issue_id TEXT NOT NULL, 
	detail TEXT NOT NULL, 
	reference TEXT NOT NULL, 
	actor_kind TEXT NOT NULL, 
	actor_id TEXT NOT NULL, 
	actor_role TEXT NOT NULL, 
	occur_us BIGINT NOT NULL, 
	record_us BIGINT NOT NULL, 
	outdated BIGINT NOT NULL, 
	succeeded BIGINT, 
	PRIMARY KEY (customer_id, number)
);
CREATE TABLE connector_issues (
	issue_id TEXT NOT NULL, 
	customer_id TEXT NOT NULL, 
	connector_key TEXT NOT NULL, 
	problem TEXT NOT NULL, 
	seen_count BIGINT NOT NULL, 
	first_us BIGINT NOT NULL, 
	last_us BIGINT NOT NULL, 
	open_us BIGINT NOT NULL, 
	resolved BIGINT NOT NULL, 
	resolve_us BIGINT, 
	resolution TEXT NOT NULL, 
	actor_kind TEXT NOT NULL, 
	actor_id TEXT NOT NULL, 
	actor_role TEXT NOT NULL, 
	PRIMARY KEY (issue_id)
);
CREATE TABLE connectors (
	customer_id TEXT NOT NULL, 
	connector_key TEXT NOT NULL, 
	state TEXT NOT NULL, 
	approver_id TEXT NOT NULL, 
	approver_role TEXT NOT NULL, 
	approve_us BIGINT, 
	approve_note TEXT NOT NULL, 
	opted_in_numbers BIGINT, 
	audit_reference TEXT NOT NULL, 
	audit_us BIGINT, 
	test_succeeded BIGINT, 
	no_secret_in_logs BIGINT, 
	check_reference TEXT NOT NULL, 
	check_us BIGINT, 
	settings TEXT NOT NULL, 
	update_us BIGINT NOT NULL, 
	revision BIGINT NOT NULL, audit_source TEXT DEFAULT '' NOT NULL, auditor_id TEXT DEFAULT '' NOT NULL, auditor_role TEXT DEFAULT '' NOT NULL, check_action TEXT DEFAULT '' NOT NULL, check_detail TEXT DEFAULT '' NOT NULL, tester_kind TEXT DEFAULT '' NOT NULL, tester_id TEXT DEFAULT '' NOT NULL, tester_role TEXT DEFAULT '' NOT NULL, linker_kind TEXT DEFAULT '' NOT NULL, linker_id TEXT DEFAULT '' NOT NULL, linker_role TEXT DEFAULT '' NOT NULL, account TEXT DEFAULT '' NOT NULL, connect_us BIGINT, 
	PRIMARY KEY (customer_id, connector_key)
);
CREATE TABLE drafts (
	draft_id TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	subject TEXT NOT NULL, 
	customer_id TEXT NOT NULL, 
	channel TEXT NOT NULL, 
	title_ar TEXT NOT NULL, 
	title_en TEXT NOT NULL, 
	body_ar TEXT NOT NULL, 
	body_en TEXT NOT NULL, 
	state TEXT NOT NULL, 
	approval_id TEXT NOT NULL, 
	rejection_reason TEXT NOT NULL, 
	sent TEXT NOT NULL, 
	due_us BIGINT, 
	pending_us BIGINT, 
	create_us BIGINT NOT NULL, 
	update_us BIGINT NOT NULL, 
	revision BIGINT NOT NULL, 
	PRIMARY KEY (draft_id)
);
CREATE TABLE instance (
	service TEXT NOT NULL, 
	instance_id TEXT NOT NULL, 
	created_us BIGINT NOT NULL, 
	PRIMARY KEY (service)
);
CREATE TABLE ledger (
	sequence INTEGER NOT NULL, 
	time_us BIGINT NOT NULL, 
	actor_kind TEXT NOT NULL, 
	actor_id TEXT NOT NULL, 
	actor_role TEXT NOT NULL, 
	action TEXT NOT NULL, 
	subject TEXT NOT NULL, 
	request_id TEXT NOT NULL, 
	fields TEXT NOT NULL, 
	attributes TEXT NOT NULL, 
	previous_hash BLOB NOT NULL, 
	hash BLOB NOT NULL, 
	PRIMARY KEY (sequence)
);
CREATE TABLE ledger_head (
	id BIGINT NOT NULL, 
	sequence BIGINT NOT NULL, 
	hash BLOB NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE proof_pack_records (
	customer_id TEXT NOT NULL, 
	event TEXT NOT NULL, 
	person_id TEXT NOT NULL, 
	person_role TEXT NOT NULL, 
	occur_us BIGINT NOT NULL, 
	reference TEXT NOT NULL, 
	actor_kind TEXT NOT NULL, 
	actor_id TEXT NOT NULL, 
	actor_role TEXT NOT NULL, 
	record_us BIGINT NOT NULL, 
	PRIMARY KEY (customer_id, event)
);
CREATE TABLE requests (
	request_id TEXT NOT NULL, 
	method TEXT NOT NULL, 
	fingerprint BLOB NOT NULL, 
	response BLOB NOT NULL, 
	time_us BIGINT NOT NULL, 
	PRIMARY KEY (request_id)
);
CREATE TABLE risk_reviews (
	review_id TEXT NOT NULL, 
	customer_id TEXT NOT NULL, 
	outcome TEXT NOT NULL, 
	finding TEXT NOT NULL, 
	reference TEXT NOT NULL, 
	reviewer_id TEXT NOT NULL, 
	reviewer_role TEXT NOT NULL, 
	review_us BIGINT NOT NULL, 
	record_us BIGINT NOT NULL, 
	resolver_id TEXT NOT NULL, 
	resolver_role TEXT NOT NULL, 
	resolve_us BIGINT, 
	resolution TEXT NOT NULL, 
	PRIMARY KEY (review_id)
);
CREATE TABLE step_blockers (
	customer_id TEXT NOT NULL, 
	number BIGINT NOT NULL, 
	step_id TEXT NOT NULL, 
	party TEXT NOT NULL, 
	since_us BIGINT NOT NULL, 
	end_us BIGINT, 
	note TEXT NOT NULL, 
	actor_kind TEXT NOT NULL, 
	actor_id TEXT NOT NULL, 
	actor_role TEXT NOT NULL, 
	PRIMARY KEY (customer_id, number)
);
CREATE TABLE timers (
	timer_id TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	due_us BIGINT NOT NULL, 
	PRIMARY KEY (timer_id)
);
CREATE INDEX ledger_by_subject ON ledger (subject, sequence);
CREATE INDEX ledger_by_action ON ledger (action, sequence);
CREATE TRIGGER ledger_no_update BEFORE UPDATE ON ledger BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER ledger_no_delete BEFORE DELETE ON ledger BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE INDEX checklists_by_time ON checklists (create_us, customer_id);
CREATE INDEX checklists_by_step ON checklists (current_step_id, create_us, customer_id);
CREATE INDEX drafts_by_subject ON drafts (subject, create_us, draft_id);
CREATE INDEX drafts_by_customer ON drafts (customer_id, create_us, draft_id);
CREATE INDEX drafts_by_time ON drafts (create_us, draft_id);
CREATE INDEX drafts_pending ON drafts (pending_us, draft_id);
CREATE INDEX approvals_by_draft ON approvals (draft_id);
CREATE INDEX timers_by_time ON timers (due_us, timer_id);
CREATE INDEX checklists_by_due ON checklists (accepted, due_us, customer_id);
CREATE INDEX risk_reviews_by_customer ON risk_reviews (customer_id, record_us, review_id);
CREATE INDEX connector_events_by_key ON connector_events (customer_id, connector_key, number);
CREATE INDEX connector_issues_by_time ON connector_issues (open_us, issue_id);
CREATE INDEX connector_issues_open ON connector_issues (resolved, open_us, issue_id);
CREATE INDEX connector_issues_of_customer ON connector_issues (customer_id, open_us, issue_id);
CREATE INDEX connector_issues_open_of_customer ON connector_issues (customer_id, resolved, open_us, issue_id);
COMMIT;