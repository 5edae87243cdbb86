//! Describes what a site keeps in its database, for the doctor, the audit and grants.

use hallpass_stores::Unavailable;
use hallpass_stores::sql::{Queries, Value};

use super::{Account, Id};

/// Describes a site's accounts as a whole, for the doctor, the audit and grants, and so that a denial
/// can cost as much as a check.
pub trait Described: std::fmt::Debug + Send {
    /// What the database must have, column by column.
    fn needs(&self) -> Vec<Required>;

    /// The tables that are read.
    fn tables(&self) -> Vec<String> {
        tables(self.needs())
    }

    /// The table of the accounts and the columns that hold what people may type, where it is looked
    /// for without regard to case.
    fn folded(
        &mut self,
        _queries: &mut Queries<'_>,
    ) -> Result<Option<(String, Vec<String>)>, Unavailable> {
        Ok(None)
    }

    /// Rules of the site's that its database shows, and that the configuration does not honour.
    fn overlooked(&mut self, _queries: &mut Queries<'_>) -> Result<Vec<Overlooked>, Unavailable> {
        Ok(Vec::new())
    }

    /// How many accounts there are, where that can be counted.
    fn count(&mut self, _queries: &mut Queries<'_>) -> Result<Option<u64>, Unavailable> {
        Ok(None)
    }

    /// The next accounts after the one whose primary key is `last`, by their primary keys.
    fn page_after(
        &mut self,
        _queries: &mut Queries<'_>,
        _last: Option<&Id>,
    ) -> Result<Vec<Account>, Unavailable> {
        Err(Unavailable::new(
            "the accounts of this site cannot be listed",
        ))
    }

    /// The table that changes of accounts are made in, and which columns of its rows.
    fn writable_columns(&self) -> Option<(String, Vec<String>)> {
        None
    }

    /// The encoded hashes of a few accounts, newest first.
    fn sample_hashes(&mut self, queries: &mut Queries<'_>) -> Result<Vec<String>, Unavailable>;

    /// Whether [`sample_hashes`](Self::sample_hashes) can tell what a check costs on this site.
    fn lists_hashes(&self) -> bool {
        true
    }

    /// Why the site's passwords are not checked by itself, in words for the administrator; `None`
    /// where they are.
    fn passwords_elsewhere(
        &mut self,
        _queries: &mut Queries<'_>,
    ) -> Result<Option<String>, Unavailable> {
        Ok(None)
    }

    /// The names that groups of the site can be called by, no more than [`MOST_GROUPS`]; `None`
    /// where they cannot be listed.
    fn group_names(
        &mut self,
        _queries: &mut Queries<'_>,
    ) -> Result<Option<Vec<String>>, Unavailable> {
        Ok(None)
    }
}

/// How many groups are listed.
pub const MOST_GROUPS: usize = 10_000;

/// Something that is read of the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Required {
    /// Columns of a table.
    Table(Table),
    /// A statement of the configuration.
    Statement {
        /// Its key, with its table: `custom.user`.
        key: &'static str,
        /// The SQL.
        statement: String,
        /// The columns that it must give, by name.
        columns: &'static [&'static str],
    },
}

/// A table, and what of it is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Its name, without quotes.
    pub name: String,
    /// The columns that are read.
    pub columns: Vec<String>,
    /// Those by which rows are found.
    pub sought: Vec<String>,
    /// The key of the configuration that names it, or its prefix; empty where none does.
    pub key: &'static str,
    /// Whether the site may do without it.
    pub optional: bool,
}

/// The names of the tables among `needs`.
pub fn tables(needs: Vec<Required>) -> Vec<String> {
    let name = |needed| match needed {
        Required::Table(table) => Some(table.name),
        Required::Statement { .. } => None,
    };
    needs.into_iter().filter_map(name).collect()
}

impl Required {
    /// The table `name` with `columns`, the first of which finds rows.
    pub fn table(name: impl Into<String>, key: &'static str, columns: &[&str]) -> Self {
        Self::Table(Table {
            sought: columns
                .first()
                .map(|&it| it.to_owned())
                .into_iter()
                .collect(),
            ..Table::whole(name.into(), key, columns)
        })
    }

    /// The same, where no row is found by a column that needs an index.
    pub fn small_table(name: impl Into<String>, key: &'static str, columns: &[&str]) -> Self {
        Self::Table(Table::whole(name.into(), key, columns))
    }

    /// A small table that some versions of the site's software lack.
    pub fn optional_table(name: impl Into<String>, key: &'static str, columns: &[&str]) -> Self {
        Self::Table(Table {
            optional: true,
            ..Table::whole(name.into(), key, columns)
        })
    }
}

impl Table {
    fn whole(name: String, key: &'static str, columns: &[&str]) -> Self {
        Self {
            name,
            columns: columns.iter().map(|&column| column.to_owned()).collect(),
            key,
            ..Self::default()
        }
    }
}

/// Something that the site's stores show, and that the configuration does not honour.
#[derive(Debug)]
pub struct Overlooked {
    /// The stable name of the check.
    pub check: &'static str,
    /// What was looked for.
    pub tried: &'static str,
    /// What was seen.
    pub seen: String,
    /// The fix.
    pub mend: String,
    /// Whether clients are wrongly locked out or let in because of it.
    pub problem: bool,
}

/// How many rows `table`, a quoted identifier, has where `condition` holds.
pub fn count(
    queries: &mut Queries<'_>,
    table: &str,
    condition: &str,
) -> Result<Option<u64>, Unavailable> {
    let mut rows = queries.rows(&format!("SELECT COUNT(*) FROM {table}{condition}"), &[], 1)?;
    Ok(match rows.pop().map(|mut row| row.take(0)) {
        Some(Value::Integer(count)) => u64::try_from(count).ok(),
        _ => None,
    })
}
