//! Looks rows up in one table by the value of one column, or in two tables in one statement, which
//! saves a round trip.

use std::sync::Arc;

use super::sizes::{LARGEST_DATA, LARGEST_VALUE};
use super::value::{Row, Value};

/// The most rows that a look-up returns: one is the answer, and two mean several.
pub(super) const MOST: usize = 2;

/// A look-up in one table by the value of one column. Copies of it are the same look-up.
#[derive(Clone, Debug)]
pub struct LookUp(Arc<Parts>);

#[derive(Debug)]
pub(super) struct Parts {
    pub(super) columns: Vec<String>,
    table: String,
    by: String,
    /// What the parameter is called, with the colon.
    pub(super) parameter: &'static str,
    /// The statement.
    pub(super) statement: String,
    /// The longest value that is read, in bytes.
    pub(super) bound: usize,
}

impl LookUp {
    /// The look-up that reads `columns` of `table` where the column `by` is `parameter`, which is
    /// written `:name`. Names are quoted identifiers; a column may be an expression, and a table
    /// may have an alias after it for expressions to name. The first column is never NULL.
    #[must_use]
    pub fn new(columns: &[&str], table: &str, by: &str, parameter: &'static str) -> Self {
        Self::bounded(columns, table, by, parameter, LARGEST_VALUE)
    }

    /// As [`new`](Self::new), where the row holds a session's data.
    #[must_use]
    pub fn of_data(columns: &[&str], table: &str, by: &str, parameter: &'static str) -> Self {
        Self::bounded(columns, table, by, parameter, LARGEST_DATA)
    }

    /// Its parts.
    pub(super) fn parts(&self) -> &Parts {
        &self.0
    }

    fn bounded(
        columns: &[&str],
        table: &str,
        by: &str,
        parameter: &'static str,
        bound: usize,
    ) -> Self {
        let statement = format!(
            "SELECT {} FROM {table} WHERE {by} = {parameter}",
            columns.join(", ")
        );
        Self(Arc::new(Parts {
            columns: columns.iter().map(|&column| column.to_owned()).collect(),
            table: table.to_owned(),
            by: by.to_owned(),
            parameter,
            statement,
            bound,
        }))
    }
}

impl PartialEq for LookUp {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// A row that was read together with another, with its look-up and value.
pub(super) type ReadRow = (LookUp, Value, Row);

/// The last two look-ups that were joined, and their statement.
#[derive(Debug, Default)]
pub(super) struct Joined(Option<(LookUp, LookUp, Arc<str>)>);

impl Joined {
    /// The statement that reads both, of tables alone where `plain` and where that can be.
    pub(super) fn statement(&mut self, one: &LookUp, two: &LookUp, plain: bool) -> Arc<str> {
        if let Some((last_one, last_two, statement)) = &self.0
            && last_one == one
            && last_two == two
        {
            return Arc::clone(statement);
        }
        let statement: Arc<str> = join(one, two, plain).into();
        self.0 = Some((one.clone(), two.clone(), Arc::clone(&statement)));
        statement
    }
}

/// The statement that reads a row of `one` and that of `two` beside it, or NULL in the first column of
/// `two`.
fn join(one: &LookUp, two: &LookUp, plain: bool) -> String {
    let tables = plain.then(|| join_tables(one, two)).flatten();
    tables.unwrap_or_else(|| join_derived(one, two))
}

/// As [`join`], of the tables themselves; `None` where a column is an expression, in which a name could
/// refer to the other table.
fn join_tables(one: &LookUp, two: &LookUp) -> Option<String> {
    let ((table, alias), (other, other_alias)) = (named(one, "a")?, named(two, "b")?);
    // The first column tells whether there is a row.
    let tells = identifiers(two.0.columns.first()?) == 1;
    if alias == other_alias || !tells {
        return None;
    }
    let columns = [
        qualified(&one.0.columns, alias)?,
        qualified(&two.0.columns, other_alias)?,
    ];
    let by = qualified(std::slice::from_ref(&one.0.by), alias)?;
    let other_by = qualified(std::slice::from_ref(&two.0.by), other_alias)?;
    Some(format!(
        "SELECT {} FROM {table} {alias} LEFT JOIN {other} {other_alias} ON {other_by} = {} WHERE {by} = {}",
        columns.join(", "),
        two.0.parameter,
        one.0.parameter,
    ))
}

/// The table of `look_up`, and what it is called: its own alias, or else `alias`.
fn named<'a>(look_up: &'a LookUp, alias: &'a str) -> Option<(&'a str, &'a str)> {
    let table = look_up.0.table.as_str();
    match table.rsplit_once(' ') {
        Some((name, alias)) if identifiers(name) > 0 && is_word(alias) => Some((name, alias)),
        _ => (identifiers(table) > 0).then_some((table, alias)),
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase())
}

