//! Reads people and groups of the site for one operation, and compares values of their entries.

use std::collections::HashMap;
use std::time::SystemTime;

use hallpass_core::dn::comparable;
use hallpass_core::{Authenticator, Client, Deadline, Id, People, Person, Sought, Unavailable};

use super::directory::Directory;
use super::entry::Entry;
use super::message::{Code, Compare, MANAGE_DSA_IT, START_TLS, WHO_AM_I};
use super::name::Place;
use super::paging::PAGED_RESULTS;
use super::schema;
use crate::site::ServedSite;

/// How many people are read at a time where all of them are listed.
const PAGE: usize = 500;
/// How many memberships are read for the members of groups.
const MOST_MEMBERSHIPS: usize = 200_000;

/// Why a search or a comparison has no further answer.
#[derive(Debug)]
pub struct Refusal {
    pub code: Code,
    /// The name of the next entry above the one that does not exist.
    pub matched: String,
    pub message: &'static str,
}

impl Refusal {
    pub fn new(code: Code, message: &'static str) -> Self {
        let matched = String::new();
        Self {
            code,
            matched,
            message,
        }
    }

    pub fn missing(matched: String) -> Self {
        Self {
            matched,
            ..Self::new(Code::NoSuchObject, "")
        }
    }
}

impl From<Unavailable> for Refusal {
    /// The cause is for the log, not for clients.
    fn from(_: Unavailable) -> Self {
        Self::new(Code::Unavailable, "the site cannot be asked")
    }
}

/// The directory of a site, for the time of one operation.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    pub site: &'a ServedSite,
    pub directory: &'a Directory,
    pub client: &'a Client,
    pub deadline: Deadline,
}

impl Reader<'_> {
    pub async fn person(
        &self,
        sought: Sought,
        groups: bool,
    ) -> Result<Option<Person>, Unavailable> {
        let deadline = self.deadline;
        let (Sought::Name(name) | Sought::Email(name) | Sought::Key(name)) = &sought;
        let name = name.clone();
        let read = move |authenticator: &mut Authenticator| {
            authenticator.person(&sought, groups, SystemTime::now(), deadline)
        };
        let engine = &self.site.engine;
        engine.read(&name, self.client, deadline, read).await
    }

    /// The person whose entry is called `name`. Another name that means the account, such as its e-mail
    /// address, is not that of an entry.
    pub async fn named(&self, name: &str, groups: bool) -> Result<Option<Person>, Unavailable> {
        let person = self.person(Sought::Name(name.to_owned()), groups).await?;
        Ok(person.filter(|it| comparable(&it.name) == comparable(name)))
    }

    /// The names of the groups; `None` where they cannot be listed.
    pub async fn groups(&self) -> Result<Option<Vec<String>>, Unavailable> {
        let deadline = self.deadline;
        let read = move |authenticator: &mut Authenticator| authenticator.distinct_groups(deadline);
        self.site.engine.read("", self.client, deadline, read).await
    }

    /// The next people after the account with the primary key `last`.
    pub async fn people_after(
        &self,
        last: Option<Id>,
        groups: bool,
    ) -> Result<People, Unavailable> {
        let deadline = self.deadline;
        let read = move |authenticator: &mut Authenticator| {
            let now = SystemTime::now();
            authenticator.people_after(last.as_ref(), PAGE, groups, now, deadline)
        };
        self.site.engine.read("", self.client, deadline, read).await
    }

    /// The names of those who are in groups, by the names of the groups.
    pub async fn members(&self) -> Result<HashMap<String, Vec<String>>, Refusal> {
        let mut members: HashMap<String, Vec<String>> = HashMap::new();
        let (mut last, mut count) = (None, 0);
        loop {
            let page = self.people_after(last, true).await?;
            for (_, person) in &page.people {
                count += person.groups.len();
                for group in &person.groups {
                    let dn = self.directory.tree.person(&person.name);
                    members.entry(group.clone()).or_default().push(dn);
                }
            }
            if count > MOST_MEMBERSHIPS {
                let message = "groups have too many members to be listed";
                return Err(Refusal::new(Code::AdminLimitExceeded, message));
            }
            last = page.last;
            if last.is_none() {
                return Ok(members);
            }
        }
    }

    /// The server's own entry.
    pub fn root(&self) -> Entry {
        let mut extensions = vec![WHO_AM_I];
        extensions.extend(self.directory.tls.as_ref().map(|_| START_TLS));
        Entry::root(
            &self.directory.tree,
            &extensions,
            &[MANAGE_DSA_IT, PAGED_RESULTS],
        )
    }

    /// Compares a value of an entry.
    ///
    /// # Errors
    /// [`Refusal`] where there is no such entry, it has no such attribute, or the site cannot be
    /// asked.
    pub async fn compare(&self, compare: &Compare) -> Result<bool, Refusal> {
        let Compare { dn, assertion } = compare;
        let tree = &self.directory.tree;
        let place = tree
            .place(dn)
            .ok_or_else(|| Refusal::new(Code::InvalidDnSyntax, "the name cannot be read"))?;
        let kind = schema::AttributeType::of(&assertion.attribute);
        let [base, people, groups] = Entry::containers(tree);
        let entry = match place {
            Place::Nowhere(matched) => return Err(Refusal::missing(matched)),
            Place::Root => self.root(),
            Place::Schema => Entry::schema(),
            Place::Base => base,
            Place::People => people,
            Place::Groups => groups,
            Place::Person(name) => {
                let groups = kind == Some(&schema::MEMBER_OF);
                let person = self.named(&name, groups).await?;
                let person = person.ok_or_else(|| Refusal::missing(tree.people()))?;
                let entry = Entry::person(tree, &person);
                // Whether a person is in a group is known even where they are in none.
                if groups && !entry.has(&schema::MEMBER_OF) {
                    return Ok(false);
                }
                entry
            }
            Place::Group(name) => {
                // Where groups cannot be listed, each may be there.
                let group = match self.groups().await? {
                    Some(all) => {
                        Some(called(&all, &name).ok_or_else(|| Refusal::missing(tree.groups()))?)
                    }
                    None => None,
                };
                if kind == Some(&schema::MEMBER) {
                    let value = std::str::from_utf8(&assertion.value).unwrap_or_default();
                    let Some(Place::Person(member)) = tree.place(value) else {
                        return Ok(false);
                    };
                    let person = self.named(&member, true).await?;
                    let group = comparable(&group.unwrap_or(name));
                    let is = |it: &String| comparable(it) == group;
                    return Ok(person.is_some_and(|it| it.groups.iter().any(is)));
                }
                let unlisted = "the groups of this site cannot be listed";
                let group = group.ok_or(Refusal::new(Code::UnwillingToPerform, unlisted))?;
                Entry::group(tree, &group, None, Vec::new())
            }
        };
        match kind {
            Some(kind) if entry.has(kind) => Ok(assertion
                .normal()
                .is_some_and(|(kind, value)| entry.comparable().any(kind, |it| it == value))),
            _ => Err(Refusal::new(Code::NoSuchAttribute, "")),
        }
    }
}

/// The one of `groups` that is called `name`.
fn called(groups: &[String], name: &str) -> Option<String> {
    let name = comparable(name);
    groups.iter().find(|it| comparable(it) == name).cloned()
}
