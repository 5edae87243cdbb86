//! Reads the accounts that `[access]` lets in, and their groups, for a directory.

use std::collections::HashMap;
use std::time::SystemTime;

use hallpass_stores::sql::Queries;
use hallpass_stores::{Deadline, Unavailable};

use super::admission::{Found, admit};
use super::{Authenticator, scan};
use crate::configuration::{Access, LoginField};
use crate::dn::comparable;
use crate::request::malformed_name;
use crate::{Account, ClaimedName, Credential, Id, Identity, Request};
use hallpass_sites::{Accounts, Stop};

/// By what a person is looked up.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Sought {
    /// The name, as people type it to log in.
    Name(String),
    /// The e-mail address.
    Email(String),
    /// The primary key, as the site writes it.
    Key(String),
}

/// An account that `[access]` lets in, as a directory shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The name that it logs in by, as stored.
    pub name: String,
    /// The primary key, as the site writes it.
    pub id: String,
    /// The e-mail address; empty where there is none.
    pub email: String,
    /// The full name; empty where there is none.
    pub full_name: String,
    /// The groups that it is in, where they were asked for. A group whose name is that of another
    /// but for case is not among them.
    pub groups: Vec<String>,
}

/// Some of a site's people, in the order of their primary keys.
#[derive(Debug)]
pub struct People {
    /// Those that a directory shows, with their primary keys.
    pub people: Vec<(Id, Person)>,
    /// The last account that was looked at; `None` where there was none left.
    pub last: Option<Id>,
}

impl Authenticator {
    /// The one account that `sought` means, if `[access]` lets it in and its name means no other.
    ///
    /// # Errors
    /// [`Unavailable`] when the site's database cannot be asked.
    pub fn person(
        &mut self,
        sought: &Sought,
        wants_groups: bool,
        now: SystemTime,
        deadline: Deadline,
    ) -> Result<Option<Person>, Unavailable> {
        let (Sought::Name(text) | Sought::Email(text) | Sought::Key(text)) = sought;
        if malformed_name(text) || self.access.lookup.login.is_empty() {
            return Ok(None);
        }
        let shared = self.shared.clone();
        let name = ClaimedName::Named(text.clone());
        let request = Request::new(name, Credential::Vouched);
        let _scan = match (sought, &self.by_email) {
            (Sought::Name(_), _) => scan(shared.as_deref(), &self.site, &request, deadline)?,
            (Sought::Email(_), Some(site)) => scan(shared.as_deref(), site, &request, deadline)?,
            (Sought::Email(_), None) => return Ok(None),
            (Sought::Key(_), _) => None,
        };
        let (site, by_email, access) = (&mut self.site, &mut self.by_email, &self.access);
        self.database.ask(deadline, |queries| {
            let found = match (sought, by_email) {
                (Sought::Name(name), _) => site.accounts.by_name(queries, name)?,
                (Sought::Email(email), Some(site)) => site.accounts.by_name(queries, email)?,
                (Sought::Email(_), None) => None,
                (Sought::Key(key), _) => site.accounts.by_key(queries, key)?,
            };
            let Some(account) = found else {
                return Ok(None);
            };
            let by = match sought {
                Sought::Name(name) => Some(name.as_str()),
                _ => None,
            };
            let accounts = &mut *site.accounts;
            let mut person = shown(accounts, queries, &account, by, access, wants_groups, now)?;
            if let Some(person) = &mut person
                && !person.groups.is_empty()
            {
                let all = accounts.group_names(queries)?;
                only_distinct(&mut person.groups, all.as_deref());
            }
            Ok(person)
        })
    }

