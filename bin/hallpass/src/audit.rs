//! Counts all accounts by how their passwords are stored.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use hallpass_core::{Account, Authenticator, Deadline, Id, Twin, TwinFinder, Twins};
use hallpass_passwords::Limits;
use hallpass_runtime::CommandLine;
use serde_json::json;

use crate::options::AuditOptions;
use crate::terminal::{UNAVAILABLE, complain, line};

/// The width of the progress bar in characters, and the time between two updates.
const BAR: usize = 20;
const PAUSE: Duration = Duration::from_millis(100);

/// The most similar names that are looked up.
const MOST_ALIKE: usize = 10_000;

/// The counts of all accounts, by the way that their passwords are stored.
#[derive(Debug, Default)]
struct Count {
    accounts: u64,
    inactive: u64,
    staff: u64,
    superusers: u64,
    hashes: BTreeMap<Kind, Tally>,
    twins: Twins,
}

/// The accounts whose passwords are stored the same way.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    accounts: u64,
    inactive: u64,
}

/// How a password is stored.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// By an algorithm, at a cost in its own unit.
    Hash(String, String),
    /// By an algorithm, at a cost over the configured limits.
    TooCostly(String),
    /// Not at all: the account disabled it, or it was never set.
    Unusable,
    /// In an unknown format.
    Unknown,
}

impl Kind {
    fn of(account: &Account, authenticator: &Authenticator, limits: &Limits) -> Self {
        let encoded = account.encoded.as_deref().unwrap_or_default();
        if encoded.is_empty() || encoded.starts_with('!') {
            return Self::Unusable;
        }
        match authenticator.stored_hash(account) {
            Err(_) => Self::Unknown,
            Ok(hash) if hash.fits(limits) => {
                Self::Hash(hash.algorithm().to_owned(), hash.parameters())
            }
            Ok(hash) => Self::TooCostly(hash.algorithm().to_owned()),
        }
    }

    /// Algorithm, cost and remark.
    fn words(&self) -> [&str; 3] {
        match self {
            Self::Hash(algorithm, cost) => [algorithm, cost, ""],
            Self::TooCostly(algorithm) => [
                algorithm,
                "",
                "over the limits: these accounts cannot \
                                                       log in",
            ],
            Self::Unusable => ["", "", "no password"],
            Self::Unknown => ["", "", "unknown: these accounts cannot log in"],
        }
    }
}

/// Reads all accounts, and prints how their passwords are stored.
pub fn run(
    common: &CommandLine,
    options: &AuditOptions,
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    let configuration = common.configuration()?;
    let limits = configuration.passwords.limits.clone();
    let mut authenticator = Authenticator::new(&configuration);
    let total = authenticator.count(Deadline::after(configuration.limits.deadline));
    // The audit works without a total, too.
    let mut progress = Progress::new(total.ok().flatten());
    let mut count = Count::default();
    let mut names = TwinFinder::new(&configuration);
    let mut last: Option<Id> = None;
    loop {
        let deadline = Deadline::after(configuration.limits.deadline);
        let page = match authenticator.accounts_after(last.as_ref(), deadline) {
            Ok(page) => page,
            Err(unavailable) => {
                progress.end();
                complain(&unavailable.to_string());
                return Ok(UNAVAILABLE.into());
            }
        };
        let Some(end) = page.last() else { break };
        last = Some(end.id.clone());
        for account in &page {
            names.see(account);
            count.accounts += 1;
            count.inactive += u64::from(!account.active);
            count.staff += u64::from(account.staff);
            count.superusers += u64::from(account.superuser);
            let kind = Kind::of(account, &authenticator, &limits);
            let tally = count.hashes.entry(kind).or_default();
            tally.accounts += 1;
            tally.inactive += u64::from(!account.active);
        }
        progress.show(count.accounts);
    }
    let deadline = || Deadline::after(configuration.limits.deadline);
    let mut looked = true;
    count.twins = match names.twins(MOST_ALIKE, deadline) {
        Ok(twins) => twins,
        // The counts are valid even so.
        Err(unavailable) => {
            progress.end();
            looked = false;
            complain(&format!(
                "there may be twins, which could not be looked for: {unavailable}"
            ));
            Twins::default()
        }
    };
    progress.end();
    if !count.twins.complete && looked {
        complain("too many names look alike to look all of them up: there may be more twins");
    }
    if as_json {
        line(&count.json());
    } else if options.csv {
        count.csv();
    } else {
        count.table();
    }
    Ok(ExitCode::SUCCESS)
}

impl Count {
    /// How many accounts have no password.
    fn unusable(&self) -> u64 {
        self.hashes.get(&Kind::Unusable).map_or(0, |it| it.accounts)
    }

