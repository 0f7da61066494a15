-- Made from the migrations; see services/storage/migrations.py.
BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE check_ins (
	check_in_id TEXT NOT NULL, 
	customer_id TEXT NOT NULL, 
	week_start TEXT NOT NULL, 
	facts TEXT NOT NULL, 
	draft TEXT NOT NULL, 
	state TEXT NOT NULL, 
	create_us BIGINT NOT NULL, 
	revision BIGINT NOT NULL, 
	PRIMARY KEY (check_in_id)
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
CREATE INDEX ledger_by_subject ON ledger (subject, sequence);
CREATE INDEX ledger_by_action ON ledger (action, sequence);
CREATE TRIGGER ledger_no_update BEFORE UPDATE ON ledger BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER ledger_no_delete BEFORE DELETE ON ledger BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE UNIQUE INDEX check_ins_by_week ON check_ins (customer_id, week_start);
CREATE INDEX check_ins_by_time ON check_ins (create_us, check_in_id);
CREATE INDEX check_ins_by_customer ON check_ins (customer_id, create_us, check_in_id);
COMMIT;