//! Examines the tables that are read: whether they exist, may be read, and have indexes.

use hallpass_sites::{Required, Table};
use hallpass_stores::Unavailable;
use hallpass_stores::sql::{Queries, TableName, identifier};

use super::{Examination, Finding};

impl Examination<'_> {
    /// Whether all that is read is there.
    pub(super) fn tables(&mut self) -> bool {
        let mut needs = self.site.accounts.needs();
        // Both may read a table.
        let mut of_sessions = self.site.sessions.needs();
        let elsewhere = self.database.keeps_sessions_elsewhere();
        of_sessions.retain(|needed| elsewhere || !needs.contains(needed));
        let of_accounts = needs.len();
        needs.extend(of_sessions);
        let deadline = self.deadline();
        let (before, mut tables, mut statements) = (self.findings.len(), 0, Vec::new());
        let (mut missing, mut refused): (Vec<&Table>, Vec<(&Required, Finding)>) =
            (Vec::new(), Vec::new());
        for (index, needed) in needs.iter().enumerate() {
            let examine = |queries: &mut Queries<'_>| -> Result<Option<Vec<Finding>>, Unavailable> {
                match needed {
                    Required::Table(table) => examine_table(table, queries),
                    Required::Statement {
                        key,
                        statement,
                        columns,
                    } => Ok(Some(examine_statement(queries, key, statement, columns))),
                }
            };
            let ask = |queries: &mut Queries<'_>| match index < of_accounts {
                true => examine(queries),
                false => queries.in_sessions(examine),
            };
            match needed {
                Required::Table(_) => tables += 1,
                Required::Statement { key, .. } => statements.push(*key),
            }
            match self.database.ask(deadline, ask) {
                Ok(Some(found)) => {
                    for finding in found {
                        // One user's missing rights are one fault.
                        match finding.check == "rights" {
                            true => refused.push((needed, finding)),
                            false => self.findings.push(finding),
                        }
                    }
                }
                Ok(None) => {
                    if let Required::Table(table) = needed {
                        missing.push(table);
                    }
                }
                Err(cause) => {
                    let mend = "read the database's log";
                    self.unavailable("tables", "look at the tables", &cause, mend);
                    return false;
                }
            }
        }
        if let Some(first) = missing.first() {
            let of_sessions = !needs
                .iter()
                .take(of_accounts)
                .any(|it| matches!(it, Required::Table(table) if table == *first));
            let ask = |queries: &mut Queries<'_>| queries.schemas_with(&first.name);
            let schemas = self.database.ask(deadline, |queries| match of_sessions {
                true => queries.in_sessions(ask),
                false => ask(queries),
            });
            let schemas = schemas.unwrap_or_default();
            self.findings.push(absent(&missing, &schemas));
        }
        self.findings.extend(not_permitted(refused));
        let found = self.findings.get(before..).unwrap_or_default();
        let good = found
            .iter()
            .all(|finding| finding.status < super::Status::Problem);
        if found.is_empty() && tables > 0 {
            let seen = match tables {
                1 => "the table has the columns that are read, and indexes".to_owned(),
                _ => format!("all {tables} tables have the columns that are read, and indexes"),
            };
            self.add(Finding::ok(
                "tables",
                "look at tables, columns and indexes",
                seen,
            ));
        }
        if good && let Some(key) = statements.first() {
            let (section, _) = key.split_once('.').unwrap_or(("", key));
            let tried = format!("prepare the SQL of [{section}]");
            let seen = match statements.len() {
                1 => "the database understands it".to_owned(),
                count => format!("the database understands all {count}"),
            };
            self.add(Finding::ok("statements", tried, seen));
        }
        good
    }
}

