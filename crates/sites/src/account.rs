//! Finds and changes the accounts of a site.

use std::sync::Arc;
use std::time::SystemTime;

use hallpass_passwords::Context;
use hallpass_stores::sql::{Changes, LookUp, Queries, Value, fold_case};
use hallpass_stores::{Secret, Unavailable};
use serde::Deserialize;
use unicode_normalization::UnicodeNormalization;

use super::{Client, Described, Reason, Stop};

/// An account of the site.
#[derive(Clone)]
pub struct Account {
    /// The primary key.
    pub id: Id,
    /// The login name as stored.
    pub name: String,
    /// The encoded password hash; `None` where the column is NULL.
    pub encoded: Option<String>,
    /// Whether the account may be used.
    pub active: bool,
    /// Why not, where it is not.
    pub inactive: Reason,
    /// Whether it is staff.
    pub staff: bool,
    /// Whether it holds every permission.
    pub superuser: bool,
    /// The e-mail address; empty where there is none.
    pub email: String,
    /// The person's full name; empty where there is none.
    pub full_name: String,
}

/// What the row of an account keeps beside the hash, where the hash wants it.
#[derive(Clone, Default)]
pub struct HashContext {
    /// The login name as stored.
    pub login_name: Option<String>,
    /// The salt, where it stands in a column of its own.
    pub salt: Option<String>,
    /// The site's pepper, where it has one.
    pub pepper: Option<Arc<Secret>>,
}

impl HashContext {
    /// The same, as hashes are checked with it.
    #[must_use]
    pub fn context(&self) -> Context<'_> {
        Context {
            login_name: self.login_name.as_deref(),
            salt: self.salt.as_deref(),
            pepper: self.pepper.as_deref().map(Secret::expose),
        }
    }
}

/// A primary key: its value in the database, and its text as the site writes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Id {
    /// Its value in the database.
    pub value: Value,
    /// Its text.
    pub text: String,
}

impl std::fmt::Display for Id {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// Never shows the password hash.
impl std::fmt::Debug for Account {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Account")
            .field("id", &self.id.text)
            .field("name", &self.name)
            .field("active", &self.active)
            .finish_non_exhaustive()
    }
}

/// How accounts are looked up, whatever the framework.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountLookup {
    /// What people may type to say who they are.
    pub login: Vec<LoginField>,
    /// Whether names that differ in case alone are the same.
    pub ignore_case: bool,
    /// `where`: the SQL condition that the row of an account, in a table called `account`, must
    /// meet to be active.
    pub account_where: Option<String>,
}

/// What people may type to say who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema, serde::Serialize),
    schemars(inline)
)]
#[serde(rename_all = "lowercase")]
pub enum LoginField {
    /// The login name.
    Username,
    /// The e-mail address.
    Email,
}

/// In how many spellings a name is looked up, before they are decomposed.
const MOST_SPELLINGS: usize = 8;
/// How many accounts are read that a database takes for the same in any case.
pub(crate) const MOST_ALIKE: usize = 16;

impl AccountLookup {
    /// `name`, first, and further spellings of the same, where case is ignored: those that no database
    /// finds by it.
    ///
    /// XMPP servers ask about names in the form of nodeprep (RFC 6122, appendix A): folded by table
    /// B.2 of RFC 3454, which makes `ss` of `ß`, then composed (NFKC).
    pub(crate) fn spellings(&self, name: &str) -> Vec<String> {
        if !self.ignore_case {
            return vec![name.to_owned()];
        }
        let folded = name.replace(['ß', 'ẞ'], "ss");
        let places = folded.to_ascii_lowercase();
        let mut spellings = vec![folded];
        for (at, pair) in places.match_indices("ss") {
            // `ß` is as long: the places stay the same.
            let with_sharp = |spelling: &String| {
                let (before, after) = (spelling.get(..at)?, spelling.get(at + pair.len()..)?);
                Some(format!("{before}ß{after}"))
            };
            let more: Vec<String> = spellings.iter().filter_map(with_sharp).collect();
            spellings.extend(more);
            if spellings.len() >= MOST_SPELLINGS {
                break;
            }
        }
        spellings.retain(|spelling| spelling != name);
        spellings.insert(0, name.to_owned());
        let decomposed: Vec<String> = spellings
            .iter()
            .map(|spelling| spelling.nfd().collect())
            .filter(|decomposed| !spellings.contains(decomposed))
            .collect();
        spellings.extend(decomposed);
        spellings
    }

