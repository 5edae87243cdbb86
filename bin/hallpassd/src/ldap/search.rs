//! Searches the directory, and compares values of its entries.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use hallpass_core::dn::comparable;
use hallpass_core::{Client, Deadline, Person, Sought, Unavailable};
use tokio::sync::mpsc;

use super::directory::Directory;
use super::entry::{Entry, Uuids};
use super::message::{self, Code, Compare, MANAGE_DSA_IT, START_TLS, Scope, Search, WHO_AM_I};
use super::name::Place;
use super::plan::{GroupPin, MOST_NAMED, PersonPin, Plan, Wanted};
use super::schema;
use crate::site::ServedSite;

/// How many people are read at a time where all of them are listed.
const PAGE: usize = 500;
/// How many memberships are read for the members of groups.
const MOST_MEMBERSHIPS: usize = 200_000;
/// How many bytes of entries are sent at a time.
const PIECE: usize = 16 << 10;

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

    fn missing(matched: String) -> Self {
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
    async fn person(&self, sought: Sought, groups: bool) -> Result<Option<Person>, Unavailable> {
        let deadline = self.deadline;
        let (Sought::Name(name) | Sought::Email(name) | Sought::Key(name)) = &sought;
        let name = name.clone();
        let read = move |authenticator: &mut hallpass_core::Authenticator| {
            authenticator.person(&sought, groups, std::time::SystemTime::now(), deadline)
        };
        let engine = &self.site.engine;
        engine.read(&name, self.client, deadline, read).await
    }

    /// The person who is called `name`.
    async fn named(&self, name: &str, groups: bool) -> Result<Option<Person>, Unavailable> {
        self.person(Sought::Name(name.to_owned()), groups).await
    }

    /// The names of the groups; `None` where they cannot be listed.
    async fn groups(&self) -> Result<Option<Vec<String>>, Unavailable> {
        let deadline = self.deadline;
        let read = move |authenticator: &mut hallpass_core::Authenticator| {
            authenticator.distinct_groups(deadline)
        };
        self.site.engine.read("", self.client, deadline, read).await
    }

    /// The next people after the account with the primary key `last`.
    async fn people_after(
        &self,
        last: Option<hallpass_core::Id>,
        groups: bool,
    ) -> Result<hallpass_core::People, Unavailable> {
        let deadline = self.deadline;
        let read = move |authenticator: &mut hallpass_core::Authenticator| {
            let now = std::time::SystemTime::now();
            authenticator.people_after(last.as_ref(), PAGE, groups, now, deadline)
        };
        self.site.engine.read("", self.client, deadline, read).await
    }

    /// The names of those who are in groups, by the names of the groups.
    async fn members(&self) -> Result<HashMap<String, Vec<String>>, Refusal> {
        let mut members: HashMap<String, Vec<String>> = HashMap::new();
        let (mut last, mut count) = (None, 0);
        loop {
            let page = self.people_after(last, true).await?;
            for person in &page.people {
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
    fn root(&self) -> Entry {
        let mut extensions = vec![WHO_AM_I];
        extensions.extend(self.directory.tls.as_ref().map(|_| START_TLS));
        Entry::root(&self.directory.tree, &extensions, &[MANAGE_DSA_IT])
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
                .is_some_and(|(kind, value)| entry.comparable(kind).contains(&value))),
            _ => Err(Refusal::new(Code::NoSuchAttribute, "")),
        }
    }
}

/// The one of `groups` that is called `name`.
fn called(groups: &[String], name: &str) -> Option<String> {
    let name = comparable(name);
    groups.iter().find(|it| comparable(it) == name).cloned()
}

/// A search in progress.
#[derive(Debug)]
pub struct Searching<'a> {
    reader: Reader<'a>,
    /// The number of the operation.
    id: i32,
    search: &'a Search,
    entries: &'a mpsc::Sender<Vec<u8>>,
    unsent: Vec<u8>,
    /// How many more entries may be returned.
    left: usize,
    /// The names of those that have been returned.
    returned: HashSet<String>,
    /// Whether entries are returned, and not only looked for.
    returns: bool,
}

/// What a search looks at.
struct Range {
    containers: Vec<Entry>,
    plan: Plan,
    /// The name of the entry above the one that must exist, where it is a person's or a group's.
    must_exist: Option<String>,
    /// Whether nothing can be found, because nothing is below that one.
    is_below: bool,
}

impl<'a> Searching<'a> {
    /// The search with the number `id`, whose entries go to `entries`.
    pub fn new(
        reader: Reader<'a>,
        id: i32,
        search: &'a Search,
        entries: &'a mpsc::Sender<Vec<u8>>,
    ) -> Self {
        let most = reader.directory.size_limit;
        let left = match search.size_limit {
            0 => most,
            limit => limit.min(most),
        };
        Self {
            reader,
            id,
            search,
            entries,
            unsent: Vec::new(),
            left,
            returned: HashSet::new(),
            returns: true,
        }
    }