    fn json(&self) -> String {
        let hash = |(kind, tally): (&Kind, &Tally)| {
            let [algorithm, cost, remark] = kind.words().map(|word| match word {
                "" => None,
                word => Some(word.to_owned()),
            });
            json!({
                "algorithm": algorithm,
                "cost": cost,
                "remark": remark,
                "accounts": tally.accounts,
                "inactive": tally.inactive,
            })
        };
        let twin = |twin: &Twin| {
            let account = |(id, name): &(String, String)| json!({ "id": id, "user": name });
            json!({
                "name": twin.name,
                "xmpp_alone": twin.xmpp_alone,
                "accounts": twin.accounts.iter().map(account).collect::<Vec<_>>(),
            })
        };
        json!({
            "accounts": self.accounts,
            "unusable": self.unusable(),
            "inactive": self.inactive,
            "staff": self.staff,
            "superusers": self.superusers,
            "passwords": self.hashes.iter().map(hash).collect::<Vec<_>>(),
            "twins": self.twins.found.iter().map(twin).collect::<Vec<_>>(),
            "twins_complete": self.twins.complete,
        })
        .to_string()
    }

    fn csv(&self) {
        line("algorithm,cost,remark,accounts,inactive");
        for (kind, tally) in &self.hashes {
            let words = kind.words().map(field);
            let Tally { accounts, inactive } = tally;
            line(&format!("{},{accounts},{inactive}", words.join(",")));
        }
        // Accounts that are also counted above.
        for twin in &self.twins.found {
            let accounts = twin.accounts.len();
            line(&format!("twins,,{},{accounts},", field(&told(twin))));
        }
    }

    fn table(&self) {
        line(&format!(
            "{} accounts: {} inactive, {} staff, {} superusers, {} without a password",
            self.accounts,
            self.inactive,
            self.staff,
            self.superusers,
            self.unusable()
        ));
        for (kind, tally) in &self.hashes {
            let words: Vec<&str> = kind
                .words()
                .into_iter()
                .filter(|it| !it.is_empty())
                .collect();
            let inactive = match tally.inactive {
                0 => String::new(),
                inactive => format!(" ({inactive} inactive)"),
            };
            let accounts = tally.accounts;
            line(&format!("{accounts:>10}  {}{inactive}", words.join(", ")));
        }
        for twin in &self.twins.found {
            line(&format!("{:>10}  {}", "twins", told(twin)));
        }
    }
}

fn told(twin: &Twin) -> String {
    let account = |(id, name): &(String, String)| format!("{name:?} (id {id})");
    let accounts: Vec<String> = twin.accounts.iter().map(account).collect();
    let xmpp = if twin.xmpp_alone {
        " at XMPP hosts"
    } else {
        ""
    };
    format!(
        "{:?} could mean {}, and lets neither in{xmpp}",
        twin.name,
        accounts.join(" or ")
    )
}

/// A field of CSV (RFC 4180).
fn field(word: &str) -> String {
    if word.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", word.replace('"', "\"\""))
    } else {
        word.to_owned()
    }
}

/// Shows the progress on a terminal.
struct Progress {
    shown: bool,
    total: Option<u64>,
    next: Instant,
}

impl Progress {
    fn new(total: Option<u64>) -> Self {
        Self {
            shown: std::io::stderr().is_terminal(),
            total: total.filter(|total| *total > 0),
            next: Instant::now(),
        }
    }

    fn show(&mut self, accounts: u64) {
        if !self.shown || Instant::now() < self.next {
            return;
        }
        self.next = Instant::now() + PAUSE;
        let far = match self.total {
            Some(total) => bar(accounts, total),
            None => format!("{accounts} accounts"),
        };
        drop(write!(std::io::stderr(), "\r{far}"));
    }

    fn end(&mut self) {
        if self.shown {
            drop(write!(std::io::stderr(), "\r\x1b[K"));
        }
    }
}

/// The progress bar. Accounts may have been added since they were counted.
fn bar(done: u64, total: u64) -> String {
    let done = done.min(total);
    let part = |whole: usize| {
        let part = u128::from(done) * (whole as u128) / u128::from(total.max(1));
        usize::try_from(part).unwrap_or(whole)
    };
    let full = part(BAR);
    let (full, empty) = ("#".repeat(full), "-".repeat(BAR - full));
    format!(
        "[{full}{empty}] {:>3} %, {done} of {total} accounts",
        part(100)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_full_as_the_work_is_done() {
        let empty = format!("[{}]   0 %, 0 of 7 accounts", "-".repeat(BAR));
        assert_eq!(bar(0, 7), empty);
        let full = format!("[{}] 100 %, 7 of 7 accounts", "#".repeat(BAR));
        assert_eq!(bar(7, 7), full);
        assert_eq!(bar(8, 7), full);
        assert!(bar(1, 2).contains(" 50 %, 1 of 2 "));
        assert!(bar(u64::MAX, 1_000_000_000_000).len() <= 80);
    }
}
