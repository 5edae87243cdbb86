//! Checks who gets into the sections of Apache that ask Hallpass: whether they ask at all, whether
//! anything else lets in as well, and whether anybody gets in.

use hallpass_core::Configuration;
use hallpass_core::doctor::{Finding, unknown_groups};

use super::file::words;
use super::require::{Access, Rule, is_of_addresses};
use super::sections::{Host, Merged, text};
use crate::doctor::directives::Directive;
use crate::doctor::groups;

/// A method that no `<Limit>` names.
const OTHER: &str = "OTHER";

/// Which names of providers ask Hallpass.
pub struct Providers<'a> {
    /// `external`, aliases of it, and those of mod_authnz_fcgi.
    pub names: Vec<&'a str>,
    /// The names of programs that are Hallpass's own.
    pub programs: Vec<&'a str>,
}

/// A section that asks Hallpass, and what holds there.
struct Section<'h, 'a> {
    host: &'h Host<'a>,
    own: &'a Directive,
    merged: Merged<'a>,
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
        (wants_user(self.own) || authenticates && !self.is_default())
            && (unnamed || program("AuthExternal") || program("GroupExternal") || by_name)
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

    fn is_provider(&self, name: &str) -> bool {
        self.providers.names.contains(&name)
    }

    /// The providers that are asked, in their order.
    fn provided(&self) -> Vec<&'a str> {
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

    /// How users are asked for.
    fn authentication(&self) -> Vec<Finding> {
        let required = self.merged.rule("GET").map(|(rule, _)| rule);
        let required = required.is_some_and(|rule| rule.access(false) == Access::Denied);
        let mut findings = Vec::new();
        let mut problem = |at: String, seen: String, mend: &str| {
            findings.push(Finding::problem("apache-authentication", at, seen, mend));
        };
        let kind = self.merged.last("AuthType");
        match kind.map(|it| it.word(0).to_ascii_lowercase()).as_deref() {
            None | Some("none") if required => problem(
                kind.unwrap_or(self.own).at(),
                "AuthType is missing: every request is answered 500".to_owned(),
                "write AuthType Basic",
            ),
            Some("digest") => problem(
                kind.unwrap_or(self.own).at(),
                "AuthType Digest never asks a program: nobody gets in".to_owned(),
                "write AuthType Basic",
            ),
            _ => {}
        }
        if !kind.is_some_and(|it| it.word(0).eq_ignore_ascii_case("basic")) {
            return findings;
        }
        if self.merged.last("AuthName").is_none() {
            problem(
                self.own.at(),
                "AuthName is missing: every request is answered 500".to_owned(),
                "write AuthName \"…\"",
            );
        }
        findings.extend(self.provider());
        findings.extend(self.programs());
        let authoritative = self.merged.last("AuthBasicAuthoritative");
        if let Some(off) = authoritative.filter(|it| it.word(0).eq_ignore_ascii_case("off")) {
            findings.push(Finding::warning(
                "apache-provider",
                off.at(),
                "AuthBasicAuthoritative Off hands users whom no provider knows on to any other \
                 module, which may let them in",
                "take it away",
            ));
        }
        findings
    }

    /// The providers that are asked before Hallpass, or in its place.
    fn provider(&self) -> Option<Finding> {
        let directive = self.merged.last("AuthBasicProvider");
        let provided = self.provided();
        let file = self.merged.last("AuthUserFile");
        let problem = |seen: String, mend: &str| {
            let at = directive.unwrap_or(self.own).at();
            Some(Finding::problem("apache-provider", at, seen, mend))
        };
        let only = "write AuthBasicProvider external";
        let by_file = match file {
            None => "without AuthUserFile every login is answered 500".to_owned(),
            Some(file) => format!(
                "whoever is in {} gets in, whatever the site says",
                file.word(0)
            ),
        };
        if directive.is_none() {
            let seen = format!(
                "AuthBasicProvider is missing, so that the provider file is asked and Hallpass \
                 never: {by_file}"
            );
            return problem(seen, only);
        }
        let place = provided.iter().position(|it| self.is_provider(it));
        let Some(place) = place else {
            let list = provided.join(" ");
            return problem(
                format!("AuthBasicProvider {list} never asks Hallpass"),
                only,
            );
        };
        let mut before = provided.iter().take(place).filter(|it| **it != "socache");
        let first = before.next()?;
        let ours = provided.get(place).copied().unwrap_or("external");
        let effect = match *first {
            "file" => by_file,
            "anon" => "anybody gets in by some name".to_owned(),
            _ => "whom that one knows gets in, whatever the site says".to_owned(),
        };
        let mend = match ours {
            "external" => only.to_owned(),
            other => format!("write AuthBasicProvider {other}"),
        };
        problem(
            format!("the provider {first} is asked before Hallpass: {effect}"),
            &mend,
        )
    }