    /// Drops from `alike`, which the database takes for the same, those that `name` does not mean
    /// in any case. [`MOST_ALIKE`] of them are too many to tell apart: all stay, and mean none.
    pub(crate) fn retain_named(&self, alike: &mut Vec<Account>, name: &str) {
        if alike.len() >= MOST_ALIKE {
            return;
        }
        let fold = |name: &str| fold_case(&name.nfkc().collect::<String>());
        let name = fold(name);
        alike.retain(|account| {
            let field = |field: &LoginField| match field {
                LoginField::Username => &account.name,
                LoginField::Email => &account.email,
            };
            self.login.iter().any(|it| fold(field(it)) == name)
        });
    }
}

/// Finds a site's accounts, and says what they may: all that a request asks.
pub trait Accounts: Described {
    /// The same accounts, where they can be changed.
    fn writable(&mut self) -> Option<&mut dyn Writable> {
        None
    }

    /// The accounts that `name`, as typed, could mean: by any of the login fields, in whatever
    /// spelling the site or the configuration takes for the same. One may be among them twice, and
    /// of several only two need be.
    fn candidates(
        &mut self,
        queries: &mut Queries<'_>,
        name: &str,
    ) -> Result<Vec<Account>, Unavailable>;

    /// Whether looking `name` up may read all accounts.
    fn scans(&self, _name: &str) -> bool {
        false
    }

    /// The account that `name`, as typed, means. Two accounts that it could mean are none, since
    /// hosts go on with the name as typed: the mail, the roster or the files of one would be the
    /// other's.
    fn by_name(
        &mut self,
        queries: &mut Queries<'_>,
        name: &str,
    ) -> Result<Option<Account>, Unavailable> {
        Ok(only(self.candidates(queries, name)?))
    }

    /// Whether an account may have an empty login name, and a password of it counts.
    fn takes_empty_names(&self) -> bool {
        false
    }

    /// The account whose primary key a session spells as `key`.
    fn by_key(
        &mut self,
        queries: &mut Queries<'_>,
        key: &str,
    ) -> Result<Option<Account>, Unavailable>;

    /// What [`by_key`](Self::by_key) looks up, and nothing else, where it is known beforehand: it can
    /// be read together with something else then, which spares a way to the database.
    fn look_up(
        &mut self,
        _queries: &mut Queries<'_>,
        _key: &str,
    ) -> Result<Option<(LookUp, Value)>, Unavailable> {
        Ok(None)
    }

    /// The account that the site itself calls `name`, in a session of its own. Nothing that a name
    /// may mean when it is typed counts here.
    fn by_session_name(
        &mut self,
        queries: &mut Queries<'_>,
        name: &str,
    ) -> Result<Option<Account>, Unavailable> {
        let mut found = self.candidates(queries, name)?;
        found.retain(|account| account.name == name);
        Ok(only(found))
    }

    /// Whether `name`, as a host has it, means `account`.
    fn answers_to(
        &mut self,
        queries: &mut Queries<'_>,
        account: &Account,
        name: &str,
    ) -> Result<bool, Unavailable> {
        let named = self.by_name(queries, name)?;
        Ok(named.is_some_and(|named| named.id == account.id))
    }

    /// The account that `token`, given to a program of its owner's, belongs to.
    fn by_token(
        &mut self,
        _queries: &mut Queries<'_>,
        _token: &str,
    ) -> Result<Option<Account>, Unavailable> {
        Ok(None)
    }

    /// Whether `password` may be one that the site gives to programs, and that counts beside the
    /// account's own.
    fn is_for_programs(&self, _password: &[u8]) -> bool {
        false
    }

    /// The account called `name`, where `password` is one that the site gave to a program of its
    /// owner's.
    fn by_program_password(
        &mut self,
        _queries: &mut Queries<'_>,
        _name: &str,
        _password: &[u8],
    ) -> Result<Option<Account>, Unavailable> {
        Ok(None)
    }

    /// The names of the groups that `account` is in, in alphabetical order.
    fn groups(
        &mut self,
        queries: &mut Queries<'_>,
        account: &Account,
    ) -> Result<Vec<String>, Unavailable>;

