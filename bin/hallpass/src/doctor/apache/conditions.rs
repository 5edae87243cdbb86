//! Decides what Apache does while it reads its configuration: which sections apply, and the value
//! of `${NAME}` (`Define`, core; `ap_resolve_env` of server/util.c).

use std::collections::BTreeMap;
use std::path::Path;

use super::modules::Modules;
use crate::doctor::directives::Directive;

/// Modules that are part of Debian's program itself.
const BUILT_IN: [&str; 8] = [
    "core",
    "http_core",
    "log_config",
    "logio",
    "so",
    "unixd",
    "version",
    "watchdog",
];

/// No release of 2.4 is newer: a condition on an earlier one counts as an old release's.
const NEWEST: [u64; 3] = [2, 4, u64::MAX];

/// The longest line after `${NAME}` is expanded: values contain values, and each could be twice as
/// long as the one before.
const LONGEST: usize = 64 * 1024;

/// The definitions so far.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    /// By `Define`, and by -D on the command line; few have a value.
    defined: BTreeMap<String, Option<String>>,
    /// The environment that Apache is started in.
    environment: BTreeMap<String, String>,
    modules: Modules,
}

impl Conditions {
    /// The variables that Debian sets where it starts Apache: in `envvars`, beside the
    /// configuration. `text` is a shell script; values that the shell computes are skipped.
    pub fn started_by(text: &str) -> Self {
        let mut conditions = Self::default();
        for line in text.lines() {
            let words = shlex::split(line).unwrap_or_default();
            let words = words.iter().map(String::as_str);
            for word in words.skip_while(|word| *word == "export") {
                if let Some((name, value)) = word.split_once('=')
                    && !value.contains(['$', '`'])
                {
                    let value = value.to_owned();
                    conditions.environment.insert(name.to_owned(), value);
                }
            }
        }
        let arguments = conditions.environment.get("APACHE_ARGUMENTS");
        let words = arguments
            .and_then(|it| shlex::split(it))
            .unwrap_or_default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let name = match word.strip_prefix("-D") {
                Some("") => words.next().map(String::as_str),
                name => name,
            };
            if let Some(name) = name {
                conditions.defined.insert(name.to_owned(), None);
            }
        }
        conditions
    }

    /// Applies `directive`.
    pub fn heed(&mut self, directive: &Directive) {
        let name = directive.word(0);
        if directive.is("Define") {
            let value = directive.words.get(1).cloned();
            self.defined.insert(name.to_owned(), value);
        } else if directive.is("UnDefine") {
            self.defined.remove(name);
        } else if directive.is("LoadModule") {
            self.modules.load(directive);
        }
    }

    /// The modules that have been loaded.
    pub fn modules(&self) -> &Modules {
        &self.modules
    }

    /// Whether the inside of `section` is read; `None` where Apache reads it in any case.
    pub fn admit(&self, section: &Directive, server_root: &Path) -> Option<bool> {
        let (wanted, not) = match section.word(0).strip_prefix('!') {
            Some(wanted) => (wanted, true),
            None => (section.word(0), false),
        };
        let so = match () {
            () if section.is("IfDefine") => self.defined.contains_key(wanted),
            () if section.is("IfModule") => self.has(wanted),
            () if section.is("IfFile") => server_root.join(wanted).exists(),
            () if section.is("IfVersion") => is_of_version(wanted, section.word(1)),
            () => return None,
        };
        Some(so != not)
    }

    /// Whether a module is loaded, named as `<IfModule>` names it.
    fn has(&self, wanted: &str) -> bool {
        let name = wanted.trim_start_matches("mod_").trim_end_matches(".c");
        let name = name.trim_end_matches("_module");
        BUILT_IN.contains(&name) || self.modules.has(name)
    }

    /// `text` with each `${NAME}` replaced by its value; one without a value, or with too long a
    /// one, is left as it is.
    pub fn resolve(&self, text: &str) -> String {
        let mut resolved = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            resolved.push_str(before);
            let (name, after) = match after.split_once('}') {
                Some(both) => both,
                None => return resolved + "${" + after,
            };
            let defined = self.defined.get(name).and_then(Option::as_ref);
            match defined.or_else(|| self.environment.get(name)) {
                Some(value) if resolved.len() + value.len() <= LONGEST => {
                    resolved.push_str(value);
                }
                _ => resolved.extend(["${", name, "}"]),
            }
            rest = after;
        }
        resolved + rest
    }
}