    /// What mod_authnz_external has no program for.
    fn programs(&self) -> Vec<Finding> {
        let holds = self.merged.external();
        let has = |name: &str| {
            let inside = holds.into_iter().flat_map(|it| &it.inside);
            inside.into_iter().any(|it| it.is(name))
        };
        let lost = |name: &str| {
            let outer = self.merged.sections.iter().rev();
            let outer = outer.flat_map(|it| it.inside.iter().find(|it| it.is(name)));
            let mut outer = outer.chain(self.host.plain.iter().copied().filter(|it| it.is(name)));
            match (outer.next(), holds) {
                (Some(outer), Some(holds)) => format!(
                    "{name} ({}:{}) does not count here, because {} {} has a directive of \
                     mod_authnz_external, which merges none",
                    outer.file.display(),
                    outer.line,
                    holds.name,
                    text(holds)
                ),
                _ => format!("{name} is missing"),
            }
        };
        let mut findings = Vec::new();
        let mut wants_group = false;
        for method in ["GET", OTHER] {
            if let Some((rule, _)) = self.merged.rule(method) {
                rule.each(&mut |it| wants_group |= it.word(0) == "external-group");
            }
        }
        let external = self.provided().contains(&"external");
        if external && !has("AuthExternal") {
            findings.push(Finding::problem(
                "apache-definition",
                self.merged
                    .last("AuthBasicProvider")
                    .unwrap_or(self.own)
                    .at(),
                format!("{}: every login fails", lost("AuthExternal")),
                "write AuthExternal with the name that DefineExternalAuth gives into the same \
                 section",
            ));
        }
        if wants_group && !has("GroupExternal") {
            findings.push(Finding::problem(
                "apache-group",
                self.own.at(),
                format!(
                    "{}: Require external-group lets nobody in",
                    lost("GroupExternal")
                ),
                "write GroupExternal with the name that DefineExternalGroup gives into the same \
                 section",
            ));
        }
        findings
    }

    /// The groups that are required.
    fn groups(&self, configuration: &Configuration) -> Vec<Finding> {
        let mut required: Vec<&Directive> = Vec::new();
        for method in ["GET", OTHER] {
            if let Some(rule) = Rule::of(&self.own.inside, method) {
                rule.each(&mut |it| {
                    if !required.iter().any(|other| std::ptr::eq(*other, it)) {
                        required.push(it);
                    }
                });
            }
        }
        let mut findings = Vec::new();
        let sections = self.merged.sections.iter();
        let mut inside = sections.flat_map(|it| &it.inside);
        let external = inside.any(|it| it.is("GroupExternal"));
        for it in required {
            if it.word(0) == "group" && external {
                findings.push(Finding::problem(
                    "apache-group",
                    it.at(),
                    "Require group asks mod_authz_groupfile, and never GroupExternal",
                    "write Require external-group",
                ));
            }
            if it.word(0) == "external-group" {
                findings.extend(named(it, configuration));
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

/// The groups of one `Require external-group`.
fn named(require: &Directive, configuration: &Configuration) -> Option<Finding> {
    let said: Vec<String> = require.words.iter().skip(1).cloned().collect();
    let joined = said.join(" ");
    let line = words(&require.words.join(" "));
    let split = said.len() > 1 && line.len() == require.words.len();
    let is_group = |name: &String| unknown_groups(configuration, std::slice::from_ref(name));
    let conditions = hallpass_core::Conditions::parse(&said, &[]).ok();
    let listed = conditions.as_ref().map(groups::of).unwrap_or_default();
    if split && !unknown_groups(configuration, &listed).is_empty() && is_group(&joined).is_empty() {
        return Some(Finding::problem(
            "host-group",
            require.at(),
            format!(
                "this names {} groups, and the site has one called {joined:?}: members of any of \
                 the others get in, and its own do not",
                said.len()
            ),
            format!("write Require external-group \"{joined}\""),
        ));
    }
    groups::examine(configuration, &require.at(), &listed)
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
