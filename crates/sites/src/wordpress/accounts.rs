//! Reads accounts, as WordPress's own login finds them (`wp_authenticate_username_password` and
//! `wp_authenticate_email_password` in `wp-includes/user.php` of 6.1 and 6.9).

use std::time::SystemTime;

use hallpass_passwords::ApplicationPassword;
use hallpass_sessions::wordpress::{Capabilities, Version};
use hallpass_stores::Unavailable;
use hallpass_stores::sql::{Queries, Row, Value, fold_case};

use super::applications::Applications;
use super::capabilities::{Holder, required};
use super::names::{depends_on_locale, is_email, sanitize};
use super::settings::Wordpress;
use crate::{
    Account, AccountLookup, Accounts, Client, Described, Id, LoginField, MOST_ALIKE, MOST_GROUPS,
    Overlooked, Reason, Required,
};

/// How many hashes are looked at to learn what a check costs on this site.
const SOME_HASHES: usize = 64;
/// How many accounts are listed at a time.
const PAGE: usize = 500;
/// From here on an e-mail address logs in.
const EMAILS: Version = Version::new(4, 5);
/// The most accounts that one application password is looked for among.
const MOST_TOKENS: usize = 16;

/// The accounts of a site.
#[derive(Debug)]
pub(super) struct WordpressAccounts {
    site: Wordpress,
    lookup: AccountLookup,
    select: String,
    applications: Applications,
}

impl WordpressAccounts {
    pub(super) fn new(site: &Wordpress, lookup: &AccountLookup) -> Self {
        let (users, _) = site.tables();
        Self {
            select: format!(
                "SELECT \"ID\", \"user_login\", \"user_pass\", \"user_email\", \"display_name\", {} \
                 FROM {users} account",
                crate::meets(lookup.account_where.as_deref()),
            ),
            site: site.clone(),
            lookup: lookup.clone(),
            applications: Applications::default(),
        }
    }

    fn accounts(
        &self,
        queries: &mut Queries<'_>,
        rest: &str,
        parameters: &[(&str, Value)],
        limit: usize,
    ) -> Result<Vec<Account>, Unavailable> {
        let statement = format!("{} {rest}", self.select);
        let rows = queries.rows(&statement, parameters, limit)?;
        let mut accounts: Vec<Account> = rows.into_iter().filter_map(account).collect();
        if !accounts.is_empty() {
            let admins = self.site.super_administrators(queries)?;
            for account in &mut accounts {
                account.superuser = admins.contains(&account.name);
            }
        }
        Ok(accounts)
    }

    /// The accounts whose `column` is `value`, by the column's own collation where the database has
    /// such, as WordPress compares it, and else without regard to case.
    fn by(
        &self,
        queries: &mut Queries<'_>,
        column: &str,
        value: &str,
    ) -> Result<Vec<Account>, Unavailable> {
        let exact = format!("{column} = :name");
        let folds = !self.site.collates || self.lookup.ignore_case;
        let condition = match folds {
            true => format!("({exact} OR {})", queries.same_but_for_case(column, value)),
            false => exact,
        };
        let parameters = [(":name", Value::from(value))];
        let rest = format!("WHERE {condition} ORDER BY \"ID\"");
        let mut found = self.accounts(queries, &rest, &parameters, MOST_ALIKE)?;
        // Where there are too many to tell, they are all the same.
        if !self.site.collates && found.len() < MOST_ALIKE {
            let folded = fold_case(value);
            found.retain(|account| {
                fold_case(&account.name) == folded || fold_case(&account.email) == folded
            });
        }
        Ok(found)
    }

    fn sanitized(&self, queries: &mut Queries<'_>, name: &str) -> Result<String, Unavailable> {
        let locale = match depends_on_locale(name) {
            true => self.site.locale(queries)?,
            false => String::new(),
        };
        Ok(sanitize(name, &locale))
    }

    /// What is stored beside `account` under the name `key`; the first of several.
    fn meta(
        &self,
        queries: &mut Queries<'_>,
        account: &Account,
        key: &str,
    ) -> Result<Option<String>, Unavailable> {
        let (_, usermeta) = self.site.tables();
        let statement = format!(
            "SELECT \"meta_key\", \"meta_value\" FROM {usermeta} WHERE \"user_id\" = :id AND \
             \"meta_key\" = :key ORDER BY \"umeta_id\""
        );
        let parameters = [
            (":id", account.id.value.clone()),
            (":key", Value::from(key)),
        ];
        let rows = queries.rows(&statement, &parameters, MOST_ALIKE)?;
        // The name counts letter by letter, whatever the collation takes for the same.
        let named = |mut row: Row| (row.text(0)? == key).then(|| row.words(1).unwrap_or_default());
        Ok(rows.into_iter().find_map(named))
    }

