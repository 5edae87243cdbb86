//! Judges whether both sides said the same, and where they part.

use hallpass_core::TraceEvent;
use hallpass_sites::compare::{Account, Person};

use super::report::{Difference, Effect, Kind};

/// What came of one question.
pub enum Outcome {
    Agree(Kind, bool),
    Differ(Difference),
    Unanswered(Kind, String),
}

/// Somebody that a side names.
pub trait Who {
    fn person(&self) -> &Person;
}

impl Who for Person {
    fn person(&self) -> &Person {
        self
    }
}

impl Who for Account {
    fn person(&self) -> &Person {
        &self.person
    }
}

pub fn told(person: &Person) -> String {
    match (person.name.as_str(), person.id.as_str()) {
        (name, "") => name.to_owned(),
        ("", id) => format!("id {id}"),
        (name, id) => format!("{name} (id {id})"),
    }
}

/// Whether both are one account, by what both know of it: a session may have only a name, or an id.
pub fn same(theirs: &Person, ours: &Person) -> bool {
    let known = |one: &str, other: &str| !one.is_empty() && !other.is_empty();
    let by_name = known(&theirs.name, &ours.name).then(|| theirs.name == ours.name);
    let by_id = known(&theirs.id, &ours.id).then(|| theirs.id == ours.id);
    match (by_name, by_id) {
        (None, None) => false,
        (name, id) => name.unwrap_or(true) && id.unwrap_or(true),
    }
}

/// The step at which Hallpass decided otherwise than the site: the first that spoke against, unless it
/// was taken back, or the last that spoke for.
pub fn parting(steps: &[TraceEvent], granted: bool) -> Option<TraceEvent> {
    let decided = |it: &&TraceEvent| it.subject != "verdict" && it.holds == Some(granted);
    if granted {
        return steps.iter().rev().find(decided).cloned();
    }
    let taken_back = |it: &&TraceEvent| {
        let mut same = steps
            .iter()
            .rev()
            .filter(|other| other.subject == it.subject);
        same.next().is_some_and(|last| last.holds == Some(true))
    };
    let mut found = steps.iter().filter(decided);
    found.find(|it| !taken_back(it)).cloned()
}

pub fn compared_groups(
    name: &str,
    site: &[String],
    hallpass: &[String],
    steps: Vec<TraceEvent>,
) -> Outcome {
    let missing = |from: &[String], of: &[String]| from.iter().any(|it| !of.contains(it));
    let effect = match (missing(hallpass, site), missing(site, hallpass)) {
        (false, false) => return Outcome::Agree(Kind::Groups, !site.is_empty()),
        (true, _) => Effect::Wider,
        (false, true) => Effect::Narrower,
    };
    // The statement that reads them is the last one.
    let last = steps.into_iter().rev().find(|it| it.subject != "verdict");
    let list = |groups: &[String]| match groups {
        [] => "none".to_owned(),
        groups => groups.join(", "),
    };
    Outcome::Differ(Difference {
        kind: Kind::Groups,
        effect,
        subject: name.to_owned(),
        site: list(site),
        hallpass: list(hallpass),
        step: last,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_the_same_by_name_and_id() {
        let person = |id: &str, name: &str| Person {
            id: id.to_owned(),
            name: name.to_owned(),
        };
        assert!(same(&person("1", "alice"), &person("1", "alice")));
        assert!(same(&person("1", "alice"), &person("", "alice")));
        assert!(!same(&person("1", "alice"), &person("2", "alice")));
        assert!(same(&person("1", ""), &person("1", "alice")));
        assert!(!same(&person("1", "alice"), &person("1", "bob")));
        assert!(!same(&person("1", ""), &person("", "alice")));
    }

    #[test]
    fn sides_part_where_it_was_decided() {
        let step = |subject, holds| TraceEvent {
            subject,
            holds,
            said: String::new(),
        };
        let steps = [
            step("signature", Some(false)),
            step("signature", Some(true)),
            step("account", Some(true)),
            step("database", None),
            step("expiry", Some(false)),
            step("session", Some(false)),
            step("verdict", Some(false)),
        ];
        let word = |granted| parting(&steps, granted).map(|it| it.subject);
        assert_eq!(word(false), Some("expiry"));
        assert_eq!(word(true), Some("account"));
        assert!(parting(&[], true).is_none());
    }
}
