-- Made from the migrations; see services/storage/migrations.py.
BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
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
	"plan" TEXT NOT NULL, 
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
	actor_role TEXT NOT NULL, 
	PRIMARY KEY (incident_id, number), 
	FOREIGN KEY(incident_id) REFERENCES incidents (incident_id)
);
CREATE INDEX ledger_by_subject ON ledger (subject, sequence);
CREATE INDEX ledger_by_action ON ledger (action, sequence);
CREATE TRIGGER ledger_no_update BEFORE UPDATE ON ledger BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER ledger_no_delete BEFORE DELETE ON ledger BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE INDEX incidents_by_time ON incidents (create_us, incident_id);
CREATE INDEX incidents_by_open ON incidents (is_open, create_us, incident_id);
CREATE INDEX incidents_by_state ON incidents (state, create_us, incident_id);
CREATE INDEX incidents_by_severity ON incidents (severity, create_us, incident_id);
COMMIT;