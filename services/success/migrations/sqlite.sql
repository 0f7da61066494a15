-- Made from the migrations; see services/storage/migrations.py.
BEGIN TRANSACTION;
CREATE TABLE activities (
	activity_id TEXT NOT NULL, 
	customer_id TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	day BIGINT NOT NULL, 
	occur_us BIGINT NOT NULL, 
	record_us BIGINT NOT NULL, 
	number BIGINT NOT NULL, 
	value FLOAT, 
	reference TEXT NOT NULL, 
	corrects TEXT NOT NULL, 
	corrected_by TEXT NOT NULL, 
	actor_kind TEXT NOT NULL, 
	actor_id TEXT NOT NULL, 
	actor_role TEXT NOT NULL, 
	PRIMARY KEY (activity_id)
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
CREATE TABLE at_risk_alerts (
	alert_id TEXT NOT NULL, 
	customer_id TEXT NOT NULL, 
	day BIGINT NOT NULL, 
	level TEXT NOT NULL, 
	score BIGINT NOT NULL, 
	draft_id TEXT NOT NULL, 
	actor_kind TEXT NOT NULL, 
	actor_id TEXT NOT NULL, 
	actor_role TEXT NOT NULL, 
	create_us BIGINT NOT NULL, 
	PRIMARY KEY (alert_id)
);
CREATE TABLE check_ins (
	check_in_id TEXT NOT NULL, 
	customer_id TEXT NOT NULL, 
	week_start TEXT NOT NULL, 
	facts TEXT NOT NULL, 
	draft TEXT NOT NULL, 
	create_us BIGINT NOT NULL, 
	revision BIGINT NOT NULL, draft_id TEXT, 
	PRIMARY KEY (check_in_id)
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
CREATE TABLE plan_changes (
	customer_id TEXT NOT NULL, 
	number BIGINT NOT NULL, 
	kind TEXT NOT NULL, 
	bundle_id TEXT NOT NULL, 
	start_day BIGINT NOT NULL, 
	renewal_day BIGINT NOT NULL, 
	channel TEXT NOT NULL, 
	note TEXT NOT NULL, 
	consent TEXT NOT NULL, 
	actor_kind TEXT NOT NULL, 
	actor_id TEXT NOT NULL, 
	actor_role TEXT NOT NULL, 
	record_us BIGINT NOT NULL, 
	PRIMARY KEY (customer_id, number)
);
CREATE TABLE plans (
	customer_id TEXT NOT NULL, 
	bundle_id TEXT NOT NULL, 
	start_day BIGINT NOT NULL, 
	renewal_day BIGINT NOT NULL, 
	until_day BIGINT NOT NULL, 
	since_day BIGINT NOT NULL, 
	channel TEXT NOT NULL, 
	state TEXT NOT NULL, 
	activate_us BIGINT NOT NULL, 
	update_us BIGINT NOT NULL, 
	generation BIGINT NOT NULL, 
	revision BIGINT NOT NULL, 
	PRIMARY KEY (customer_id)
);
CREATE TABLE requests (
	request_id TEXT NOT NULL, 
	method TEXT NOT NULL, 
	fingerprint BLOB NOT NULL, 
	response BLOB NOT NULL, 
	time_us BIGINT NOT NULL, 
	PRIMARY KEY (request_id)
);
CREATE TABLE risk_nodes (
	node BIGINT NOT NULL, 
	standing BIGINT NOT NULL, 
	customer_id TEXT NOT NULL, 
	PRIMARY KEY (node, standing, customer_id)
);
CREATE TABLE risk_stretches (
	customer_id TEXT NOT NULL, 
	start_day BIGINT NOT NULL, 
	end_day BIGINT NOT NULL, 
	standing BIGINT NOT NULL, 
	PRIMARY KEY (customer_id, start_day)
);
CREATE TABLE timers (
	timer_id TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	due_us BIGINT NOT NULL, 
	PRIMARY KEY (timer_id)
);
CREATE TABLE touchpoints (
	touchpoint_id TEXT NOT NULL, 
	customer_id TEXT NOT NULL, 
	generation BIGINT NOT NULL, 
	slot TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	state TEXT NOT NULL, 
	planned_day BIGINT NOT NULL, 
	due_day BIGINT NOT NULL, 
	open_day BIGINT, 
	plan_day BIGINT NOT NULL, 
	bundle_id TEXT NOT NULL, 
	line_id TEXT NOT NULL, 
	revision BIGINT NOT NULL, 
	fire_us BIGINT, 
	draft_id TEXT NOT NULL, 
	check_in_id TEXT NOT NULL, 
	complete_us BIGINT, 
	completer_kind TEXT NOT NULL, 
	completer_id TEXT NOT NULL, 
	completer_role TEXT NOT NULL, 
	note TEXT NOT NULL, 
	reference TEXT NOT NULL, 
	reschedule_reason TEXT NOT NULL, 
	PRIMARY KEY (touchpoint_id)
);
CREATE TABLE waited (
	node BIGINT NOT NULL, 
	due_day BIGINT NOT NULL, 
	touchpoint_id TEXT NOT NULL, 
	customer_id TEXT NOT NULL, 
	PRIMARY KEY (node, due_day, touchpoint_id)
);
CREATE INDEX ledger_by_subject ON ledger (subject, sequence);
CREATE INDEX ledger_by_action ON ledger (action, sequence);
CREATE TRIGGER ledger_no_update BEFORE UPDATE ON ledger BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER ledger_no_delete BEFORE DELETE ON ledger BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE UNIQUE INDEX check_ins_by_week ON check_ins (customer_id, week_start);
CREATE INDEX check_ins_by_time ON check_ins (create_us, check_in_id);
CREATE INDEX check_ins_by_customer ON check_ins (customer_id, create_us, check_in_id);
CREATE INDEX drafts_by_subject ON drafts (subject, create_us, draft_id);
CREATE INDEX drafts_by_customer ON drafts (customer_id, create_us, draft_id);
CREATE INDEX drafts_by_time ON drafts (create_us, draft_id);
CREATE INDEX drafts_pending ON drafts (pending_us, draft_id);
CREATE INDEX approvals_by_draft ON approvals (draft_id);
CREATE INDEX timers_by_time ON timers (due_us, timer_id);
CREATE UNIQUE INDEX touchpoints_by_slot ON touchpoints (customer_id, generation, slot);
CREATE INDEX touchpoints_by_customer ON touchpoints (customer_id, due_day, touchpoint_id);
CREATE INDEX touchpoints_open ON touchpoints (open_day, touchpoint_id);
CREATE INDEX waited_of_customer ON waited (customer_id, node, due_day, touchpoint_id);
CREATE INDEX activities_by_time ON activities (customer_id, occur_us, activity_id);
CREATE INDEX activities_by_kind ON activities (customer_id, kind, occur_us, activity_id);
CREATE INDEX activities_counted ON activities (customer_id, corrected_by, kind, day, number, occur_us);
CREATE UNIQUE INDEX at_risk_alerts_by_day ON at_risk_alerts (customer_id, day, level);
CREATE INDEX at_risk_alerts_by_time ON at_risk_alerts (create_us, alert_id);
CREATE INDEX at_risk_alerts_by_customer ON at_risk_alerts (customer_id, create_us, alert_id);
COMMIT;