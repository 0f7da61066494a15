-- Made from the migrations; see services/storage/migrations.py.
BEGIN TRANSACTION;
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
CREATE TABLE clock_spans (
	ticket_id TEXT NOT NULL, 
	clock TEXT NOT NULL, 
	instance TEXT NOT NULL, 
	since_us BIGINT NOT NULL, 
	until_us BIGINT NOT NULL, 
	press_us BIGINT NOT NULL, 
	at_risk_us BIGINT NOT NULL, 
	due_us BIGINT NOT NULL, 
	late_us BIGINT NOT NULL, 
	priority TEXT NOT NULL, 
	customer_id TEXT NOT NULL, 
	owner TEXT NOT NULL, 
	PRIMARY KEY (ticket_id, clock, instance, since_us)
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
CREATE TABLE escalations (
	ticket_id TEXT NOT NULL, 
	clock TEXT NOT NULL, 
	instance TEXT NOT NULL, 
	priority TEXT NOT NULL, 
	percent BIGINT NOT NULL, 
	event_id TEXT NOT NULL, 
	draft_id TEXT NOT NULL, 
	cross_us BIGINT NOT NULL, 
	record_us BIGINT NOT NULL, 
	PRIMARY KEY (ticket_id, clock, instance, priority, percent), 
	FOREIGN KEY(ticket_id) REFERENCES tickets (ticket_id)
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
CREATE TABLE requests (
	request_id TEXT NOT NULL, 
	method TEXT NOT NULL, 
	fingerprint BLOB NOT NULL, 
	response BLOB NOT NULL, 
	time_us BIGINT NOT NULL, 
	PRIMARY KEY (request_id)
);
CREATE TABLE sla_events (
	event_id TEXT NOT NULL, 
	ticket_id TEXT NOT NULL, 
	type TEXT NOT NULL, 
	occur_us BIGINT NOT NULL, 
	record_us BIGINT NOT NULL, 
	actor_kind TEXT NOT NULL, 
	actor_id TEXT NOT NULL, 
	actor_role TEXT NOT NULL, 
	note TEXT NOT NULL, 
	sent TEXT NOT NULL, priority TEXT, waits_on TEXT, escalation TEXT, draft_id TEXT, approval_id TEXT, sequence BIGINT, 
	PRIMARY KEY (event_id), 
	FOREIGN KEY(ticket_id) REFERENCES tickets (ticket_id)
);
CREATE TABLE ticket_links (
	ticket_id TEXT NOT NULL, 
	other_ticket_id TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	actor_kind TEXT NOT NULL, 
	actor_id TEXT NOT NULL, 
	actor_role TEXT NOT NULL, 
	create_us BIGINT NOT NULL, 
	PRIMARY KEY (ticket_id, other_ticket_id, kind), 
	FOREIGN KEY(ticket_id) REFERENCES tickets (ticket_id), 
	FOREIGN KEY(other_ticket_id) REFERENCES tickets (ticket_id)
);
CREATE TABLE ticket_messages (
	message_id TEXT NOT NULL, 
	ticket_id TEXT NOT NULL, 
	author TEXT NOT NULL, 
	channel TEXT NOT NULL, 
	body TEXT NOT NULL, 
	body_ar TEXT NOT NULL, 
	body_en TEXT NOT NULL, 
	occur_us BIGINT NOT NULL, 
	record_us BIGINT NOT NULL, 
	actor_kind TEXT NOT NULL, 
	actor_id TEXT NOT NULL, 
	actor_role TEXT NOT NULL, 
	effect TEXT NOT NULL, 
	thanks_only BIGINT NOT NULL, 
	draft_id TEXT NOT NULL, 
	sent TEXT NOT NULL, 
	PRIMARY KEY (message_id), 
	FOREIGN KEY(ticket_id) REFERENCES tickets (ticket_id)
);
CREATE TABLE tickets (
	ticket_id TEXT NOT NULL, 
	customer_id TEXT NOT NULL, 
	subject TEXT NOT NULL, 
	body TEXT NOT NULL, 
	channel TEXT NOT NULL, 
	priority TEXT NOT NULL, 
	classification TEXT NOT NULL, 
	signals BIGINT NOT NULL, 
	state TEXT NOT NULL, 
	follows_ticket_id TEXT NOT NULL, 
	create_us BIGINT NOT NULL, 
	update_us BIGINT NOT NULL, 
	revision BIGINT NOT NULL, waits_on TEXT, waiting_reason TEXT, resolve_us BIGINT, reopen_us BIGINT, confirmation TEXT, thanked BIGINT, draft_id TEXT, 
	PRIMARY KEY (ticket_id)
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
CREATE INDEX tickets_by_time ON tickets (create_us, ticket_id);
CREATE INDEX tickets_by_customer ON tickets (customer_id, create_us, ticket_id);
CREATE INDEX tickets_by_priority ON tickets (priority, create_us, ticket_id);
CREATE INDEX tickets_by_state ON tickets (state, create_us, ticket_id);
CREATE INDEX sla_events_by_ticket ON sla_events (ticket_id, occur_us, record_us, event_id);
CREATE INDEX drafts_by_subject ON drafts (subject, create_us, draft_id);
CREATE INDEX drafts_by_customer ON drafts (customer_id, create_us, draft_id);
CREATE INDEX drafts_by_time ON drafts (create_us, draft_id);
CREATE INDEX drafts_pending ON drafts (pending_us, draft_id);
CREATE INDEX approvals_by_draft ON approvals (draft_id);
CREATE INDEX timers_by_time ON timers (due_us, timer_id);
CREATE INDEX ticket_messages_by_ticket ON ticket_messages (ticket_id, occur_us, message_id);
CREATE INDEX ticket_links_by_other ON ticket_links (other_ticket_id);
CREATE INDEX clock_spans_by_due ON clock_spans (until_us, due_us, ticket_id, clock, instance, press_us);
CREATE INDEX clock_spans_by_press ON clock_spans (until_us, press_us);
CREATE INDEX clock_spans_by_customer ON clock_spans (customer_id, until_us, due_us);
COMMIT;