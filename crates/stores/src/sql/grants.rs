//! Writes the statements that create a database user with the few rights that are needed.

use super::{Location, Servers};
use crate::Address;

/// The SQL that makes a user for the database at `location`, who may read the tables `read`, change
/// the columns `update` (a table and its columns), and add rows to the tables `insert`. The user is
/// the one that `location` names, or `hallpass`.
///
/// There is no password in it. The user cannot log in before the operator gives one.
#[must_use]
pub fn grants(
    location: &Location,
    read: &[&str],
    update: &[(&str, &[&str])],
    insert: &[&str],
) -> String {
    match location {
        Location::Nowhere => "-- There is no database to read.\n".to_owned(),
        Location::Sqlite(path) => format!(
            "-- SQLite has no users. The system's user that the programs run as must be able to \
             read\n-- {}\n-- and to enter its directory.\n",
            path.display()
        ),
        Location::Postgres(servers) => postgres(servers, read, update, insert),
        Location::Mysql(servers) => mysql(servers, read, update, insert),
    }
}

fn postgres(
    servers: &Servers,
    read: &[&str],
    update: &[(&str, &[&str])],
    insert: &[&str],
) -> String {
    let quote = |name: &str| format!("\"{}\"", printable(name).replace('"', "\"\""));
    let user = quote(servers.user.as_deref().unwrap_or("hallpass"));
    let mut sql = format!(
        "-- Then give it a password, in psql: \\password {user}\n\
         CREATE ROLE {user} LOGIN;\n\
         GRANT CONNECT ON DATABASE {} TO {user};\n\
         GRANT USAGE ON SCHEMA public TO {user};\n",
        quote(&servers.database)
    );
    if !read.is_empty() {
        let tables: Vec<String> = read.iter().map(|table| quote(table)).collect();
        sql += &format!("GRANT SELECT ON {} TO {user};\n", tables.join(", "));
    }
    for (table, columns) in update {
        let columns: Vec<String> = columns.iter().map(|column| quote(column)).collect();
        let (columns, table) = (columns.join(", "), quote(table));
        sql += &format!("GRANT UPDATE ({columns}) ON {table} TO {user};\n");
    }
    for table in insert {
        sql += &format!("GRANT INSERT ON {} TO {user};\n", quote(table));
    }
    sql
}

fn mysql(servers: &Servers, read: &[&str], update: &[(&str, &[&str])], insert: &[&str]) -> String {
    let quote = |name: &str| format!("`{}`", printable(name).replace('`', "``"));
    let from = visible_from(&servers.addresses);
    let name = quote(servers.user.as_deref().unwrap_or("hallpass"));
    let user = format!("{name}@{}", quote(from));
    let mut sql = format!(
        "-- Then give it a password, and let it in:\n\
         -- ALTER USER {user} IDENTIFIED BY '…' ACCOUNT UNLOCK;\n\
         CREATE USER {user} ACCOUNT LOCK;\n"
    );
    let database = quote(&servers.database);
    for table in read {
        sql += &format!("GRANT SELECT ON {database}.{} TO {user};\n", quote(table));
    }
    for (table, columns) in update {
        let columns: Vec<String> = columns.iter().map(|column| quote(column)).collect();
        let (columns, table) = (columns.join(", "), quote(table));
        sql += &format!("GRANT UPDATE ({columns}) ON {database}.{table} TO {user};\n");
    }
    for table in insert {
        sql += &format!("GRANT INSERT ON {database}.{} TO {user};\n", quote(table));
    }
    sql
}

/// The client's host, as a server at `addresses` sees it. A server that does not resolve names uses
/// `localhost` for its socket only.
fn visible_from(addresses: &[Address]) -> &str {
    let from = |address| match address {
        &Address::Unix(_) => "localhost",
        Address::Tcp { host, .. } => match host.as_str() {
            here @ ("localhost" | "127.0.0.1" | "::1") => here,
            _ => "%",
        },
    };
    let mut all = addresses.iter().map(from);
    let first = all.next().unwrap_or("%");
    if all.all(|other| other == first) {
        first
    } else {
        "%"
    }
}

/// A name must not end the comment that contains it.
fn printable(name: &str) -> String {
    name.replace(char::is_control, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(host: &str) -> Servers {
        Servers {
            addresses: vec![Address::Tcp {
                host: host.to_owned(),
                port: 1,
            }],
            database: "sh\"o`p".to_owned(),
            user: None,
            password: Some(std::sync::Arc::new(crate::Secret::new("hunter2"))),
        }
    }

    #[test]
    fn postgresql_is_told_what_may_be_read() {
        let location = Location::Postgres(servers("db"));
        let sql = grants(
            &location,
            &["auth_user", "a\"b"],
            &[("auth_user", &["password"])],
            &["auth_user"],
        );
        let lines: Vec<&str> = sql.lines().filter(|line| !line.starts_with("--")).collect();
        let expected = [
            "CREATE ROLE \"hallpass\" LOGIN;",
            "GRANT CONNECT ON DATABASE \"sh\"\"o`p\" TO \"hallpass\";",
            "GRANT USAGE ON SCHEMA public TO \"hallpass\";",
            "GRANT SELECT ON \"auth_user\", \"a\"\"b\" TO \"hallpass\";",
            "GRANT UPDATE (\"password\") ON \"auth_user\" TO \"hallpass\";",
            "GRANT INSERT ON \"auth_user\" TO \"hallpass\";",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn mysql_is_told_what_may_be_read() {
        let sql = grants(
            &Location::Mysql(servers("localhost")),
            &["auth_user"],
            &[],
            &[],
        );
        let lines: Vec<&str> = sql.lines().filter(|line| !line.starts_with("--")).collect();
        let expected = [
            "CREATE USER `hallpass`@`localhost` ACCOUNT LOCK;",
            "GRANT SELECT ON `sh\"o``p`.`auth_user` TO `hallpass`@`localhost`;",
        ];
        assert_eq!(lines, expected);
        let sql = grants(
            &Location::Mysql(servers("127.0.0.1")),
            &["auth_user"],
            &[],
            &[],
        );
        assert!(sql.contains("TO `hallpass`@`127.0.0.1`;"), "{sql}");
        let mut both = servers("localhost");
        both.addresses.extend(servers("127.0.0.1").addresses);
        let sql = grants(&Location::Mysql(both), &["auth_user"], &[], &[]);
        assert!(sql.contains("TO `hallpass`@`%`;"), "{sql}");
        let sql = grants(
            &Location::Mysql(servers("db")),
            &[],
            &[("t", &["a", "b"])],
            &[],
        );
        let grant = "GRANT UPDATE (`a`, `b`) ON `sh\"o``p`.`t` TO `hallpass`@`%`;";
        assert!(sql.contains(grant), "{sql}");
    }

    #[test]
    fn no_password_is_printed_and_no_comment_ended() {
        for mut servers in [servers("a"), servers("localhost")] {
            servers.user = Some("x\nDROP TABLE auth_user; --".to_owned());
            for location in [
                Location::Postgres(servers.clone()),
                Location::Mysql(servers),
            ] {
                let sql = grants(&location, &["t"], &[], &[]);
                assert!(!sql.contains("hunter2"));
                assert!(!sql.lines().any(|line| line.starts_with("DROP")), "{sql}");
            }
        }
    }
}