    /// Returns all entries.
    ///
    /// # Errors
    /// [`Refusal`] where there are more, or the search is refused.
    pub async fn run(mut self) -> Result<(), Refusal> {
        let begun = Instant::now();
        let result = self.find().await;
        // What was found goes out even where there is more.
        self.flush().await;
        let limit = Duration::from_secs(self.search.time_limit);
        match result {
            Err(refusal)
                if refusal.code == Code::Unavailable
                    && !limit.is_zero()
                    && begun.elapsed() >= limit =>
            {
                Err(Refusal::new(Code::TimeLimitExceeded, ""))
            }
            result => result,
        }
    }

    async fn find(&mut self) -> Result<(), Refusal> {
        let (search, reader) = (self.search, self.reader);
        let tree = &reader.directory.tree;
        let Range {
            containers,
            plan,
            must_exist,
            is_below,
        } = self.range()?;
        self.returns = !is_below;
        let lists = plan.people == Wanted::All || plan.groups == Wanted::All;
        if lists && !reader.directory.list {
            return Err(no_lists());
        }
        let named = |count: usize| count > MOST_NAMED;
        if named(count(&plan.people)) || named(count(&plan.groups)) {
            let message = "the filter names too many entries";
            return Err(Refusal::new(Code::AdminLimitExceeded, message));
        }
        for entry in containers {
            self.consider(&entry).await?;
        }
        let wants_groups =
            search.attributes.has(&schema::MEMBER_OF) || search.filter.mentions(&schema::MEMBER_OF);
        let (mut exists, mut is_hashed) = (false, false);
        match plan.people {
            Wanted::These(pins) => {
                for pin in pins {
                    let sought = match pin {
                        PersonPin::Name(name) => Sought::Name(name),
                        PersonPin::Email(email) => Sought::Email(email),
                        PersonPin::Uuid(uuid) => {
                            is_hashed |= Uuids::may_be_hashed(&uuid);
                            Sought::Key(Uuids::of(tree).key(&uuid))
                        }
                    };
                    if let Some(person) = reader.person(sought, wants_groups).await? {
                        exists = true;
                        self.consider(&Entry::person(tree, &person)).await?;
                    }
                }
                // Only a list of all people tells whose it is.
                if is_hashed && !exists {
                    if !reader.directory.list {
                        return Err(no_lists());
                    }
                    self.list_people(wants_groups).await?;
                }
            }
            Wanted::All => self.list_people(wants_groups).await?,
        }
        match plan.groups {
            Wanted::These(pins) if pins.is_empty() => {}
            groups => exists |= self.groups(groups, must_exist.is_some()).await?,
        }
        match must_exist {
            Some(above) if !exists => Err(Refusal::missing(above)),
            _ => Ok(()),
        }
    }

    /// What the base and the scope leave to look at.
    fn range(&self) -> Result<Range, Refusal> {
        let (search, reader) = (self.search, self.reader);
        let tree = &reader.directory.tree;
        let place = tree
            .place(&search.base)
            .ok_or_else(|| Refusal::new(Code::InvalidDnSyntax, "the base cannot be read"))?;
        let [base, people, groups] = Entry::containers(tree);
        let mut plan = Plan::of(&search.filter, tree);
        let mut must_exist = None;
        let itself = matches!(search.scope, Scope::Base | Scope::Subtree);
        let below = !matches!(search.scope, Scope::Base);
        let nobody = |plan: &mut Plan, people: bool, groups: bool| {
            if people {
                plan.people = Wanted::none();
            }
            if groups {
                plan.groups = Wanted::none();
            }
        };
        let mut containers = Vec::new();
        match place {
            Place::Nowhere(matched) => return Err(Refusal::missing(matched)),
            Place::Root if search.scope != Scope::Base => {
                return Err(Refusal::missing(String::new()));
            }
            Place::Root => {
                nobody(&mut plan, true, true);
                containers.push(reader.root());
            }
            Place::Schema => {
                nobody(&mut plan, true, true);
                containers.extend(itself.then(Entry::schema));
            }
            Place::Base => {
                let deep = matches!(search.scope, Scope::Subtree | Scope::Children);
                nobody(&mut plan, !deep, !deep);
                containers.extend(itself.then_some(base));
                if below {
                    containers.extend([people, groups]);
                }
            }
            Place::People => {
                nobody(&mut plan, !below, true);
                containers.extend(itself.then_some(people));
            }
            Place::Groups => {
                nobody(&mut plan, true, !below);
                containers.extend(itself.then_some(groups));
            }
            // Nothing is below these, but they must be there.
            Place::Person(name) => {
                let pins = HashSet::from([PersonPin::Name(name)]);
                plan = Plan {
                    people: Wanted::These(pins),
                    groups: Wanted::none(),
                };
                must_exist = Some(tree.people());
            }
            Place::Group(name) => {
                let pins = HashSet::from([GroupPin::Name(name)]);
                plan = Plan {
                    people: Wanted::none(),
                    groups: Wanted::These(pins),
                };
                must_exist = Some(tree.groups());
            }
        }
        let is_below = must_exist.is_some() && !itself;
        Ok(Range {
            containers,
            plan,
            must_exist,
            is_below,
        })
    }

