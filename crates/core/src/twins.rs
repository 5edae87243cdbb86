//! Finds names that could mean two accounts, and so mean none.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use hallpass_stores::sql::{Location, fold_case};
use hallpass_stores::{Deadline, Unavailable};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::configuration::{Configuration, LoginField};
use crate::{Account, Authenticator};

/// How many names are compared at most, in 8 bytes each.
const MOST_NAMES: usize = 8_000_000;

/// Compares the names of accounts, and asks the site about those that look alike.
///
/// Names are kept as digests of a form that is the same for all that any lookup takes for the same,
/// and for some others. Those that share one are looked up, as they are when a client sends them:
/// that look-up alone decides what is a twin.
#[derive(Debug)]
pub struct TwinFinder {
    /// Looks names up as the host does that takes the most for the same.
    authenticator: Authenticator,
    /// And as `[access]` says, where that is not the same.
    exact: Option<Authenticator>,
    form: Form,
    login: Vec<LoginField>,
    digests: RandomState,
    /// The digests of the forms that accounts have, one of each form of an account.
    names: Vec<u64>,
    complete: bool,
    /// How many accounts have been seen, and how many of them have no login name.
    seen: usize,
    nameless: usize,
}

/// What is taken away from names before they are compared.
#[derive(Clone, Copy, Debug)]
struct Form {
    case: bool,
    compatibility: bool,
    /// Whatever collations of MySQL and MariaDB ignore, and phpBB's clean names.
    accents: bool,
}

/// The names that could mean two accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Twins {
    /// Those that have been looked up.
    pub found: Vec<Twin>,
    /// Whether all accounts have been compared, and all that look alike been looked up.
    pub complete: bool,
    /// Whether there are several accounts, and none has a login name.
    pub nameless: bool,
}

/// A name that could mean two accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Twin {
    /// The name.
    pub name: String,
    /// The keys and the login names of the accounts, by their names.
    pub accounts: Vec<(String, String)>,
    /// Whether it is so for XMPP alone, whose names have no case, though `[access]` tells the cases
    /// apart.
    pub xmpp_alone: bool,
}

impl TwinFinder {
    /// Compares names as the hosts of the site that `configuration` describes take them: those of
    /// XMPP fold them, unless `[ejabberd]` says otherwise.
    #[must_use]
    pub fn new(configuration: &Configuration) -> Self {
        let access = &configuration.access.lookup;
        let folds = access.ignore_case || configuration.ejabberd.ignore_case;
        let collates = matches!(configuration.database.location, Location::Mysql(_));
        let forms = configuration.framework.name_forms();
        Self {
            authenticator: match folds {
                true => Authenticator::ignoring_case(configuration),
                false => Authenticator::new(configuration),
            },
            exact: (folds && !access.ignore_case).then(|| Authenticator::new(configuration)),
            form: Form {
                case: folds || collates || forms.confusables,
                compatibility: forms.compatibility || collates || folds,
                accents: collates || forms.confusables,
            },
            login: access.login.clone(),
            digests: RandomState::new(),
            names: Vec::new(),
            complete: true,
            seen: 0,
            nameless: 0,
        }
    }

    /// Takes note of the names of `account`.
    pub fn see(&mut self, account: &Account) {
        self.seen += 1;
        self.nameless += usize::from(account.name.is_empty());
        let mut last = None;
        for name in names(&self.login, account) {
            if self.names.len() >= MOST_NAMES {
                self.complete = false;
                return;
            }
            let digest = self.digests.hash_one(self.form.of(name));
            if last != Some(digest) {
                self.names.push(digest);
            }
            last = Some(digest);
        }
    }

    /// Takes note of the names of all accounts.
    ///
    /// # Errors
    /// [`Unavailable`] when the database cannot be asked in time, or cannot list them.
    pub fn see_all(&mut self, deadline: impl Fn() -> Deadline) -> Result<(), Unavailable> {
        let mut last = None;
        loop {
            let page = self
                .authenticator
                .accounts_after(last.as_ref(), deadline())?;
            let Some(end) = page.last() else {
                return Ok(());
            };
            last = Some(end.id.clone());
            page.iter().for_each(|account| self.see(account));
        }
    }

