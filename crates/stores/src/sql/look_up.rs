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

/// The statement that reads a row of `one` and that of `two` beside it, or NULL for each column of
/// `two`.
fn join(one: &LookUp, two: &LookUp, plain: bool) -> String {
    match plain && is_plain(one) && is_plain(two) {
        true => join_tables(one, two),
        false => join_derived(one, two),
    }
}

/// As [`join`], of tables and columns without an expression.
fn join_tables(one: &LookUp, two: &LookUp) -> String {
    let columns = |look_up: &LookUp, alias: &str| {
        let columns = look_up.0.columns.iter();
        let columns: Vec<String> = columns.map(|column| format!("{alias}.{column}")).collect();
        columns.join(", ")
    };
    let (a, b) = (&one.0, &two.0);
    format!(
        "SELECT {}, {} FROM {} a LEFT JOIN {} b ON b.{} = {} WHERE a.{} = {}",
        columns(one, "a"),
        columns(two, "b"),
        a.table,
        b.table,
        b.by,
        b.parameter,
        a.by,
        a.parameter,
    )
}

/// Whether its columns are quoted identifiers, and its table is one, or one in a schema.
fn is_plain(look_up: &LookUp) -> bool {
    let Parts {
        columns, table, by, ..
    } = &*look_up.0;
    columns
        .iter()
        .chain([by])
        .all(|name| identifiers(name) == 1)
        && identifiers(table) > 0
}

/// How many quoted identifiers `text` consists of, with a dot between two; 0 where it is anything
/// else, or one of them has a quote in it.
fn identifiers(text: &str) -> usize {
    let parts: Vec<&str> = text.split('"').collect();
    let last = parts.len() - 1;
    let fits = parts.iter().enumerate().all(|(index, part)| match index {
        index if index % 2 == 1 => !part.is_empty(),
        index if index == 0 || index == last => part.is_empty(),
        _ => *part == ".",
    });
    if fits && last % 2 == 0 { last / 2 } else { 0 }
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
        let plain = LookUp::new(&[r#""data""#], r#""session""#, r#""key""#, ":key");
        let other = LookUp::new(&[r#""id""#, r#""name""#], r#""account""#, r#""id""#, ":id");
        assert_eq!(
            join(&plain, &other, true),
            "SELECT a.\"data\", b.\"id\", b.\"name\" FROM \"session\" a LEFT JOIN \"account\" b ON \
             b.\"id\" = :id WHERE a.\"key\" = :key"
        );
        let derived = join(&plain, &other, false);
        assert_eq!(derived.matches("(SELECT ").count(), 2, "{derived}");
        let column = LookUp::new(&[r#"lower("name")"#], r#""account""#, r#""id""#, ":id");
        let table = LookUp::new(&[r#""name""#], r#""account" it"#, r#""id""#, ":id");
        let by = LookUp::new(&[r#""name""#], r#""account""#, r#"lower("name")"#, ":id");
        for expression in [column, table, by] {
            for statement in [
                join(&plain, &expression, true),
                join(&expression, &plain, true),
            ] {
                assert_eq!(statement.matches("(SELECT ").count(), 2, "{statement}");
            }
        }
    }
}
