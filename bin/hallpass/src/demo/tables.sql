CREATE TABLE auth_user (
    id integer NOT NULL PRIMARY KEY AUTOINCREMENT, password varchar(128) NOT NULL,
    last_login datetime NULL, is_superuser bool NOT NULL, username varchar(150) NOT NULL UNIQUE,
    last_name varchar(150) NOT NULL, email varchar(254) NOT NULL, is_staff bool NOT NULL,
    is_active bool NOT NULL, date_joined datetime NOT NULL, first_name varchar(150) NOT NULL
);
CREATE TABLE auth_group (
    id integer NOT NULL PRIMARY KEY AUTOINCREMENT, name varchar(150) NOT NULL UNIQUE
);
CREATE TABLE auth_user_groups (
    id integer NOT NULL PRIMARY KEY AUTOINCREMENT, user_id integer NOT NULL,
    group_id integer NOT NULL
);
CREATE TABLE django_content_type (
    id integer NOT NULL PRIMARY KEY AUTOINCREMENT, app_label varchar(100) NOT NULL,
    model varchar(100) NOT NULL
);
CREATE TABLE auth_permission (
    id integer NOT NULL PRIMARY KEY AUTOINCREMENT, content_type_id integer NOT NULL,
    codename varchar(100) NOT NULL, name varchar(255) NOT NULL
);
CREATE TABLE auth_group_permissions (
    id integer NOT NULL PRIMARY KEY AUTOINCREMENT, group_id integer NOT NULL,
    permission_id integer NOT NULL
);
CREATE TABLE auth_user_user_permissions (
    id integer NOT NULL PRIMARY KEY AUTOINCREMENT, user_id integer NOT NULL,
    permission_id integer NOT NULL
);
CREATE TABLE django_session (
    session_key varchar(40) NOT NULL PRIMARY KEY, session_data text NOT NULL,
    expire_date datetime NOT NULL
);
INSERT INTO auth_group VALUES (1, 'editors');
INSERT INTO auth_user_groups VALUES (1, 1, 1);
INSERT INTO django_content_type VALUES (1, 'news', 'story');
INSERT INTO auth_permission VALUES (1, 1, 'add_story', 'Can add story');
INSERT INTO auth_group_permissions VALUES (1, 1, 1);