    /// The next people after the account with the primary key `last`, `most` of them at most.
    ///
    /// # Errors
    /// [`Unavailable`] when the site's database cannot be asked, or cannot list accounts.
    pub fn people_after(
        &mut self,
        last: Option<&Id>,
        most: usize,
        wants_groups: bool,
        now: SystemTime,
        deadline: Deadline,
    ) -> Result<People, Unavailable> {
        let (accounts, access) = (&mut *self.site.accounts, &self.access);
        self.database.ask(deadline, |queries| {
            let all = match wants_groups {
                true => accounts.group_names(queries)?,
                false => None,
            };
            let mut people = People {
                people: Vec::new(),
                last: None,
            };
            for account in accounts.page_after(queries, last)? {
                if people.people.len() >= most {
                    break;
                }
                let person = shown(accounts, queries, &account, None, access, wants_groups, now)?;
                people.last = Some(account.id.clone());
                if let Some(mut person) = person {
                    only_distinct(&mut person.groups, all.as_deref());
                    people.people.push((account.id, person));
                }
            }
            Ok(people)
        })
    }

    /// The names of the site's groups, without those that differ only in case; `None` where they
    /// cannot be listed.
    ///
    /// # Errors
    /// [`Unavailable`] when the site's database cannot be asked.
    pub fn distinct_groups(
        &mut self,
        deadline: Deadline,
    ) -> Result<Option<Vec<String>>, Unavailable> {
        let accounts = &mut *self.site.accounts;
        self.database.ask(deadline, |queries| {
            let mut names = accounts.group_names(queries)?;
            if let Some(names) = &mut names {
                only_distinct(names, None);
            }
            Ok(names)
        })
    }
}

/// `account` as a directory shows it, if `access` lets it in and no other account is meant by its
/// name. `by` is the name that it was looked up by, if it was.
fn shown(
    accounts: &mut dyn Accounts,
    queries: &mut Queries<'_>,
    account: &Account,
    by: Option<&str>,
    access: &Access,
    wants_groups: bool,
    now: SystemTime,
) -> Result<Option<Person>, Unavailable> {
    let login = &access.lookup.login;
    let by_email = login.contains(&LoginField::Email) && !login.contains(&LoginField::Username);
    let name = if by_email {
        &account.email
    } else {
        &account.name
    };
    // LDAP takes it for another name, which may be another account's.
    let is_ambiguous = name.starts_with(' ') || name.ends_with(' ') || name.contains("  ");
    if malformed_name(name) || is_ambiguous {
        return Ok(None);
    }
    let request = Request {
        wants_groups,
        ..Request::new(ClaimedName::Named(name.clone()), Credential::Vouched)
    };
    let by = by.filter(|by| *by == name);
    let found = Found { account, by };
    let admitted = admit(accounts, queries, found, access, &request, now);
    let Ok(identity) = Stop::settle::<Identity>(admitted)? else {
        return Ok(None);
    };
    Ok(Some(Person {
        name: name.clone(),
        id: identity.id,
        email: identity.email,
        full_name: identity.full_name,
        groups: identity.groups,
    }))
}

/// Drops from `names` those that LDAP takes for one another, and for another of `all`.
fn only_distinct(names: &mut Vec<String>, all: Option<&[String]>) {
    if names.is_empty() {
        return;
    }
    let mut same: HashMap<String, usize> = HashMap::new();
    for name in all.unwrap_or(names) {
        *same.entry(comparable(name)).or_default() += 1;
    }
    names.retain(|name| {
        let form = comparable(name);
        let alone = same.get(&form).is_none_or(|count| *count < 2);
        alone && !form.is_empty() && !malformed_name(name)
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_that_differ_in_case_are_neither() {
        let distinct = |names: &[&str], all: Option<&[&str]>| {
            let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
            let (mut names, all) = (owned(names), all.map(owned));
            only_distinct(&mut names, all.as_deref());
            names
        };
        assert_eq!(distinct(&["a", "b"], None), ["a", "b"]);
        assert_eq!(
            distinct(&["Staff", "b"], Some(&["Staff", "staff", "b"])),
            ["b"]
        );
        assert_eq!(distinct(&["Staff", "staff ", "b"], None), ["b"]);
        assert_eq!(distinct(&["", " ", "a\nb", "c"], None), ["c"]);
    }
}
