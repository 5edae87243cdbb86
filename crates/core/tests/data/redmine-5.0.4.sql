-- What Redmine 5.0.4 of Debian 12 wrote into SQLite: four people with the passwords Pw- and login, two groups,
-- and one session, that of alice, made at 2026-11-30 12:26:09 by a clock in UTC.
CREATE TABLE "users" ("id" integer NOT NULL PRIMARY KEY, "login" varchar DEFAULT '' NOT NULL, "hashed_password" varchar(40) DEFAULT '' NOT NULL, "firstname" varchar(30) DEFAULT '' NOT NULL, "lastname" varchar(255) DEFAULT '' NOT NULL, "admin" boolean DEFAULT 0 NOT NULL, "status" integer DEFAULT 1 NOT NULL, "last_login_on" datetime DEFAULT NULL, "language" varchar(5) DEFAULT '', "auth_source_id" integer DEFAULT NULL, "created_on" datetime DEFAULT NULL, "updated_on" datetime DEFAULT NULL, "type" varchar DEFAULT NULL, "mail_notification" varchar DEFAULT '' NOT NULL, "salt" varchar(64) DEFAULT NULL, "must_change_passwd" boolean DEFAULT 0 NOT NULL, "passwd_changed_on" datetime DEFAULT NULL, "twofa_scheme" varchar DEFAULT NULL, "twofa_totp_key" varchar DEFAULT NULL, "twofa_totp_last_used_at" integer DEFAULT NULL, "twofa_required" boolean DEFAULT 0);
INSERT INTO users VALUES (1, 'admin', 'e3f7cb8118a0a121a83a0b302fedd6d7ba270f3f', 'Redmine', 'Admin', 1, 1, NULL, '', NULL, '2026-11-30 12:25:14.280224', '2026-11-30 12:25:14.280224', 'User', 'all', '2cfc5d94ef064cd99817df6a0a1d49c6', 1, NULL, NULL, NULL, NULL, 0);
INSERT INTO users VALUES (2, '', '', '', 'Anonymous users', 0, 1, NULL, '', NULL, '2026-11-30 12:25:29.863480', '2026-11-30 12:25:29.863480', 'GroupAnonymous', '', NULL, 0, NULL, NULL, NULL, NULL, 0);
INSERT INTO users VALUES (3, '', '', '', 'Non member users', 0, 1, NULL, '', NULL, '2026-11-30 12:25:30.008010', '2026-11-30 12:25:30.008010', 'GroupNonMember', '', NULL, 0, NULL, NULL, NULL, NULL, 0);
INSERT INTO users VALUES (4, '', '', '', 'Anonymous', 0, 0, NULL, '', NULL, '2026-11-30 12:25:57.401403', '2026-11-30 12:25:57.401403', 'AnonymousUser', 'only_my_events', NULL, 0, NULL, NULL, NULL, NULL, 0);
INSERT INTO users VALUES (5, 'alice', '9d6e3528f728e1b5ea626075b4be3ea9b48ae4e1', 'Alice', 'Example', 0, 1, '2026-11-30 12:26:09.536513', 'en', NULL, '2026-11-30 12:26:08.570588', '2026-11-30 12:26:08.570588', 'User', 'only_my_events', '18fe7ceff05606fe1e147bea1dca2c86', 0, '2026-11-30 12:26:08', NULL, NULL, NULL, 0);
INSERT INTO users VALUES (6, 'bob', '2aa29e595d23d0c06ea8337fdad7aa0e734fc021', 'Bob', 'Example', 0, 1, NULL, 'en', NULL, '2026-11-30 12:26:08.686142', '2026-11-30 12:26:08.686142', 'User', 'only_my_events', '521bd944cecf1da5132aceeeaedec088', 0, '2026-11-30 12:26:08', NULL, NULL, NULL, 0);
INSERT INTO users VALUES (7, 'zoe', '9a3936ac070ec1b763c60969a4699dbdfe93f2e7', 'Zoe', 'Example', 1, 1, NULL, 'en', NULL, '2026-11-30 12:26:08.736448', '2026-11-30 12:26:08.736448', 'User', 'only_my_events', 'dc61a2efb004ae1ad85061e87f812889', 0, '2026-11-30 12:26:08', NULL, NULL, NULL, 0);
INSERT INTO users VALUES (8, 'Carol', 'bdaaf4c93002c39a3e9d940f9228412b987c9cae', 'Carol', 'Example', 0, 1, NULL, 'en', NULL, '2026-11-30 12:26:08.791823', '2026-11-30 12:26:08.791823', 'User', 'only_my_events', '08b5332f9e802f2789df63b4c5025e6f', 0, '2026-11-30 12:26:08', NULL, NULL, NULL, 0);
INSERT INTO users VALUES (9, '', '', '', 'editors', 0, 1, NULL, '', NULL, '2026-11-30 12:26:08.914572', '2026-11-30 12:26:08.914572', 'Group', '', NULL, 0, NULL, NULL, NULL, NULL, 0);
INSERT INTO users VALUES (10, '', '', '', 'staff', 0, 1, NULL, '', NULL, '2026-11-30 12:26:09.068722', '2026-11-30 12:26:09.068722', 'Group', '', NULL, 0, NULL, NULL, NULL, NULL, 0);
CREATE TABLE "groups_users" ("group_id" integer NOT NULL, "user_id" integer NOT NULL);
INSERT INTO groups_users VALUES (9, 5);
INSERT INTO groups_users VALUES (9, 6);
INSERT INTO groups_users VALUES (10, 6);
CREATE TABLE "email_addresses" ("id" integer NOT NULL PRIMARY KEY, "user_id" integer NOT NULL, "address" varchar NOT NULL, "is_default" boolean DEFAULT 0 NOT NULL, "notify" boolean DEFAULT 1 NOT NULL, "created_on" datetime NOT NULL, "updated_on" datetime NOT NULL);
INSERT INTO email_addresses VALUES (1, 1, 'admin@example.net', 1, 1, '2026-11-30 12:25:30.493480', '2026-11-30 12:25:30.493480');
INSERT INTO email_addresses VALUES (2, 5, 'alice@example.org', 1, 1, '2026-11-30 12:26:08.573042', '2026-11-30 12:26:08.573042');
INSERT INTO email_addresses VALUES (3, 6, 'bob@example.org', 1, 1, '2026-11-30 12:26:08.687620', '2026-11-30 12:26:08.687620');
INSERT INTO email_addresses VALUES (4, 7, 'zoe@example.org', 1, 1, '2026-11-30 12:26:08.737683', '2026-11-30 12:26:08.737683');
INSERT INTO email_addresses VALUES (5, 8, 'carol@example.org', 1, 1, '2026-11-30 12:26:08.809846', '2026-11-30 12:26:08.809846');
CREATE TABLE "tokens" ("id" integer PRIMARY KEY AUTOINCREMENT NOT NULL, "user_id" integer DEFAULT 0 NOT NULL, "action" varchar(30) DEFAULT '' NOT NULL, "value" varchar(40) DEFAULT '' NOT NULL, "created_on" datetime NOT NULL, "updated_on" datetime);
INSERT INTO tokens VALUES (1, 5, 'session', '9347301ed04cf343940e68c111017993951bc820', '2026-11-30 12:26:09.756299', '2026-11-30 12:26:09.756299');
CREATE TABLE "settings" ("id" integer NOT NULL PRIMARY KEY, "name" varchar(255) DEFAULT '' NOT NULL, "value" text DEFAULT NULL, "updated_on" datetime DEFAULT NULL);
INSERT INTO settings VALUES (1, 'password_min_length', '4', '2026-11-30 12:25:36.056476');