    fn capabilities(
        &self,
        queries: &mut Queries<'_>,
        account: &Account,
    ) -> Result<Capabilities, Unavailable> {
        let key = format!("{}capabilities", self.site.own_prefix());
        let stored = self.meta(queries, account, &key)?.unwrap_or_default();
        let roles = self.site.roles(queries)?;
        Ok(Capabilities::read(&stored, &roles))
    }

    /// Whether `password` is one of the application passwords of `account`; without an account, none is.
    fn has_application_password(
        &mut self,
        queries: &mut Queries<'_>,
        account: Option<&Account>,
        password: &ApplicationPassword,
    ) -> Result<bool, Unavailable> {
        let stored = match account {
            Some(account) => self.meta(queries, account, "_application_passwords")?,
            None => None,
        };
        let stored = stored.unwrap_or_default();
        self.applications
            .has(&self.site, queries, &stored, password)
    }
}

/// `None` for a row without a key or a name, which is not an account.
fn account(mut row: Row) -> Option<Account> {
    let id = row.take(0).integer_like().filter(|id| *id > 0)?;
    let name = row.words(1).filter(|name| !name.is_empty())?;
    let encoded = row.words(2);
    let email = row.words(3).unwrap_or_default();
    let full_name = row.words(4).unwrap_or_default();
    Some(Account {
        id: Id {
            value: Value::Integer(id),
            text: id.to_string(),
        },
        name,
        encoded,
        active: row.truth(5),
        inactive: Reason::Inactive,
        staff: false,
        superuser: false,
        email,
        full_name,
    })
}

impl Accounts for WordpressAccounts {
    fn candidates(
        &mut self,
        queries: &mut Queries<'_>,
        name: &str,
    ) -> Result<Vec<Account>, Unavailable> {
        let mut candidates = Vec::new();
        for spelling in self.lookup.spellings(name) {
            let typed = self.sanitized(queries, &spelling)?;
            // It is looked up as a name by what takes it for one again.
            let login = self.sanitized(queries, &typed)?;
            for field in &self.lookup.login {
                candidates.extend(match field {
                    _ if login.is_empty() || login == "0" => Vec::new(),
                    LoginField::Username => self.by(queries, "\"user_login\"", &login)?,
                    LoginField::Email if is_email(&typed) && self.site.version >= EMAILS => {
                        self.by(queries, "\"user_email\"", &typed)?
                    }
                    LoginField::Email => Vec::new(),
                });
            }
        }
        Ok(candidates)
    }

    /// Names that no index finds where case is folded by a function.
    fn scans(&self, _name: &str) -> bool {
        !self.site.collates || self.lookup.ignore_case
    }

    fn by_key(
        &mut self,
        queries: &mut Queries<'_>,
        key: &str,
    ) -> Result<Option<Account>, Unavailable> {
        let Ok(key) = key.parse::<i64>() else {
            return Ok(None);
        };
        let parameters = [(":id", Value::Integer(key))];
        let found = self.accounts(queries, "WHERE \"ID\" = :id", &parameters, 2)?;
        Ok(crate::only(found))
    }

    /// An application password, with the name of its account and a colon before it, or by itself:
    /// that is found where it was made by 6.8 or later.
    fn by_token(
        &mut self,
        queries: &mut Queries<'_>,
        token: &str,
    ) -> Result<Option<Account>, Unavailable> {
        if let Some((name, password)) = token.rsplit_once(':') {
            return self.by_program_password(queries, name, password.as_bytes());
        }
        let Some(password) = ApplicationPassword::typed(token.as_bytes()) else {
            return Ok(None);
        };
        if !self.site.application_passwords || self.site.version < Version::BCRYPT {
            return Ok(None);
        }
        let (_, usermeta) = self.site.tables();
        // Of the letters of a hash, `_` alone means anything to LIKE: more rows, which are compared.
        let statement = format!(
            "SELECT \"user_id\" FROM {usermeta} WHERE \"meta_key\" = '_application_passwords' AND \
             \"meta_value\" LIKE :hash"
        );
        let hash = format!("%{}%", password.stored().as_str());
        let rows = queries.rows(&statement, &[(":hash", Value::from(hash))], MOST_TOKENS)?;
        let mut found = Vec::new();
        for mut row in rows {
            let Some(id) = row.take(0).integer_like() else {
                continue;
            };
            let Some(account) = self.by_key(queries, &id.to_string())? else {
                continue;
            };
            if self.has_application_password(queries, Some(&account), &password)? {
                found.push(account);
            }
        }
        Ok(crate::only(found))
    }

    fn is_for_programs(&self, password: &[u8]) -> bool {
        self.site.application_passwords && ApplicationPassword::typed(password).is_some()
    }

    fn by_program_password(
        &mut self,
        queries: &mut Queries<'_>,
        name: &str,
        password: &[u8],
    ) -> Result<Option<Account>, Unavailable> {
        if !self.site.application_passwords {
            return Ok(None);
        }
        let Some(password) = ApplicationPassword::typed(password) else {
            return Ok(None);
        };
        let account = self.by_name(queries, name)?;
        let right = self.has_application_password(queries, account.as_ref(), &password)?;
        Ok(account.filter(|_| right))
    }

