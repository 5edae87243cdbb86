//! Checks who gets into the sections of Apache that ask Hallpass: whether they ask at all, whether
//! anything else lets in as well, and whether anybody gets in.

use hallpass_core::Configuration;
use hallpass_core::doctor::Finding;

use super::htaccess;
use super::require::{Access, Rule, is_of_addresses};
use super::sections::{Host, Merged, text};
use crate::doctor::directives::Directive;

/// A method that no `<Limit>` names.
pub(super) const OTHER: &str = "OTHER";

/// Which names of providers ask Hallpass.
pub struct Providers<'a> {
    /// `external`, aliases of it, and those of mod_authnz_fcgi.
    pub names: Vec<&'a str>,
    /// The names of programs that are Hallpass's own.
    pub programs: Vec<&'a str>,
}

/// A section that asks Hallpass, and what holds there.
pub(super) struct Section<'h, 'a> {
    pub(super) host: &'h Host<'a>,
    pub(super) own: &'a Directive,
    pub(super) merged: Merged<'a>,
    providers: &'h Providers<'a>,
}

/// The findings for all sections of a host that ask Hallpass.
pub fn examine<'a>(
    host: &Host<'a>,
    providers: &Providers<'a>,
    configuration: &Configuration,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for own in host.sections().iter().copied() {
        let section = Section {
            host,
            own,
            merged: host.merged(own),
            providers,
        };
        if section.is_ours() {
            findings.extend(section.examine(configuration));
        }
    }
    findings
}