    /// Whether `account` is in the group called `name`; `groups` are the names of those it is in.
    fn is_in(
        &mut self,
        _queries: &mut Queries<'_>,
        _account: &Account,
        groups: &[String],
        name: &str,
    ) -> Result<bool, Unavailable> {
        Ok(groups.iter().any(|group| group == name))
    }

    /// Whether `account`, which is active, is kept out at the time `now`, or from where `client`
    /// is.
    fn is_banned(
        &mut self,
        _queries: &mut Queries<'_>,
        _account: &Account,
        _client: &Client,
        _now: SystemTime,
    ) -> Result<bool, Unavailable> {
        Ok(false)
    }

    /// Why no password is good for `account`, where the site asks for more than one, or has them
    /// checked elsewhere. Its sessions are good all the same.
    fn refuses_passwords(
        &mut self,
        _queries: &mut Queries<'_>,
        _account: &Account,
    ) -> Result<Option<Reason>, Unavailable> {
        Ok(None)
    }

    /// Whether `account`, which is active and not a superuser, holds `permission`. It holds none
    /// where the framework's permissions are not read: Joomla's are actions on assets, and phpBB's
    /// are for its forums.
    fn has_permission(
        &mut self,
        _queries: &mut Queries<'_>,
        _account: &Account,
        _permission: &str,
    ) -> Result<bool, Unavailable> {
        Ok(false)
    }

    /// Whether [`has_permission`](Self::has_permission) is to be asked about superusers as well: they
    /// do not hold every permission.
    fn superusers_may_lack(&self, _permission: &str) -> bool {
        false
    }

    /// What the row of `account` keeps beside its hash, where the hash wants it.
    fn hash_context(
        &mut self,
        _queries: &mut Queries<'_>,
        _account: &Account,
    ) -> Result<HashContext, Unavailable> {
        Ok(HashContext::default())
    }
}

/// Changes a site's accounts, within a transaction.
pub trait Writable {
    /// `password` as the site would keep it.
    fn encode(&self, password: &[u8]) -> Result<String, Stop>;

    /// Gives `account` the password that `encoded` keeps.
    fn set_password(
        &mut self,
        changes: &mut Changes<'_>,
        account: &Account,
        encoded: &str,
    ) -> Result<(), Stop>;

    /// Makes an active account called `name`, unless there is one that the name could mean; returns
    /// what it is called then.
    fn register(
        &mut self,
        changes: &mut Changes<'_>,
        name: &str,
        encoded: &str,
        now: SystemTime,
    ) -> Result<String, Stop>;

    /// Switches `account` off.
    fn deactivate(&mut self, changes: &mut Changes<'_>, account: &Account) -> Result<(), Stop>;
}

/// The account that all of `found` are.
pub fn only(mut found: Vec<Account>) -> Option<Account> {
    let account = found.pop()?;
    let same = |other: &Account| other.id == account.id;
    found.iter().all(same).then_some(account)
}

/// The column that is 1 in the rows of accounts that meet `[access] where`, and 0 in others. Their
/// table is called `account` in the statement.
pub fn meets(condition: Option<&str>) -> String {
    condition.map_or("1".to_owned(), |condition| {
        format!("CASE WHEN ({condition}) THEN 1 ELSE 0 END")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spellings(name: &str, ignore_case: bool) -> Vec<String> {
        let lookup = AccountLookup {
            login: vec![LoginField::Username],
            ignore_case,
            account_where: None,
        };
        lookup.spellings(name)
    }

    #[test]
    fn folded_names_are_looked_up_unfolded() {
        assert_eq!(spellings("alice", true), ["alice"]);
        assert_eq!(spellings("jessica", false), ["jessica"]);
        assert_eq!(spellings("jessica", true), ["jessica", "jeßica"]);
        assert_eq!(spellings("STRASSE", true), ["STRASSE", "STRAßE"]);
        assert_eq!(spellings("straße", true), ["straße", "strasse"]);
        assert_eq!(spellings("zoë", true), ["zoë", "zoe\u{308}"]);
        assert_eq!(spellings("ssxss", true), ["ssxss", "ßxss", "ssxß", "ßxß"]);
        assert_eq!(spellings("sss", true), ["sss", "ßs"]);
        assert_eq!(spellings(&"ss".repeat(200), true).len(), 8);
        assert_eq!(spellings("", true), [""]);
    }
}
