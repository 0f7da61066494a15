-- Made from the migrations; see services/storage/migrations.py.
BEGIN TRANSACTION;
CREATE TABLE action_items (
	action_item_id TEXT NOT NULL, 
	incident_id TEXT NOT NULL, 
	title TEXT NOT NULL, 
	owner_id TEXT NOT NULL, 
	due_us BIGINT NOT NULL, 
	state TEXT NOT NULL, 
	is_open BIGINT NOT NULL, 
	breached_due_us BIGINT, 
	breaches BIGINT NOT NULL, 
	end_us BIGINT, 
	reason TEXT NOT NULL, 
	create_us BIGINT NOT NULL, 
	update_us BIGINT NOT NULL, 
	revision BIGINT NOT NULL, 
	PRIMARY KEY (action_item_id), 
	FOREIGN KEY(incident_id) REFERENCES incidents (incident_id)
);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0005');
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
CREATE TABLE freezes (
	freeze_id TEXT NOT NULL, 
	channel TEXT NOT NULL, 
	customer_id TEXT NOT NULL, 
	incident_id TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	actor_kind TEXT NOT NULL, 
	actor_id TEXT NOT NULL, 
	actor_role TEXT NOT NULL, 
	freeze_us BIGINT NOT NULL, 
	is_active BIGINT NOT NULL, 
	release_actor_kind TEXT, 
	release_actor_id TEXT, 
	release_actor_role TEXT, 
	release_us BIGINT, 
	release_reason TEXT, 
	PRIMARY KEY (freeze_id)
);
CREATE TABLE incident_customers (
	customer_id TEXT NOT NULL, 
	create_us BIGINT NOT NULL, 
	incident_id TEXT NOT NULL, 
	PRIMARY KEY (customer_id, create_us, incident_id), 
	FOREIGN KEY(incident_id) REFERENCES incidents (incident_id)
);
CREATE TABLE incidents (
	incident_id TEXT NOT NULL, 
	title TEXT NOT NULL, 
	description TEXT NOT NULL, 
	severity TEXT NOT NULL, 
	triage TEXT NOT NULL, 
	state TEXT NOT NULL, 
	is_open BIGINT NOT NULL, 
	customer_ids TEXT NOT NULL, 
	ticket_ids TEXT NOT NULL, 
	channel TEXT NOT NULL, 
	data_leak BIGINT NOT NULL, 
	unauthorized_send BIGINT NOT NULL, 
	drill BIGINT NOT NULL, 
	aware_us BIGINT NOT NULL, 
	create_us BIGINT NOT NULL, 
	update_us BIGINT NOT NULL, 
	revision BIGINT NOT NULL, 
	"plan" TEXT NOT NULL, duplicate_of TEXT, roles TEXT, resolve_us BIGINT, leak_aware_us BIGINT, clocks_paused BIGINT, 
	PRIMARY KEY (incident_id)
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
CREATE TABLE notice_filings (
	incident_id TEXT NOT NULL, 
	number BIGINT NOT NULL, 
	reference TEXT NOT NULL, 
	actor_kind TEXT NOT NULL, 
	actor_id TEXT NOT NULL, 
	actor_role TEXT NOT NULL, 
	file_us BIGINT NOT NULL, 
	record_us BIGINT NOT NULL, 
	is_late BIGINT NOT NULL, 
	late_reason TEXT NOT NULL, 
	incomplete_reason TEXT NOT NULL, 
	missing TEXT NOT NULL, 
	blocks TEXT NOT NULL, 
	PRIMARY KEY (incident_id, number), 
	FOREIGN KEY(incident_id) REFERENCES notices (incident_id)
);
CREATE TABLE notices (
	incident_id TEXT NOT NULL, 
	blocks TEXT NOT NULL, 
	create_us BIGINT NOT NULL, 
	update_us BIGINT NOT NULL, 
	revision BIGINT NOT NULL, 
	PRIMARY KEY (incident_id), 
	FOREIGN KEY(incident_id) REFERENCES incidents (incident_id)
);
CREATE TABLE obligation_periods (
	incident_id TEXT NOT NULL, 
	obligation_id TEXT NOT NULL, 
	from_us BIGINT NOT NULL, 
	until_us BIGINT, 
	is_open BIGINT NOT NULL, 
	kind TEXT NOT NULL, 
	number BIGINT NOT NULL, 
	severity TEXT NOT NULL, 
	start_us BIGINT NOT NULL, 
	due_us BIGINT NOT NULL, 
	PRIMARY KEY (incident_id, obligation_id, from_us), 
	FOREIGN KEY(incident_id) REFERENCES incidents (incident_id)
);
CREATE TABLE open_incidents (
	customer_id TEXT NOT NULL, 
	severity TEXT NOT NULL, 
	create_us BIGINT NOT NULL, 
	incident_id TEXT NOT NULL, 
	PRIMARY KEY (customer_id, severity, create_us, incident_id), 
	FOREIGN KEY(incident_id) REFERENCES incidents (incident_id)
);
CREATE TABLE plan_tasks (
	incident_id TEXT NOT NULL, 
	number BIGINT NOT NULL, 
	state TEXT NOT NULL, 
	owner_id TEXT NOT NULL, 
	step TEXT NOT NULL, 
	done_us BIGINT, 
	done_by_kind TEXT NOT NULL, 
	done_by_id TEXT NOT NULL, 
	done_by_role TEXT NOT NULL, 
	note TEXT NOT NULL, 
	times_done BIGINT NOT NULL, 
	PRIMARY KEY (incident_id, number), 
	FOREIGN KEY(incident_id) REFERENCES incidents (incident_id)
);
CREATE TABLE post_mortem_sign_offs (
	incident_id TEXT NOT NULL, 
	number BIGINT NOT NULL, 
	kind TEXT NOT NULL, 
	customer_id TEXT NOT NULL, 
	content_revision BIGINT NOT NULL, 
	actor_kind TEXT NOT NULL, 
	actor_id TEXT NOT NULL, 
	actor_role TEXT NOT NULL, 
	sign_us BIGINT NOT NULL, 
	reference TEXT NOT NULL, 
	PRIMARY KEY (incident_id, number), 
	FOREIGN KEY(incident_id) REFERENCES post_mortems (incident_id)
);
CREATE TABLE post_mortems (
	incident_id TEXT NOT NULL, 
	state TEXT NOT NULL, 
	content TEXT NOT NULL, 
	content_revision BIGINT NOT NULL, 
	approver_kind TEXT, 
	approver_id TEXT, 
	approver_role TEXT, 
	approve_us BIGINT, 
	create_us BIGINT NOT NULL, 
	update_us BIGINT NOT NULL, 
	revision BIGINT NOT NULL, 
	PRIMARY KEY (incident_id), 
	FOREIGN KEY(incident_id) REFERENCES incidents (incident_id)
);
CREATE TABLE requests (
	request_id TEXT NOT NULL, 
	method TEXT NOT NULL, 
	fingerprint BLOB NOT NULL, 
	response BLOB NOT NULL, 
	time_us BIGINT NOT NULL, 
	PRIMARY KEY (request_id)
);
CREATE TABLE timeline (
	incident_id TEXT NOT NULL, 
	number BIGINT NOT NULL, 
	kind TEXT NOT NULL, 
	severity TEXT NOT NULL, 
	text TEXT NOT NULL, 
	occur_us BIGINT NOT NULL, 
	record_us BIGINT NOT NULL, 
	actor_kind TEXT NOT NULL, 
	actor_id TEXT NOT NULL, 
	actor_role TEXT NOT NULL, text_en TEXT, subject TEXT, detail TEXT, 
	PRIMARY KEY (incident_id, number), 
	FOREIGN KEY(incident_id) REFERENCES incidents (incident_id)
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
CREATE INDEX incidents_by_time ON incidents (create_us, incident_id);
CREATE INDEX incidents_by_open ON incidents (is_open, create_us, incident_id);
CREATE INDEX incidents_by_state ON incidents (state, create_us, incident_id);
CREATE INDEX incidents_by_severity ON incidents (severity, create_us, incident_id);
CREATE INDEX drafts_by_subject ON drafts (subject, create_us, draft_id);
CREATE INDEX drafts_by_customer ON drafts (customer_id, create_us, draft_id);
CREATE INDEX drafts_by_time ON drafts (create_us, draft_id);
CREATE INDEX drafts_pending ON drafts (pending_us, draft_id);
CREATE INDEX approvals_by_draft ON approvals (draft_id);
CREATE INDEX timers_by_time ON timers (due_us, timer_id);
CREATE INDEX open_incidents_by_incident ON open_incidents (incident_id);
CREATE INDEX obligation_periods_open ON obligation_periods (is_open, due_us, incident_id, obligation_id);
CREATE INDEX obligation_periods_open_by_kind ON obligation_periods (is_open, kind, due_us, incident_id, obligation_id);
CREATE INDEX obligation_periods_by_due ON obligation_periods (due_us, incident_id, obligation_id);
CREATE INDEX obligation_periods_by_kind ON obligation_periods (kind, due_us, incident_id, obligation_id);
CREATE INDEX action_items_by_due ON action_items (due_us, action_item_id);
CREATE INDEX action_items_open ON action_items (is_open, due_us, action_item_id);
CREATE INDEX action_items_by_incident ON action_items (incident_id, due_us, action_item_id);
CREATE INDEX action_items_by_owner ON action_items (owner_id, due_us, action_item_id);
CREATE INDEX action_items_open_by_owner ON action_items (owner_id, is_open, due_us, action_item_id);
CREATE INDEX freezes_by_time ON freezes (freeze_us, freeze_id);
CREATE INDEX freezes_by_active ON freezes (is_active, freeze_us, freeze_id);
CREATE INDEX freezes_by_active_customer ON freezes (is_active, customer_id, freeze_us, freeze_id);
CREATE INDEX freezes_by_customer ON freezes (customer_id, freeze_us, freeze_id);
CREATE INDEX freezes_by_channel ON freezes (channel, freeze_us, freeze_id);
CREATE INDEX freezes_by_incident ON freezes (incident_id, freeze_us, freeze_id);
CREATE INDEX post_mortems_by_time ON post_mortems (create_us, incident_id);
CREATE INDEX post_mortems_by_state ON post_mortems (state, create_us, incident_id);
COMMIT;