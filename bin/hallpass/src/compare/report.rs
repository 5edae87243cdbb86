//! Counts what agrees, and prints what does not.

use std::collections::BTreeMap;
use std::process::ExitCode;

use hallpass_core::TraceEvent;
use serde_json::{Value, json};

use crate::terminal::{UNAVAILABLE, line, plain, wrap};

/// How many subjects of one kind of difference are named.
const NAMED: usize = 5;
/// The most notes shown about what is not compared.
const NOTES: usize = 30;
/// How many differences are kept for `--json`.
const KEPT: usize = 10_000;

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Accounts,
    OtherNames,
    Logins,
    WrongPasswords,
    TypedPassword,
    Groups,
    Permissions,
    Flags,
    Sessions,
    ChangedSessions,
}

impl Kind {
    /// Whether a single question may have no answer, where others have one: about the file of a
    /// session, or a password that is not checked here.
    pub fn may_fail_alone(self) -> bool {
        !matches!(self, Self::Accounts | Self::OtherNames)
    }

    /// What they are called.
    pub fn words(self) -> &'static str {
        match self {
            Self::Accounts => "accounts",
            Self::OtherNames => "other names",
            Self::Logins => "logins",
            Self::WrongPasswords => "wrong passwords",
            Self::TypedPassword => "typed password",
            Self::Groups => "groups",
            Self::Permissions => "permissions",
            Self::Flags => "staff and superusers",
            Self::Sessions => "sessions",
            Self::ChangedSessions => "changed sessions",
        }
    }
}

/// What follows from a difference, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Hallpass grants what the site does not.
    Wider,
    /// Hallpass takes one account for another.
    Other,
    /// Hallpass does not grant what the site does.
    Narrower,
}

impl Effect {
    fn word(self) -> &'static str {
        match self {
            Self::Wider => "wider",
            Self::Other => "other",
            Self::Narrower => "narrower",
        }
    }

    fn meaning(self) -> &'static str {
        match self {
            Self::Wider => "Hallpass grants what the site does not",
            Self::Other => "Hallpass and the site mean different accounts",
            Self::Narrower => "Hallpass denies what the site grants",
        }
    }
}

/// A question that is answered differently.
#[derive(Debug)]
pub struct Difference {
    pub kind: Kind,
    pub effect: Effect,
    /// What it is about: a name, or a session by the beginning of its digest.
    pub subject: String,
    /// The answer of the site.
    pub site: String,
    /// The answer of Hallpass.
    pub hallpass: String,
    /// The step of `hallpass explain` at which they part.
    pub step: Option<TraceEvent>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    granted: u64,
    denied: u64,
    differing: u64,
    unanswered: u64,
}

/// Why no more is compared: one side cannot be asked.
#[derive(Debug)]
pub struct Stopped(pub String);

/// What came of a comparison.
#[derive(Default)]
pub struct Report {
    /// The site's software, as it names itself.
    pub software: String,
    pub notes: Vec<String>,
    /// How many accounts the site has, and how many were asked about.
    pub accounts: (u64, u64),
    /// How many sessions were asked about.
    pub sessions: u64,
    /// Why one side cannot be asked.
    pub stopped: Option<String>,
    tallies: BTreeMap<Kind, Tally>,
    differences: Vec<Difference>,
}

impl Report {
    /// Something that is not compared, and why.
    pub fn note(&mut self, note: &str) {
        if self.notes.len() < NOTES && !self.notes.iter().any(|it| it == note) {
            self.notes.push(note.to_owned());
        }
    }

    /// Both give the same answer: yes or no.
    pub fn agree(&mut self, kind: Kind, granted: bool) {
        let tally = self.tallies.entry(kind).or_default();
        tally.granted += u64::from(granted);
        tally.denied += u64::from(!granted);
    }

    /// One of them gives no answer.
    pub fn unanswered(&mut self, kind: Kind, why: &str) {
        self.tallies.entry(kind).or_default().unanswered += 1;
        self.note(&format!("{}: {why}", kind.words()));
    }

    /// They differ.
    pub fn differ(&mut self, difference: Difference) {
        self.tallies.entry(difference.kind).or_default().differing += 1;
        if self.differences.len() < KEPT {
            self.differences.push(difference);
        }
    }

    fn sum(&self, of: impl Fn(&Tally) -> u64) -> u64 {
        self.tallies.values().map(of).sum()
    }

    /// Whether an account was granted anything by both.
    fn means_something(&self) -> bool {
        self.sum(|it| it.granted) > 0
    }

    /// 0 when all agree, 1 on a difference, 75 when one side cannot be asked.
    pub fn exit_code(&self) -> ExitCode {
        match self.verdict() {
            "agree" => ExitCode::SUCCESS,
            "differ" => ExitCode::FAILURE,
            _ => UNAVAILABLE.into(),
        }
    }

