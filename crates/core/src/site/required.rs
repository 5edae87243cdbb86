//! What a site's database must have, for the doctor, and for those who grant rights.

/// Something that is read of the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Required {
    /// Columns of a table.
    Table(Table),
    /// A statement of the configuration.
    Statement {
        /// Its key.
        key: &'static str,
        /// The SQL.
        statement: String,
        /// The columns that it must give, by name.
        columns: &'static [&'static str],
    },
}

/// A table, and what of it is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Table {
    /// Its name, without quotes.
    pub(crate) name: String,
    /// The columns that are read.
    pub(crate) columns: Vec<String>,
    /// Those by which rows are found.
    pub(crate) sought: Vec<String>,
    /// The key of the configuration that names it, or its prefix; empty where none does.
    pub(crate) key: &'static str,
    /// Whether the site may do without it.
    pub(crate) optional: bool,
}

/// The names of the tables among `needs`.
pub(crate) fn tables(needs: Vec<Required>) -> Vec<String> {
    let name = |needed| match needed {
        Required::Table(table) => Some(table.name),
        Required::Statement { .. } => None,
    };
    needs.into_iter().filter_map(name).collect()
}

impl Required {
    /// The table `name` with `columns`, the first of which finds rows.
    pub(crate) fn table(name: impl Into<String>, key: &'static str, columns: &[&str]) -> Self {
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
    pub(crate) fn small_table(
        name: impl Into<String>,
        key: &'static str,
        columns: &[&str],
    ) -> Self {
        Self::Table(Table::whole(name.into(), key, columns))
    }

    /// A small table that some versions of the site's software lack.
    pub(crate) fn optional_table(
        name: impl Into<String>,
        key: &'static str,
        columns: &[&str],
    ) -> Self {
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

/// A rule of the site's that the configuration does not honour.
#[derive(Debug)]
pub(crate) struct Overlooked {
    /// The stable name of the check.
    pub(crate) check: &'static str,
    /// What was looked for.
    pub(crate) tried: &'static str,
    /// What was seen.
    pub(crate) seen: String,
    /// What mends it.
    pub(crate) mend: String,
}
