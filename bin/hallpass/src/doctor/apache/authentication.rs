//! Checks how a section of Apache's asks for users: the type, the providers and their order, the
//! programs of mod_authnz_external, and the groups.

use hallpass_core::Configuration;
use hallpass_core::doctor::Finding;

use super::access::{OTHER, Section};
use super::file::words;
use super::require::{Access, Rule};
use super::sections::text;
use crate::doctor::directives::Directive;
use crate::doctor::groups;

impl Section<'_, '_> {
    /// How users are asked for.
    pub(super) fn authentication(&self) -> Vec<Finding> {
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
    pub(super) fn groups(&self, configuration: &Configuration) -> Vec<Finding> {
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

/// The groups of one `Require external-group`.
fn named(require: &Directive, configuration: &Configuration) -> Option<Finding> {
    let said: Vec<String> = require.words.iter().skip(1).cloned().collect();
    let joined = said.join(" ");
    let line = words(&require.words.join(" "));
    let split = said.len() > 1 && line.len() == require.words.len();
    let is_group = |name: &String| groups::unknown(configuration, std::slice::from_ref(name));
    let conditions = match hallpass_core::Conditions::parse(&said, &[]) {
        Ok(conditions) => conditions,
        // One such word, and the whole line is refused.
        Err(invalid) => {
            return Some(Finding::problem(
                "host-question",
                require.at(),
                format!(
                    "{joined:?} has a word that is not a condition: nobody gets in by this line"
                ),
                invalid.to_string(),
            ));
        }
    };
    let listed = groups::of(&conditions);
    if split && !groups::unknown(configuration, &listed).is_empty() && is_group(&joined).is_empty()
    {
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
