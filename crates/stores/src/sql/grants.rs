//! Writes the statements that create a database user with the few rights that are needed.

use super::{Location, Servers, TableName};
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
         GRANT CONNECT ON DATABASE {} TO {user};\n",
        quote(&servers.database)
    );
    let names: Vec<TableName> = read
        .iter()
        .filter_map(|table| TableName::parse(table))
        .collect();
    let mut schemas: Vec<&str> = servers
        .search_path
        .iter()
        .map(String::as_str)
        .filter(|schema| *schema != "$user")
        .collect();
    if servers.search_path.is_empty() && names.iter().any(|name| name.schema.is_none()) {
        schemas.push("public");
    }
    for schema in names.iter().filter_map(|name| name.schema.as_deref()) {
        if !schemas.contains(&schema) {
            schemas.push(schema);
        }
    }
    // Each by itself: a search path may have some that do not exist.
    for schema in schemas {
        sql += &format!(
            "GRANT USAGE ON SCHEMA {} TO {user};\n",
            quote_schema(schema)
        );
    }
    let quote_table = |table: &str| {
        let name = TableName::parse(&printable(table));
        name.map_or_else(|| quote(table), |name| name.quoted())
    };
    if let Some(search_path) = servers.quoted_search_path() {
        // Tables without a schema are those that the site finds.
        sql += &format!("SET search_path TO {};\n", printable(&search_path));
    }
    if !read.is_empty() {
        let tables: Vec<String> = read.iter().map(|table| quote_table(table)).collect();
        sql += &format!("GRANT SELECT ON {} TO {user};\n", tables.join(", "));
    }
    for (table, columns) in update {
        let columns: Vec<String> = columns.iter().map(|column| quote(column)).collect();
        let (columns, table) = (columns.join(", "), quote_table(table));
        sql += &format!("GRANT UPDATE ({columns}) ON {table} TO {user};\n");
    }
    for table in insert {
        sql += &format!("GRANT INSERT ON {} TO {user};\n", quote_table(table));
    }
    sql
}

/// Everyone knows `public`, and psql's users write it so.
fn quote_schema(schema: &str) -> String {
    match schema {
        "public" => schema.to_owned(),
        schema => format!("\"{}\"", printable(schema).replace('"', "\"\"")),
    }
}

fn back_quoted(name: &str) -> String {
    format!("`{}`", printable(name).replace('`', "``"))
}

/// The user, and where it logs in from.
fn mysql_user(servers: &Servers) -> String {
    let name = back_quoted(servers.user.as_deref().unwrap_or("hallpass"));
    format!("{name}@{}", back_quoted(visible_from(&servers.addresses)))
}

fn mysql(servers: &Servers, read: &[&str], update: &[(&str, &[&str])], insert: &[&str]) -> String {
    let quote = back_quoted;
    let user = mysql_user(servers);
    let mut sql = format!(
        "-- Then give it a password, and let it in:\n\
         -- ALTER USER {user} IDENTIFIED BY '…' ACCOUNT UNLOCK;\n\
         CREATE USER IF NOT EXISTS {user} ACCOUNT LOCK;\n"
    );
    let place = |table: &str| match TableName::parse(&printable(table)) {
        Some(TableName { schema, table }) => {
            let database = schema.as_ref().unwrap_or(&servers.database);
            format!("{}.{}", quote(database), quote(&table))
        }
        None => format!("{}.{}", quote(&servers.database), quote(table)),
    };
    for table in read {
        sql += &format!("GRANT SELECT ON {} TO {user};\n", place(table));
    }
    for (table, columns) in update {
        let columns: Vec<String> = columns.iter().map(|column| quote(column)).collect();
        let (columns, table) = (columns.join(", "), place(table));
        sql += &format!("GRANT UPDATE ({columns}) ON {table} TO {user};\n");
    }
    for table in insert {
        sql += &format!("GRANT INSERT ON {} TO {user};\n", place(table));
    }
    sql
}

/// The SQL that lets the same user see how a server follows another, which `max_lag` needs: on every
/// replica. Empty where each user may see it. MySQL has one privilege for that, MariaDB from 10.5.9 on
/// another (`GRANT` in its documentation).
#[must_use]
pub fn monitor_grant(location: &Location) -> String {
    let Location::Mysql(servers) = location else {
        return String::new();
    };
    let user = mysql_user(servers);
    format!("GRANT REPLICATION CLIENT /*M!100509 , SLAVE MONITOR */ ON *.* TO {user};\n")
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
            search_path: Vec::new(),
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
    fn schemas_are_those_that_are_read() {
        let mut servers = servers("db");
        let sql = grants(
            &Location::Postgres(servers.clone()),
            &["Site.people", "auth_group", "\"Site\".\"a.b\""],
            &[("Site.people", &["password"])],
            &[],
        );
        for line in [
            "GRANT USAGE ON SCHEMA public TO \"hallpass\";",
            "GRANT USAGE ON SCHEMA \"Site\" TO \"hallpass\";",
            "GRANT SELECT ON \"Site\".\"people\", \"auth_group\", \"Site\".\"a.b\" TO \"hallpass\";",
            "GRANT UPDATE (\"password\") ON \"Site\".\"people\" TO \"hallpass\";",
        ] {
            assert!(sql.lines().any(|it| it == line), "{line}: {sql}");
        }
        assert!(!sql.contains("search_path"));
        servers.search_path = ["$user", "crm", "public"].map(str::to_owned).to_vec();
        let sql = grants(
            &Location::Postgres(servers.clone()),
            &["auth_user"],
            &[],
            &[],
        );
        for line in [
            "GRANT USAGE ON SCHEMA \"crm\" TO \"hallpass\";",
            "GRANT USAGE ON SCHEMA public TO \"hallpass\";",
            "SET search_path TO \"$user\", \"crm\", \"public\";",
        ] {
            assert!(sql.lines().any(|it| it == line), "{line}: {sql}");
        }
        // There is nothing to read in public.
        servers.search_path.clear();
        let sql = grants(
            &Location::Postgres(servers.clone()),
            &["crm.people"],
            &[],
            &[],
        );
        assert!(!sql.contains("public"), "{sql}");
        let sql = grants(&Location::Mysql(servers), &["crm.people", "x"], &[], &[]);
        assert!(sql.contains("GRANT SELECT ON `crm`.`people` TO"), "{sql}");
        assert!(sql.contains("GRANT SELECT ON `sh\"o``p`.`x` TO"), "{sql}");
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
            "CREATE USER IF NOT EXISTS `hallpass`@`localhost` ACCOUNT LOCK;",
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