/// The columns of the table that is called `alias`; `None` where one is neither a column nor a constant.
fn qualified(columns: &[String], alias: &str) -> Option<String> {
    let column = |column: &String| {
        let constant = column == "NULL" || column.bytes().all(|byte| byte.is_ascii_digit());
        match identifiers(column) {
            1 => Some(format!("{alias}.{column}")),
            _ => (constant && !column.is_empty()).then(|| column.clone()),
        }
    };
    let columns: Option<Vec<String>> = columns.iter().map(column).collect();
    Some(columns?.join(", "))
}

/// How many quoted identifiers `text` consists of, with a dot between two; 0 where it is anything
/// else, or one of them has a quote in it.
fn identifiers(text: &str) -> usize {
    let parts: Vec<&str> = text.split('"').collect();
    let last = parts.len() - 1;
    let fits = parts.iter().enumerate().all(|(index, part)| match index {
        index if !index.is_multiple_of(2) => !part.is_empty(),
        index if index == 0 || index == last => part.is_empty(),
        _ => *part == ".",
    });
    if fits && last.is_multiple_of(2) {
        last / 2
    } else {
        0
    }
}

/// As [`join`], where each is a derived table, so that no name in one can refer to a column of the
/// other.
fn join_derived(one: &LookUp, two: &LookUp) -> String {
    let derived = |look_up: &LookUp, alias: &str| {
        let Parts {
            columns,
            table,
            by,
            parameter,
            ..
        } = &*look_up.0;
        let column = |(number, column)| format!("{column} AS c{number}");
        let columns: Vec<String> = columns.iter().enumerate().map(column).collect();
        let columns = columns.join(", ");
        format!("(SELECT {columns} FROM {table} WHERE {by} = {parameter}) {alias}")
    };
    let columns = |look_up: &LookUp, alias: &str| {
        let column = |number| format!("{alias}.c{number}");
        let columns: Vec<String> = (0..look_up.0.columns.len()).map(column).collect();
        columns.join(", ")
    };
    format!(
        "SELECT {}, {} FROM {} LEFT JOIN {} ON 1 = 1",
        columns(one, "a"),
        columns(two, "b"),
        derived(one, "a"),
        derived(two, "b"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_told_from_expressions() {
        for (text, expected) in [
            (r#""id""#, 1),
            (r#""crm"."account""#, 2),
            (r#""a.b""#, 1),
            ("", 0),
            ("id", 0),
            (r#""id"#, 0),
            (r#"id""#, 0),
            (r#""""#, 0),
            (r#""a""b""#, 0),
            (r#""a" AS "b""#, 0),
            (r#""a", "b""#, 0),
            (r#""account" account"#, 0),
            (r#"lower("id")"#, 0),
            (r#""a"."#, 0),
            (r#"."a""#, 0),
            (r#""a".."b""#, 0),
            ("1", 0),
        ] {
            assert_eq!(identifiers(text), expected, "{text}");
        }
    }

    #[test]
    fn an_expression_never_sees_the_other_table() {
        let look_up = |columns: &[&str], table, by| LookUp::new(columns, table, by, ":id");
        let plain = LookUp::new(&[r#""data""#], r#""session""#, r#""key""#, ":key");
        let account = [r#""id""#, "NULL", "1"];
        for table in [
            r#""account" account"#,
            r#""account""#,
            r#""crm"."account" account"#,
        ] {
            let other = look_up(&account, table, r#""id""#);
            let statement = join(&plain, &other, true);
            assert!(!statement.contains("(SELECT "), "{statement}");
            let derived = join(&plain, &other, false);
            assert_eq!(derived.matches("(SELECT ").count(), 2, "{derived}");
        }
        assert_eq!(
            join(
                &plain,
                &look_up(&account, r#""account" account"#, r#""id""#),
                true
            ),
            r#"SELECT a."data", account."id", NULL, 1 FROM "session" a LEFT JOIN "account" account ON account."id" = :id WHERE a."key" = :key"#
        );
        for (columns, table, by) in [
            (&[r#"lower("name")"#][..], r#""account""#, r#""id""#),
            (&[r#""id""#, r#""gone" IS NULL"#], r#""account""#, r#""id""#),
            (&[r#""id""#, ""], r#""account""#, r#""id""#),
            (&[r#""id""#, "name"], r#""account""#, r#""id""#),
            (&["1"], r#""account""#, r#""id""#),
            (&[r#""id""#], r#""account" a"#, r#""id""#),
            (&[r#""id""#], r#""account" AS it"#, r#""id""#),
            (&[r#""id""#], r#""account", "other""#, r#""id""#),
            (&[r#""id""#], "account", r#""id""#),
            (&[r#""id""#], r#""account""#, r#"lower("name")"#),
        ] {
            let statement = join(&plain, &look_up(columns, table, by), true);
            assert_eq!(statement.matches("(SELECT ").count(), 2, "{statement}");
        }
    }
}
