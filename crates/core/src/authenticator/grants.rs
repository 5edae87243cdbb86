//! The least rights that the site's database must give.

use hallpass_stores::sql::{self, Location};

use super::Authenticator;

impl Authenticator {
    /// The SQL that makes a database user who may read what is read, and nothing else.
    #[must_use]
    pub fn grants(&self) -> String {
        self.grants_at(&self.settings.location)
    }

    /// The same for a user called `hallpass`, whomever the configuration names.
    #[must_use]
    pub fn grants_to_its_own(&self) -> String {
        let mut location = self.settings.location.clone();
        if let Location::Postgres(servers) | Location::Mysql(servers) = &mut location {
            servers.user = None;
        }
        self.grants_at(&location)
    }

    fn grants_at(&self, location: &Location) -> String {
        let mut tables = self.site.directory.tables();
        tables.extend(self.site.sessions.tables());
        tables.sort();
        tables.dedup();
        let tables: Vec<&str> = tables.iter().map(String::as_str).collect();
        let changed = self
            .site
            .directory
            .writable_columns()
            .filter(|_| self.changes);
        let (table, columns) = changed.unwrap_or_default();
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        let update = [(table.as_str(), columns.as_slice())];
        let insert = [table.as_str()];
        let count = usize::from(!columns.is_empty());
        let (update, insert) = (update.get(..count), insert.get(..count));
        sql::grants(
            location,
            &tables,
            update.unwrap_or_default(),
            insert.unwrap_or_default(),
        )
    }
}
