//! Searches the directory.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use hallpass_core::Sought;
use hallpass_core::dn::comparable;
use tokio::sync::mpsc;

use super::entry::{Entry, Uuids};
use super::message::{self, Code, Scope, Search};
use super::name::Place;
use super::paging::{Phase, Position};
use super::plan::{GroupPin, MOST_NAMED, PersonPin, Plan, Wanted};
use super::reader::{Reader, Refusal};
use super::schema;

/// How heavy a filter of a list may be: it is compared with every entry.
const HEAVIEST: usize = 4 << 10;
/// How many people are compared before other connections have their turn.
const TURN: usize = 32;
/// How many bytes of entries are sent at a time.
const PIECE: usize = 16 << 10;

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
    /// How many of them are in this page, where the client takes pages.
    left_in_page: Option<usize>,
    /// Where it begins, and where it has come to.
    from: Position,
    at: Position,
    /// How many entries of this phase an earlier page has returned.
    skip: usize,
    /// The names of those that have been returned.
    returned: HashSet<String>,
    /// Whether entries are returned, and not only looked for.
    returns: bool,
}

/// Why a search ends before everything has been looked at.
enum Stop {
    Refused(Refusal),
    /// The page is full.
    Page,
}

impl<R: Into<Refusal>> From<R> for Stop {
    fn from(refusal: R) -> Self {
        Self::Refused(refusal.into())
    }
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
    /// The search with the number `id`, whose entries from `from` on go to `entries`.
    pub fn new(
        reader: Reader<'a>,
        id: i32,
        search: &'a Search,
        from: Position,
        entries: &'a mpsc::Sender<Vec<u8>>,
    ) -> Self {
        let most = reader.directory.size_limit;
        let most = match search.size_limit {
            0 => most,
            limit => limit.min(most),
        };
        Self {
            reader,
            id,
            search,
            entries,
            unsent: Vec::new(),
            // The pages of a search have together as many entries as it has in one.
            left: most.saturating_sub(from.returned),
            // A page that holds all that the client takes is not a page (RFC 2696, section 3).
            left_in_page: search
                .page
                .as_ref()
                .map(|page| page.size)
                .filter(|size| search.size_limit == 0 || *size < search.size_limit),
            skip: from.skip,
            at: from.clone(),
            from,
            returned: HashSet::new(),
            returns: true,
        }
    }

    /// Returns all entries, or those of the page. Gives where the next page begins, if there is one.
    ///
    /// # Errors
    /// [`Refusal`] where there are more than one search may return, or the search is refused.
    pub async fn run(mut self) -> Result<Option<Position>, Refusal> {
        let begun = Instant::now();
        let result = self.find().await;
        // What was found goes out even where there is more.
        self.flush().await;
        let limit = Duration::from_secs(self.search.time_limit);
        match result {
            Ok(()) => Ok(None),
            Err(Stop::Page) => Ok(Some(self.at)),
            Err(Stop::Refused(refusal))
                if refusal.code == Code::Unavailable
                    && !limit.is_zero()
                    && begun.elapsed() >= limit =>
            {
                Err(Refusal::new(Code::TimeLimitExceeded, ""))
            }
            Err(Stop::Refused(refusal)) => Err(refusal),
        }
    }

