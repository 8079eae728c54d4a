-- Reads what it is granted in `shop`, and nothing else: the role that the plugin's page says to make.
CREATE ROLE casemate_reader LOGIN PASSWORD '@';

-- Owns a schema, may write every table that the reader reads, and asks for sessions that are not read only and find tables without their
-- schema: what holds it is the host.
CREATE ROLE casemate_writer LOGIN PASSWORD '@';

ALTER ROLE casemate_writer SET default_transaction_read_only = off;

ALTER ROLE casemate_writer SET default_transaction_isolation = 'read committed';

ALTER ROLE casemate_writer SET search_path = public, private;

ALTER ROLE casemate_writer SET statement_timeout = 0;

ALTER ROLE casemate_writer SET standard_conforming_strings = off;

ALTER ROLE casemate_writer SET datestyle = 'German, DMY';

ALTER ROLE casemate_writer SET timezone = '+07';

ALTER ROLE casemate_writer SET bytea_output = 'escape';

ALTER ROLE casemate_writer SET client_encoding = 'LATIN1';

-- Roles that may do what a reader never may.
CREATE ROLE casemate_super SUPERUSER LOGIN PASSWORD '@';

CREATE ROLE casemate_files LOGIN PASSWORD '@' IN ROLE pg_read_server_files;

CREATE ROLE casemate_programs LOGIN PASSWORD '@' IN ROLE pg_execute_server_program;

CREATE ROLE casemate_killer LOGIN PASSWORD '@' IN ROLE pg_signal_backend;

-- Through another, which it would first have to become.
CREATE ROLE operators NOLOGIN IN ROLE pg_write_server_files, pg_write_all_data;

CREATE ROLE casemate_operator LOGIN NOINHERIT PASSWORD '@' IN ROLE operators;

CREATE ROLE masters NOLOGIN SUPERUSER;

CREATE ROLE casemate_master LOGIN NOINHERIT PASSWORD '@' IN ROLE masters;

-- Let in without a password, with one in plain text, and with what MD5 makes of one.
CREATE ROLE casemate_trusted LOGIN;

CREATE ROLE casemate_clear LOGIN PASSWORD '@';

SET password_encryption = 'md5';

CREATE ROLE casemate_md5 LOGIN PASSWORD '@';

CREATE DATABASE shop;

CREATE DATABASE closed;

REVOKE CONNECT ON DATABASE closed FROM PUBLIC;