    /// A site that is archived, deleted or spam lets in super administrators alone.
    fn is_banned(
        &mut self,
        queries: &mut Queries<'_>,
        account: &Account,
        _client: &Client,
        _now: SystemTime,
    ) -> Result<bool, Unavailable> {
        Ok(!account.superuser && self.site.is_closed(queries)?)
    }

    /// An account that a network has marked as spam logs in no more; its sessions go on
    /// (`wp_authenticate_spam_check`).
    fn refuses_passwords(
        &mut self,
        queries: &mut Queries<'_>,
        account: &Account,
    ) -> Result<Option<Reason>, Unavailable> {
        if !self.site.is_multisite(queries)? {
            return Ok(None);
        }
        let (users, _) = self.site.tables();
        let statement = format!("SELECT \"spam\" FROM {users} WHERE \"ID\" = :id");
        let parameters = [(":id", account.id.value.clone())];
        let mut rows = queries.rows(&statement, &parameters, 1)?;
        let spam = rows.pop().and_then(|mut row| row.take(0).integer_like());
        Ok((spam == Some(1)).then_some(Reason::Banned))
    }

    /// The account's roles in this site.
    fn groups(
        &mut self,
        queries: &mut Queries<'_>,
        account: &Account,
    ) -> Result<Vec<String>, Unavailable> {
        let mut roles = self.capabilities(queries, account)?.roles;
        roles.sort();
        roles.dedup();
        Ok(roles)
    }

    fn has_permission(
        &mut self,
        queries: &mut Queries<'_>,
        account: &Account,
        permission: &str,
    ) -> Result<bool, Unavailable> {
        let holder = Holder {
            superuser: account.superuser,
            multisite: self.site.is_multisite(queries)?,
        };
        let Some(required) = required(&self.site, queries, permission, holder)? else {
            return Ok(false);
        };
        if holder.superuser {
            return Ok(true);
        }
        let held = self.capabilities(queries, account)?;
        Ok(required.iter().all(|capability| held.allow(capability)))
    }

    /// What is forbidden to all is forbidden to super administrators, too.
    fn superusers_may_lack(&self, _permission: &str) -> bool {
        true
    }
}

impl Described for WordpressAccounts {
    fn group_names(
        &mut self,
        queries: &mut Queries<'_>,
    ) -> Result<Option<Vec<String>>, Unavailable> {
        let mut names = self.site.roles(queries)?.names();
        names.truncate(MOST_GROUPS);
        Ok(Some(names))
    }

    fn overlooked(&mut self, queries: &mut Queries<'_>) -> Result<Vec<Overlooked>, Unavailable> {
        super::advice::overlooked(&self.site, queries)
    }

    fn page_after(
        &mut self,
        queries: &mut Queries<'_>,
        last: Option<&Id>,
    ) -> Result<Vec<Account>, Unavailable> {
        let last = last.map_or(Value::Integer(0), |id| id.value.clone());
        let rest = format!("WHERE \"ID\" > :id ORDER BY \"ID\" LIMIT {PAGE}");
        self.accounts(queries, &rest, &[(":id", last)], usize::MAX)
    }

    fn needs(&self) -> Vec<Required> {
        let key = "wordpress.table_prefix";
        let site = &self.site;
        let users = [
            "user_login",
            "ID",
            "user_pass",
            "user_email",
            "display_name",
        ];
        let options = format!("{}options", site.own_prefix());
        let mut needed = vec![
            Required::table(&site.users, key, &users),
            Required::table(
                &site.usermeta,
                key,
                &["user_id", "umeta_id", "meta_key", "meta_value"],
            ),
            Required::table(options, key, &["option_name", "option_value"]),
        ];
        if site.multisite != Some(false) {
            let sitemeta = ["site_id", "meta_key", "meta_value"];
            let blogs = ["blog_id", "site_id", "deleted", "archived", "spam"];
            for (name, columns) in [("sitemeta", &sitemeta[..]), ("blogs", &blogs)] {
                let name = format!("{}{name}", site.prefix);
                needed.push(match site.multisite {
                    Some(_) => Required::table(name, key, columns),
                    None => Required::optional_table(name, key, columns),
                });
            }
        }
        needed
    }

    fn count(&mut self, queries: &mut Queries<'_>) -> Result<Option<u64>, Unavailable> {
        crate::count(queries, &self.site.tables().0, "")
    }

    fn sample_hashes(&mut self, queries: &mut Queries<'_>) -> Result<Vec<String>, Unavailable> {
        let statement = format!(
            "SELECT \"user_pass\" FROM {} WHERE \"user_pass\" <> '' ORDER BY \"ID\" DESC LIMIT \
             {SOME_HASHES}",
            self.site.tables().0
        );
        let rows = queries.rows(&statement, &[], SOME_HASHES)?;
        Ok(rows
            .into_iter()
            .filter_map(|mut row| row.words(0))
            .collect())
    }
}