    /// The names among those seen that could mean two accounts; `most` are looked up at most.
    /// `deadline` gives each question to the database its own.
    ///
    /// # Errors
    /// [`Unavailable`] when the database cannot be asked in time.
    pub fn twins(
        mut self,
        most: usize,
        deadline: impl Fn() -> Deadline,
    ) -> Result<Twins, Unavailable> {
        let suspects = self.suspects();
        let mut twins = Twins {
            found: Vec::new(),
            complete: self.complete,
            nameless: self.seen > 1 && self.seen == self.nameless,
        };
        let (mut last, mut asked, mut known) = (None, 0, HashSet::new());
        while !suspects.is_empty() {
            let page = self
                .authenticator
                .accounts_after(last.as_ref(), deadline())?;
            let Some(end) = page.last() else { break };
            last = Some(end.id.clone());
            for account in &page {
                for name in names(&self.login, account) {
                    if !suspects.contains(&self.digests.hash_one(self.form.of(name))) {
                        continue;
                    }
                    if asked >= most {
                        twins.complete = false;
                        return Ok(twins);
                    }
                    asked += 1;
                    let accounts = self.authenticator.candidates(name, deadline())?;
                    if accounts.len() < 2 {
                        continue;
                    }
                    let xmpp_alone = match &mut self.exact {
                        Some(exact) => exact.candidates(name, deadline())?.len() < 2,
                        None => false,
                    };
                    if known.insert((accounts.clone(), xmpp_alone)) {
                        let name = name.to_owned();
                        twins.found.push(Twin {
                            name,
                            accounts,
                            xmpp_alone,
                        });
                    }
                }
            }
        }
        Ok(twins)
    }

    /// The digests that names of two accounts share.
    fn suspects(&mut self) -> HashSet<u64> {
        let mut names = std::mem::take(&mut self.names);
        names.sort_unstable();
        let alike = names.windows(2).filter_map(|pair| match pair {
            [one, two] if one == two => Some(*one),
            _ => None,
        });
        alike.collect()
    }
}

/// The names that mean `account` when typed.
fn names<'a>(login: &[LoginField], account: &'a Account) -> impl Iterator<Item = &'a str> {
    let email = login.contains(&LoginField::Email);
    let email = Some(&*account.email).filter(|address| email && !address.is_empty());
    [Some(&*account.name), email].into_iter().flatten()
}

impl Form {
    fn of(self, name: &str) -> String {
        let mut name = name.to_owned();
        if self.compatibility {
            name = name.nfkc().collect();
        }
        if self.case {
            name = fold_case(&name);
        }
        if self.accents {
            let counts = |letter: &char| {
                !is_combining_mark(*letter) && !letter.is_control() && !letter.is_whitespace()
            };
            name = name.nfkd().filter(counts).map(plain).collect();
            name = fold_case(&name);
        }
        name
    }
}

/// Letters that collations take for others, though Unicode does not take them apart.
fn plain(letter: char) -> char {
    match letter {
        'æ' | 'Æ' => 'a',
        'ø' | 'Ø' | 'œ' | 'Œ' => 'o',
        'ł' | 'Ł' => 'l',
        'đ' | 'Đ' | 'ð' | 'Ð' => 'd',
        'ħ' | 'Ħ' => 'h',
        'ı' => 'i',
        'ŧ' | 'Ŧ' => 't',
        'ſ' => 's',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_the_same_has_one_form() {
        let form = Form {
            case: true,
            compatibility: true,
            accents: true,
        };
        for (one, other) in [
            ("Victim", "victim"),
            ("victim ", "víctim"),
            ("ｗｉｄｅ", "WIDE"),
            ("STRASSE", "straße"),
            ("ŁÓDŹ", "lodz"),
        ] {
            assert_eq!(form.of(one), form.of(other));
        }
        assert_ne!(form.of("victim"), form.of("victim2"));
        let exact = Form {
            case: false,
            compatibility: false,
            accents: false,
        };
        assert_ne!(exact.of("Victim"), exact.of("victim"));
    }
}