    fn verdict(&self) -> &'static str {
        if self.sum(|it| it.differing) > 0 {
            "differ"
        } else if self.stopped.is_some()
            || self.sum(|it| it.unanswered) > 0
            || !self.means_something()
        {
            "unavailable"
        } else {
            "agree"
        }
    }

    pub fn print(&self, as_json: bool) {
        if as_json {
            line(&self.object().to_string());
        } else {
            self.text();
        }
    }

    /// Agreement in percent, rounded down: 100 is all.
    fn percent(&self) -> u64 {
        let agreed = self.sum(|it| it.granted + it.denied);
        let all = agreed + self.sum(|it| it.differing);
        (agreed * 100).checked_div(all).unwrap_or_default()
    }

    fn object(&self) -> Value {
        let tally = |(kind, it): (&Kind, &Tally)| {
            json!({
                "question": kind.words(),
                "asked": it.granted + it.denied + it.differing,
                "granted": it.granted,
                "denied": it.denied,
                "differing": it.differing,
                "unanswered": it.unanswered,
            })
        };
        let difference = |it: &Difference| {
            json!({
                "question": it.kind.words(),
                "effect": it.effect.word(),
                "subject": it.subject,
                "site": it.site,
                "hallpass": it.hallpass,
                "step": it.step.as_ref().map(|step| step.subject),
                "said": it.step.as_ref().map(|step| &step.said),
            })
        };
        json!({
            "verdict": self.verdict(),
            "software": self.software,
            "percent": self.percent(),
            "accounts": self.accounts.1,
            "sessions": self.sessions,
            "questions": self.tallies.iter().map(tally).collect::<Vec<_>>(),
            "differences": self.differences.iter().map(difference).collect::<Vec<_>>(),
            "notes": self.notes,
            "cause": self.stopped,
        })
    }

    fn text(&self) {
        if !self.software.is_empty() {
            let accounts = match self.accounts {
                (_, 0) => String::new(),
                (count, asked) => format!("{asked} of {}, ", plural(count, "account")),
            };
            let sessions = plural(self.sessions, "session");
            line(&format!(
                "{}: {accounts}{sessions}\n",
                plain(&self.software)
            ));
        }
        for (kind, it) in &self.tallies {
            let agreed = it.granted + it.denied;
            let unanswered = match it.unanswered {
                0 => String::new(),
                count => format!(", {count} without an answer"),
            };
            line(&format!(
                "{:<21} {agreed:>6} of {} agree ({} granted, {} denied{unanswered})",
                kind.words(),
                agreed + it.differing,
                it.granted,
                it.denied
            ));
        }
        self.print_differences();
        if !self.notes.is_empty() {
            line("\nNot compared:");
            self.notes.iter().for_each(|note| paragraph("  - ", note));
        }
        if let Some(why) = &self.stopped {
            line(&format!("\nOne side cannot be asked: {}", why.trim_end()));
        } else if !self.means_something() {
            line("\nNothing was compared: neither side grants anything to anybody.");
        }
        let agreed = self.sum(|it| it.granted + it.denied);
        let differing = self.sum(|it| it.differing);
        if agreed + differing == 0 {
            return;
        }
        line(&format!(
            "\n{} % agreement: {} of {}, {}",
            self.percent(),
            agreed,
            plural(agreed + differing, "answer"),
            plural(differing, "difference")
        ));
    }

    /// One paragraph for those that part at the same step in the same way.
    fn print_differences(&self) {
        let mut groups: BTreeMap<_, Vec<&Difference>> = BTreeMap::new();
        for it in &self.differences {
            let step = it.step.as_ref().map(|step| step.subject);
            groups
                .entry((it.effect, it.kind, step))
                .or_default()
                .push(it);
        }
        for ((effect, kind, step), found) in groups {
            let count = plural(found.len() as u64, "difference");
            line(&format!(
                "\n{}: {count}. {}:",
                kind.words(),
                effect.meaning()
            ));
            for it in found.iter().take(NAMED) {
                let (site, hallpass) = (plain(&it.site), plain(&it.hallpass));
                let text = format!("{}: site: {site}; Hallpass: {hallpass}", plain(&it.subject));
                paragraph("  - ", &text);
            }
            if found.len() > NAMED {
                line(&format!("  and {} more", found.len() - NAMED));
            }
            if let (Some(step), Some(Some(event))) = (step, found.first().map(|it| &it.step)) {
                let said = plain(&event.said);
                paragraph("  ", &format!("They part at the step {step}: {said}"));
            }
        }
    }
}

/// `text`, wrapped, behind `mark`.
fn paragraph(mark: &str, text: &str) {
    let indent = mark.chars().count();
    let mut rows = wrap(text, 100 - indent).into_iter();
    line(&format!("{mark}{}", rows.next().unwrap_or_default()));
    rows.for_each(|row| line(&format!("{:indent$}{row}", "")));
}

/// `1 account`, `2 accounts`.
fn plural(count: u64, word: &str) -> String {
    match count {
        1 => format!("1 {word}"),
        count => format!("{count} {word}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(effect: Effect) -> Difference {
        Difference {
            kind: Kind::Accounts,
            effect,
            subject: "alice".to_owned(),
            site: "nobody".to_owned(),
            hallpass: "alice".to_owned(),
            step: None,
        }
    }

    #[test]
    fn only_all_is_a_hundred_percent() {
        let mut report = Report::default();
        (0..999).for_each(|_| report.agree(Kind::Accounts, true));
        assert_eq!((report.percent(), report.verdict()), (100, "agree"));
        report.differ(difference(Effect::Narrower));
        assert_eq!((report.percent(), report.verdict()), (99, "differ"));
    }

    #[test]
    fn nothing_but_denials_proves_nothing() {
        let mut report = Report::default();
        assert_eq!(report.verdict(), "unavailable");
        report.agree(Kind::Sessions, false);
        assert_eq!(report.verdict(), "unavailable");
        report.agree(Kind::Accounts, true);
        assert_eq!(report.verdict(), "agree");
    }

    #[test]
    fn what_has_no_answer_is_no_agreement() {
        let mut report = Report::default();
        report.agree(Kind::Accounts, true);
        report.unanswered(Kind::Sessions, "the cache is away");
        assert_eq!(report.verdict(), "unavailable");
        report.differ(difference(Effect::Wider));
        assert_eq!(report.verdict(), "differ");
    }
}