impl<'a> Section<'_, 'a> {
    /// Whether it says something about users, and these are to be Hallpass's.
    fn is_ours(&self) -> bool {
        let authenticates = self.own.inside.iter().any(|it| it.is("AuthType"));
        let program = |name: &str| {
            let at = self.merged.external().into_iter().flat_map(|it| &it.inside);
            let mut words = at.filter(|it| it.is(name)).flat_map(|it| &it.words);
            words.any(|word| self.providers.programs.contains(&&**word))
        };
        let provided = self.provided();
        let holds = self.merged.external();
        let names = holds.is_some_and(|it| it.inside.iter().any(|it| it.is("AuthExternal")));
        let programs = &self.providers.programs;
        let unnamed = provided.contains(&"external") && !names && !programs.is_empty();
        // The name of one of mod_authnz_fcgi, or of an alias, is Hallpass's alone.
        let by_name = provided
            .iter()
            .any(|it| *it != "external" && self.is_provider(it));
        let fcgi = self.merged.last("AuthnzFcgiCheckAuthnProvider");
        let fcgi = fcgi.is_some_and(|it| self.is_provider(it.word(0)));
        (wants_user(self.own) || authenticates && !self.is_default())
            && (unnamed || program("AuthExternal") || program("GroupExternal") || by_name || fcgi)
    }

    /// Whether it requires nothing itself, and says how users are asked for in other sections.
    fn is_default(&self) -> bool {
        let asks_by_itself = |it: &Directive| it.inside.iter().any(|it| it.is("AuthType"));
        let inherits = |it: &'a Directive| {
            let merged = self.host.merged(it);
            let under = merged.sections.iter().any(|it| std::ptr::eq(*it, self.own));
            under && wants_user(it) && !asks_by_itself(it)
        };
        !self.says_require() && self.host.sections().iter().any(|it| inherits(it))
    }

    pub(super) fn is_provider(&self, name: &str) -> bool {
        self.providers.names.contains(&name)
    }

    /// The providers that are asked, in their order.
    pub(super) fn provided(&self) -> Vec<&'a str> {
        let directive = self.merged.last("AuthBasicProvider");
        let words = directive.map(|it| it.words.as_slice()).unwrap_or_default();
        words.iter().map(String::as_str).collect()
    }

    fn examine(&self, configuration: &Configuration) -> Vec<Finding> {
        let mut findings = Vec::new();
        let access = self.access();
        let open = access.is_some();
        findings.extend(access);
        findings.extend(self.conditional());
        findings.extend(self.elsewhere());
        findings.extend(self.files());
        if !open {
            findings.extend(self.authentication());
        }
        findings.extend(self.groups(configuration));
        findings
    }

    /// Who gets in without a user, and whether any user does.
    fn access(&self) -> Option<Finding> {
        let problem = |at: &Directive, seen: String, mend: String| {
            Some(Finding::problem("apache-require", at.at(), seen, mend))
        };
        if let Some(finding) = self.satisfied() {
            return Some(finding);
        }
        let Some((rule, from)) = self.merged.rule("GET") else {
            return problem(
                self.own,
                "nothing is required here: everybody gets in without a password".to_owned(),
                "write Require valid-user".to_owned(),
            );
        };
        let (free, user) = (rule.access(false), rule.access(true));
        let theirs = !std::ptr::eq(from, self.own);
        let limited = self.own.inside.iter().any(|it| it.is("LimitExcept"));
        match (free, user) {
            (Access::Granted(by), _) if theirs && !self.says_require() => problem(
                self.own,
                format!(
                    "nothing is required here, and {} lets everybody in without a password",
                    by.map_or_else(String::new, place)
                ),
                "write Require valid-user".to_owned(),
            ),
            (Access::Granted(by), _) if theirs && htaccess::is_file(from) => problem(
                by.unwrap_or(from),
                format!(
                    "it takes the place of what is required in {} {} ({}:{}): everybody gets in \
                     without a password",
                    self.own.name,
                    text(self.own),
                    self.own.file.display(),
                    self.own.line
                ),
                "take Require away there, or write AllowOverride None for this directory"
                    .to_owned(),
            ),
            (Access::Granted(by), _) if theirs => problem(
                by.unwrap_or(from),
                format!(
                    "{} {} is applied after {} {} ({}:{}) and takes the place of what is required \
                     there: everybody gets in without a password",
                    from.name,
                    text(from),
                    self.own.name,
                    text(self.own),
                    self.own.file.display(),
                    self.own.line
                ),
                format!("write it before {} {}", self.own.name, text(self.own)),
            ),
            // Reading may be for everybody, where something is required of all other methods.
            (Access::Granted(Some(_)), _) if limited => None,
            (Access::Granted(by), _) => problem(
                by.unwrap_or(from),
                "Require all granted beside what is required of users: one of them is enough, and \
                 everybody gets in without a password"
                    .to_owned(),
                "take Require all granted away".to_owned(),
            ),
            (Access::Denied | Access::Neutral, Access::Denied | Access::Neutral) => problem(
                from,
                "all that is required together can be met by no user: nobody gets in".to_owned(),
                "take Require all denied away, or write Require valid-user".to_owned(),
            ),
            _ => self.limited(),
        }
    }

    /// The same files at another address, where nothing is asked.
    fn elsewhere(&self) -> Option<Finding> {
        let (way, url, merged) = self.host.elsewhere(self.own)?;
        let (rule, _) = merged.rule("GET")?;
        matches!(rule.access(false), Access::Granted(_)).then(|| {
            Finding::problem(
                "apache-alias",
                way.at(),
                format!(
                    "the files of {} {} are at {url}, too, where everybody gets them without a \
                     password",
                    self.own.name,
                    text(self.own)
                ),
                "protect the directory in a <Directory> section, whichever address leads there",
            )
        })
    }

    /// Files of a directory that a later section gives to everybody.
    fn files(&self) -> Option<Finding> {
        let section = self.host.files_after(self.own).find(|it| {
            let merges = it.inside.iter().any(|it| it.is("AuthMerging"));
            let rule = Rule::of(&it.inside, "GET").filter(|_| !merges);
            rule.is_some_and(|rule| matches!(rule.access(false), Access::Granted(_)))
        })?;
        let seen = format!(
            "{} {} is applied after {} {} and takes the place of what is required there: everybody \
             gets these files without a password",
            section.name,
            text(section),
            self.own.name,
            text(self.own)
        );
        let mend = format!(
            "write {} inside of the directories that are for all",
            section.name
        );
        let words = text(section).to_ascii_lowercase();
        let assets = ["css", "js", "png", "svg", "ico", "woff"];
        Some(match assets.iter().any(|it| words.contains(it)) {
            true => Finding::warning("apache-files", section.at(), seen, mend),
            false => Finding::problem("apache-files", section.at(), seen, mend),
        })
    }

    fn says_require(&self) -> bool {
        ["GET", OTHER]
            .iter()
            .any(|it| Rule::of(&self.own.inside, it).is_some())
    }

    /// `<Limit>`: methods that it does not name.
    fn limited(&self) -> Option<Finding> {
        let limit = self.own.inside.iter().find(|it| it.is("Limit"))?;
        let rule = self.merged.rule(OTHER);
        let open = rule.is_none_or(|(rule, _)| matches!(rule.access(false), Access::Granted(_)));
        open.then(|| {
            Finding::problem(
                "apache-limit",
                limit.at(),
                format!(
                    "<Limit {}> asks about these methods alone: with any other, everybody gets in \
                     without a password",
                    limit.words.join(" ")
                ),
                "take <Limit> away, or write <LimitExcept> with the methods that are for everybody",
            )
        })
    }

    /// `Satisfy Any`, of mod_access_compat: the address is enough.
    fn satisfied(&self) -> Option<Finding> {
        let satisfy = self.merged.last("Satisfy")?;
        if !satisfy.word(0).eq_ignore_ascii_case("any") {
            return None;
        }
        let all = |name: &str| {
            let last = self.merged.last(name);
            last.is_some_and(|it| it.words.iter().any(|word| word.eq_ignore_ascii_case("all")))
        };
        let allow_last = self.merged.last("Order").is_some_and(|it| {
            it.words.concat().to_ascii_lowercase().replace(',', "") == "allowdeny"
        });
        let closed = match allow_last {
            // Who is not allowed is denied.
            true => !all("Allow"),
            false => all("Deny") && !all("Allow"),
        };
        (!closed).then(|| {
            Finding::problem(
                "apache-require",
                satisfy.at(),
                "Satisfy Any lets everybody in without a password, because no address is denied",
                "take Satisfy Any away",
            )
        })
    }

    /// Requirements beside those of users that some requests meet, and sections that apply to some.
    fn conditional(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let beside = |it: &&Directive| it.is("Require") && is_of_addresses(it);
        let unknown = |it: &&Directive| {
            it.is("Require") && !is_of_addresses(it) && super::require::depends(it)
        };
        let users = |it: &&Directive| it.is("Require") && super::require::of_user(it);
        if self.own.inside.iter().any(|it| users(&it)) {
            for it in self.own.inside.iter().filter(beside) {
                findings.push(Finding::warning(
                    "apache-require",
                    it.at(),
                    format!(
                        "Require {} is enough without a password: behind another proxy, that may \
                         be everybody",
                        it.words.join(" ")
                    ),
                    "put both into <RequireAll> or, if one is to be enough, into <RequireAny>",
                ));
            }
        }
        if self.own.inside.iter().any(|it| users(&it)) {
            for it in self.own.inside.iter().filter(unknown) {
                findings.push(Finding::warning(
                    "apache-require",
                    it.at(),
                    format!(
                        "Require {} is enough without a password: whoever makes a request that \
                         meets it gets in",
                        it.words.join(" ")
                    ),
                    "put both into <RequireAll> or, if one is to be enough, into <RequireAny>",
                ));
            }
        }
        for inner in self.own.inside.iter().filter(|it| it.is("If")) {
            let rule = Rule::of(&inner.inside, "GET");
            let open = rule.is_some_and(|it| matches!(it.access(false), Access::Granted(_)));
            if open && !inner.word(0).eq_ignore_ascii_case("true") {
                findings.push(Finding::warning(
                    "apache-unresolved",
                    inner.at(),
                    format!(
                        "cannot tell whom <If {}> lets in without a password",
                        inner.words.join(" ")
                    ),
                    "take Require all granted away there, or see that nobody else meets it",
                ));
            }
        }
        findings
    }
}

fn wants_user(section: &Directive) -> bool {
    ["GET", OTHER]
        .iter()
        .any(|method| Rule::of(&section.inside, method).is_some_and(|it| it.wants_user()))
}

fn place(directive: &Directive) -> String {
    let it = directive;
    format!(
        "{} {} ({}:{})",
        it.name,
        it.words.join(" "),
        it.file.display(),
        it.line
    )
}