    async fn list_people(&mut self, wants_groups: bool) -> Result<(), Refusal> {
        let reader = self.reader;
        let mut last = None;
        loop {
            let first = last.is_none();
            let page = match reader.people_after(last, wants_groups).await {
                Ok(page) => page,
                Err(_) if !first && reader.deadline.passed() => {
                    return Err(Refusal::new(Code::TimeLimitExceeded, ""));
                }
                Err(unavailable) => return Err(unavailable.into()),
            };
            for person in &page.people {
                let entry = Entry::person(&reader.directory.tree, person);
                self.consider(&entry).await?;
            }
            last = page.last;
            if last.is_none() {
                return Ok(());
            }
        }
    }

    /// Returns the groups that are `wanted`. Whether there is any.
    async fn groups(
        &mut self,
        wanted: Wanted<GroupPin>,
        must_exist: bool,
    ) -> Result<bool, Refusal> {
        let (search, reader) = (self.search, self.reader);
        let tree = &reader.directory.tree;
        let all = reader.groups().await?;
        if all.is_none() && must_exist {
            let message = "the groups of this site cannot be listed";
            return Err(Refusal::new(Code::UnwillingToPerform, message));
        }
        // Those whom the filter calls members, and the groups that they are in.
        let mut asked_about: HashMap<String, Vec<String>> = HashMap::new();
        let values = search.filter.values_of(&schema::MEMBER);
        for value in values.iter().filter_map(|it| std::str::from_utf8(it).ok()) {
            let Some(Place::Person(name)) = tree.place(value) else {
                continue;
            };
            if asked_about.len() >= MOST_NAMED {
                let message = "the filter names too many members";
                return Err(Refusal::new(Code::AdminLimitExceeded, message));
            }
            if let std::collections::hash_map::Entry::Vacant(place) = asked_about.entry(name) {
                let person = reader.named(place.key(), true).await?;
                place.insert(person.map(|it| it.groups).unwrap_or_default());
            }
        }
        let names: Vec<String> = match wanted {
            Wanted::All => all.unwrap_or_default(),
            Wanted::These(pins) => {
                let listed = all.unwrap_or_default();
                let by_uuid = |uuid: &String| {
                    let is = |name: &&String| Uuids::of(tree).group(name) == *uuid;
                    listed.iter().find(is).cloned()
                };
                let found = pins.iter().flat_map(|pin| match pin {
                    GroupPin::Name(name) => called(&listed, name).into_iter().collect(),
                    GroupPin::Of(name) => asked_about.get(name).cloned().unwrap_or_default(),
                    GroupPin::Uuid(uuid) => by_uuid(uuid).into_iter().collect::<Vec<_>>(),
                });
                found.collect()
            }
        };
        if names.is_empty() {
            return Ok(false);
        }
        let shows_members = reader.directory.list && search.attributes.has(&schema::MEMBER);
        let mut members = match shows_members {
            true => Some(reader.members().await?),
            false => None,
        };
        for name in &names {
            let has = |groups: &[String]| groups.iter().any(|it| it == name);
            let found = asked_about.iter().filter(|(_, groups)| has(groups));
            let found = found.map(|(member, _)| tree.person(member)).collect();
            let members = members
                .as_mut()
                .map(|it| it.remove(name).unwrap_or_default());
            let entry = Entry::group(tree, name, members, found);
            self.consider(&entry).await?;
        }
        Ok(true)
    }

    /// Returns `entry` if it matches, once.
    async fn consider(&mut self, entry: &Entry) -> Result<(), Refusal> {
        let is_new = || !self.returned.contains(&entry.dn);
        if !self.returns || self.search.filter.matches(entry) != Some(true) || !is_new() {
            return Ok(());
        }
        let Some(left) = self.left.checked_sub(1) else {
            return Err(Refusal::new(Code::SizeLimitExceeded, ""));
        };
        self.left = left;
        self.returned.insert(entry.dn.clone());
        self.unsent
            .extend(message::entry(self.id, entry, self.search));
        if self.unsent.len() >= PIECE {
            self.flush().await;
        }
        Ok(())
    }

    async fn flush(&mut self) {
        let unsent = std::mem::take(&mut self.unsent);
        if !unsent.is_empty() {
            // Without a receiver the connection has ended.
            drop(self.entries.send(unsent).await);
        }
    }
}

fn no_lists() -> Refusal {
    let message = "lists are not allowed: name an account";
    Refusal::new(Code::InsufficientAccessRights, message)
}

fn count<P: Eq + std::hash::Hash>(wanted: &Wanted<P>) -> usize {
    match wanted {
        Wanted::All => 0,
        Wanted::These(pins) => pins.len(),
    }
}