    async fn find(&mut self) -> Result<(), Stop> {
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
            return Err(no_lists().into());
        }
        if lists && search.filter.weight() > HEAVIEST {
            let message = "the filter is too large for a list";
            return Err(Refusal::new(Code::AdminLimitExceeded, message).into());
        }
        let named = |count: usize| count > MOST_NAMED;
        if named(count(&plan.people)) || named(count(&plan.groups)) {
            let message = "the filter names too many entries";
            return Err(Refusal::new(Code::AdminLimitExceeded, message).into());
        }
        if self.from.phase == Phase::Containers {
            for entry in containers {
                self.consider(&entry).await?;
            }
            self.enter(Phase::People(None));
        }
        let wants_groups =
            search.attributes.has(&schema::MEMBER_OF) || search.filter.mentions(&schema::MEMBER_OF);
        let (mut exists, mut is_hashed) = (false, false);
        match plan.people {
            _ if self.from.phase == Phase::Groups => {}
            Wanted::These(pins) => {
                for pin in sorted(pins) {
                    let person = match pin {
                        PersonPin::Name(name) => reader.named(&name, wants_groups).await?,
                        PersonPin::Email(email) => {
                            reader.person(Sought::Email(email), wants_groups).await?
                        }
                        PersonPin::Uuid(uuid) => {
                            is_hashed |= Uuids::may_be_hashed(&uuid);
                            let key = Uuids::of(tree).key(&uuid);
                            reader.person(Sought::Key(key), wants_groups).await?
                        }
                    };
                    if let Some(person) = person {
                        exists = true;
                        self.consider(&Entry::person(tree, &person)).await?;
                    }
                }
                // Only a list of all people tells whose it is.
                if is_hashed && !exists {
                    if !reader.directory.list {
                        return Err(no_lists().into());
                    }
                    self.list_people(wants_groups).await?;
                }
            }
            Wanted::All => self.list_people(wants_groups).await?,
        }
        if self.from.phase != Phase::Groups {
            self.enter(Phase::Groups);
        }
        match plan.groups {
            Wanted::These(pins) if pins.is_empty() => {}
            groups => exists |= self.groups(groups, must_exist.is_some()).await?,
        }
        match must_exist {
            Some(above) if !exists => Err(Refusal::missing(above).into()),
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

    async fn list_people(&mut self, wants_groups: bool) -> Result<(), Stop> {
        let reader = self.reader;
        let is_paged = self.left_in_page.is_some();
        let mut last = match &self.from.phase {
            Phase::People(last) => last.clone(),
            Phase::Containers | Phase::Groups => None,
        };
        let mut is_first = true;
        loop {
            let page = match reader.people_after(last, wants_groups).await {
                Ok(page) => page,
                // What was found by now is a page.
                Err(_) if is_paged && !is_first && reader.deadline.passed() => {
                    return Err(Stop::Page);
                }
                Err(_) if !is_first && reader.deadline.passed() => {
                    return Err(Refusal::new(Code::TimeLimitExceeded, "").into());
                }
                Err(unavailable) => return Err(unavailable.into()),
            };
            is_first = false;
            for people in page.people.chunks(TURN) {
                for (id, person) in people {
                    let entry = Entry::person(&reader.directory.tree, person);
                    self.consider(&entry).await?;
                    if is_paged {
                        self.enter(Phase::People(Some(id.clone())));
                    }
                }
                tokio::task::yield_now().await;
            }
            last = page.last;
            if last.is_none() {
                return Ok(());
            }
            if is_paged {
                self.enter(Phase::People(last.clone()));
            }
            if self.left_in_page == Some(0) {
                return Err(Stop::Page);
            }
        }
    }

    /// Returns the groups that are `wanted`. Whether there is any.
    async fn groups(&mut self, wanted: Wanted<GroupPin>, must_exist: bool) -> Result<bool, Stop> {
        let (search, reader) = (self.search, self.reader);
        let tree = &reader.directory.tree;
        let all = reader.groups().await?;
        if all.is_none() && must_exist {
            let message = "the groups of this site cannot be listed";
            return Err(Refusal::new(Code::UnwillingToPerform, message).into());
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
                return Err(Refusal::new(Code::AdminLimitExceeded, message).into());
            }
            if let std::collections::hash_map::Entry::Vacant(place) = asked_about.entry(name) {
                let person = reader.named(place.key(), true).await?;
                place.insert(person.map(|it| it.groups).unwrap_or_default());
            }
        }
        let mut names: Vec<String> = match wanted {
            Wanted::All => all.unwrap_or_default(),
            Wanted::These(pins) => {
                let listed = all.unwrap_or_default();
                let has = |is: fn(&GroupPin) -> bool| pins.iter().any(is);
                let mut forms: HashMap<String, &String> = HashMap::new();
                if has(|pin| matches!(pin, GroupPin::Name(_))) {
                    forms.extend(listed.iter().map(|name| (comparable(name), name)));
                }
                let mut uuids: HashMap<String, &String> = HashMap::new();
                if has(|pin| matches!(pin, GroupPin::Uuid(_))) {
                    let of = Uuids::of(tree);
                    uuids.extend(listed.iter().map(|name| (of.group(name), name)));
                }
                let one = |name: Option<&&String>| name.map(|it| (*it).clone()).into_iter();
                let pins = sorted(pins);
                let names = pins.iter().flat_map(|pin| match pin {
                    GroupPin::Name(name) => one(forms.get(&comparable(name))).collect(),
                    GroupPin::Of(name) => asked_about.get(name).cloned().unwrap_or_default(),
                    GroupPin::Uuid(uuid) => one(uuids.get(uuid)).collect::<Vec<_>>(),
                });
                names.collect()
            }
        };
        if names.is_empty() {
            return Ok(false);
        }
        names.sort_unstable();
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

    /// Goes on with the entries of `phase`.
    fn enter(&mut self, phase: Phase) {
        self.at.phase = phase;
        self.at.skip = 0;
        self.skip = 0;
    }

    /// Returns `entry` if it matches, once.
    async fn consider(&mut self, entry: &Entry) -> Result<(), Stop> {
        let is_known = self.returned.contains(&entry.dn);
        if !self.returns || is_known || self.search.filter.matches(entry) != Some(true) {
            return Ok(());
        }
        if let Some(skip) = self.skip.checked_sub(1) {
            self.skip = skip;
            self.returned.insert(entry.dn.clone());
            return Ok(());
        }
        let Some(left) = self.left.checked_sub(1) else {
            return Err(Refusal::new(Code::SizeLimitExceeded, "").into());
        };
        if let Some(left_in_page) = &mut self.left_in_page {
            *left_in_page = left_in_page.checked_sub(1).ok_or(Stop::Page)?;
        }
        self.left = left;
        self.at.skip += 1;
        self.at.returned += 1;
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

/// In an order that is the same for each page.
fn sorted<P: Ord>(pins: HashSet<P>) -> Vec<P> {
    let mut pins: Vec<P> = pins.into_iter().collect();
    pins.sort_unstable();
    pins
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