/// `<IfVersion>`, of the newest 2.4. Without an operator, or with a regular expression, it counts
/// as met.
fn is_of_version(operator: &str, version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    let asked = [0; 3].map(|none: u64| parts.next().unwrap_or(none));
    match operator {
        ">" => NEWEST > asked,
        ">=" => NEWEST >= asked,
        "<" => NEWEST < asked,
        "<=" => NEWEST <= asked,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directive(name: &str, words: &[&str]) -> Directive {
        Directive {
            name: name.to_owned(),
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            file: "/x.conf".into(),
            line: 1,
            inside: Vec::new(),
        }
    }

    fn admits(conditions: &Conditions, section: &str) -> Option<bool> {
        let words: Vec<&str> = section.split(' ').collect();
        let (name, words) = words.split_first().unwrap();
        conditions.admit(&directive(name, words), Path::new("/"))
    }

    #[test]
    fn what_is_started_with_counts() {
        let conditions = Conditions::started_by(
            "# export APACHE_ARGUMENTS='-D COMMENT'\nunset HOME\nSUFFIX=\n\
             export APACHE_RUN_USER=www-data\nexport APACHE_RUN_DIR=/run/apache2$SUFFIX\n\
             export APACHE_ARGUMENTS='-D SSL -DTEST'\nexport LANG='open",
        );
        for (section, admitted) in [
            ("IfDefine SSL", true),
            ("ifdefine TEST", true),
            ("IfDefine !TEST", false),
            ("IfDefine COMMENT", false),
            ("IfDefine !COMMENT", true),
            ("IfDefine ssl", false),
        ] {
            assert_eq!(admits(&conditions, section), Some(admitted), "{section}");
        }
        for (text, resolved) in [
            ("${APACHE_RUN_USER}", "www-data"),
            (
                "a${APACHE_RUN_USER}b${APACHE_RUN_USER}",
                "awww-databwww-data",
            ),
            ("${APACHE_RUN_DIR}/x", "${APACHE_RUN_DIR}/x"),
            ("${SSL} ${}", "${SSL} ${}"),
            (
                "%{APACHE_RUN_USER} $1 ${open",
                "%{APACHE_RUN_USER} $1 ${open",
            ),
        ] {
            assert_eq!(conditions.resolve(text), resolved, "{text}");
        }
    }

    #[test]
    fn what_is_said_counts_from_there_on() {
        let mut conditions = Conditions::default();
        assert_eq!(admits(&conditions, "IfDefine A"), Some(false));
        conditions.heed(&directive("Define", &["A", "b c"]));
        assert_eq!(admits(&conditions, "IfDefine A"), Some(true));
        assert_eq!(conditions.resolve("${A}"), "b c");
        conditions.heed(&directive("undefine", &["A"]));
        assert_eq!(admits(&conditions, "IfDefine A"), Some(false));
        assert_eq!(conditions.resolve("${A}"), "${A}");
    }

    #[test]
    fn values_made_of_values_do_not_grow_without_end() {
        let mut conditions = Conditions::default();
        conditions.heed(&directive("Define", &["A0", "0123456789"]));
        for level in 1..64 {
            let twice = conditions.resolve(&format!("${{A{0}}}${{A{0}}}", level - 1));
            conditions.heed(&directive("Define", &[&format!("A{level}"), &twice]));
        }
        let last = conditions.resolve("${A63}");
        assert!(last.len() <= LONGEST, "{}", last.len());
        assert_eq!(conditions.resolve("${A1}"), "01234567890123456789");
    }

    #[test]
    fn modules_versions_and_files() {
        let mut conditions = Conditions::default();
        conditions.heed(&directive("LoadModule", &["ssl_module", "mod_ssl.so"]));
        for (section, admitted) in [
            ("IfModule mod_ssl.c", Some(true)),
            ("IfModule ssl_module", Some(true)),
            ("IfModule !ssl_module", Some(false)),
            ("IfModule mod_rewrite.c", Some(false)),
            ("IfModule !mod_rewrite.c", Some(true)),
            ("IfModule mod_so.c", Some(true)),
            ("IfModule core.c", Some(true)),
            ("IfModule http_core.c", Some(true)),
            ("IfVersion >= 2.4", Some(true)),
            ("IfVersion < 2.4", Some(false)),
            ("IfVersion !< 2.4", Some(true)),
            ("IfVersion < 2.3.9", Some(false)),
            ("IfVersion > 2.4.50", Some(true)),
            ("IfVersion <= 3", Some(true)),
            ("IfVersion > 3", Some(false)),
            ("IfVersion ~ ^2.4", Some(true)),
            ("IfFile /nowhere/at/all", Some(false)),
            ("IfFile !/nowhere/at/all", Some(true)),
            ("IfFile etc", Some(true)),
            ("If true", None),
            ("Location /", None),
        ] {
            assert_eq!(admits(&conditions, section), admitted, "{section}");
        }
    }
}