/// What is wrong with the table; `None` where it is missing.
fn examine_table(
    table: &Table,
    queries: &mut Queries<'_>,
) -> Result<Option<Vec<Finding>>, Unavailable> {
    let tried = format!("look at the table {}", table.name);
    let columns = queries.columns(&table.name)?;
    if columns.is_empty() {
        return Ok(table.optional.then(Vec::new));
    }
    let missing: Vec<&str> = table
        .columns
        .iter()
        .filter(|needed| !columns.iter().any(|column| column.name == **needed))
        .map(String::as_str)
        .collect();
    if !missing.is_empty() {
        return Ok(Some(vec![Finding::problem(
            "columns",
            tried,
            format!("it has no column {}", missing.join(", ")),
            "name the columns as the site does, or run the site's migrations",
        )]));
    }
    let quoted = |name: &String| identifier(name).unwrap_or_default();
    let list: Vec<String> = table.columns.iter().map(quoted).collect();
    let statement = format!(
        "SELECT {} FROM {} LIMIT 1",
        list.join(", "),
        TableName::parse(&table.name).map_or_else(String::new, |name| name.quoted())
    );
    if let Err(cause) = queries.rows(&statement, &[], 1) {
        return Ok(Some(vec![Finding::problem(
            "rights",
            tried,
            cause.to_string(),
            "run what `hallpass grants` prints, as the database's administrator",
        )]));
    }
    let indexed = queries.indexed(&table.name)?;
    let without = table
        .sought
        .iter()
        .filter(|sought| !indexed.contains(sought));
    let slow = without.map(|column| {
        Finding::warning(
            "index",
            format!("look for an index on {} ({column})", table.name),
            "there is none: every question reads the whole table",
            create_index(&table.name, column),
        )
    });
    Ok(Some(slow.collect()))
}

/// The statement that makes an index on `column`, as far as names are plain.
fn create_index(table: &str, column: &str) -> String {
    let plain = |text: &str| text.replace('.', "_").replace('"', "");
    format!(
        "CREATE INDEX {}_{column} ON {table} ({column});",
        plain(table)
    )
}

/// The tables that this user may not read, as one finding.
fn not_permitted(refused: Vec<(&Required, Finding)>) -> Option<Finding> {
    let name = |(needed, _): &(&Required, Finding)| match needed {
        Required::Table(table) => Some(table.name.clone()),
        Required::Statement { .. } => None,
    };
    let names: Vec<String> = refused.iter().filter_map(name).collect();
    let (_, first) = refused.into_iter().next()?;
    Some(match names.as_slice() {
        [_] => first,
        _ => Finding {
            tried: format!("look at the tables {}", names.join(", ")),
            ..first
        },
    })
}

/// Tables that are not there; `schemas` have one that is called as the first of them.
fn absent(tables: &[&Table], schemas: &[String]) -> Finding {
    let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
    let key = tables.iter().find_map(|table| table.key.split_once('.'));
    let named = key.map_or(String::new(), |(section, key)| {
        format!(", and [{section}] {key}")
    });
    if !schemas.is_empty() {
        let schemas: Vec<String> = schemas.iter().map(|it| format!("\"{it}\"")).collect();
        return Finding::problem(
            "tables",
            "look at the tables",
            format!(
                "there is no {} where tables are searched for, or this user may not know of it",
                names.join(", ")
            ),
            format!(
                "write into [database] the schema that the site uses: schema = {}; then run what \
                 `hallpass grants` prints",
                schemas.join(" or ")
            ),
        );
    }
    Finding::problem(
        "tables",
        "look at the tables",
        format!(
            "there is no {}, or this user may not know of it",
            names.join(", ")
        ),
        format!("set `database` right{named}; `hallpass grants` prints what a user needs"),
    )
}

fn examine_statement(
    queries: &mut Queries<'_>,
    key: &str,
    statement: &str,
    needed: &[&str],
) -> Vec<Finding> {
    let (section, key) = key.split_once('.').unwrap_or(("", key));
    let tried = format!("prepare [{section}] {key}");
    let given = match queries.names(statement) {
        Ok(given) => given,
        Err(cause) => {
            let mend = format!("correct the SQL of [{section}] {key}");
            return vec![Finding::problem(
                "statements",
                tried,
                cause.to_string(),
                mend,
            )];
        }
    };
    let has = |name: &str| given.iter().any(|column| column.eq_ignore_ascii_case(name));
    // The only column is what is looked for, whatever it is called.
    if needed.len() == 1 && given.len() == 1 {
        return Vec::new();
    }
    needed
        .iter()
        .filter(|name| !has(name))
        .map(|name| {
            Finding::problem(
                "statements",
                &tried,
                format!("it gives no column called {name}, but {}", given.join(", ")),
                format!("name it so in [{section}] {key}: `… AS {name}`"),
            )
        })
        .collect()
}
