//! Reads a Devise model and Devise's initializer: what closes an account, and how names are looked up.

use anyhow::bail;

use super::application::Application;
use super::ruby::{Ruby, Source, named};
use super::text;
use crate::init::Page;

/// The modules that are honoured, or let in nobody else than Devise itself does.
const KNOWN: [&str; 9] = [
    "database_authenticatable",
    "registerable",
    "recoverable",
    "rememberable",
    "trackable",
    "validatable",
    "confirmable",
    "lockable",
    "timeoutable",
];
/// Methods of Devise's that a model may replace, and that say who is let in.
const RULES: [&str; 10] = [
    "authenticatable_salt",
    "valid_password?",
    "valid_for_authentication?",
    "access_locked?",
    "lock_expired?",
    "confirmed?",
    "confirmation_required?",
    "timeout_in",
    "timedout?",
    "find_for_database_authentication",
];
/// More of them.
const FINDERS: [&str; 4] = [
    "find_for_authentication",
    "find_first_by_auth_conditions",
    "serialize_from_session",
    "serialize_into_session",
];

/// Those that say who is remembered.
const REMEMBERING: [&str; 4] = [
    "rememberable_value",
    "remember_me?",
    "remember_token",
    "serialize_from_cookie",
];

/// A model, and what Devise is told of it.
pub(super) struct Model {
    name: String,
    source: Source,
    modules: Vec<String>,
}

impl Model {
    pub(super) fn read(application: &Application, scope: &str) -> anyhow::Result<Self> {
        let file = application.root.join(format!("app/models/{scope}.rb"));
        if !file.is_file() {
            bail!(
                "there is no {}: name the Devise model with --scope",
                file.display()
            );
        }
        let source = Source::new(&text(&file)?);
        let Some(arguments) = source.called("devise") else {
            bail!(
                "{} does not call devise: name the model with --scope",
                file.display()
            );
        };
        let mut modules = Vec::new();
        for argument in arguments.iter().filter(|argument| argument.name.is_none()) {
            match &argument.value {
                Ruby::Symbol(name) => modules.push(name.clone()),
                other => bail!(
                    "{} calls devise with {other:?}, which only Ruby can read",
                    file.display()
                ),
            }
        }
        Ok(Self {
            name: file.display().to_string(),
            source,
            modules,
        })
    }

    fn is(&self, module: &str) -> bool {
        self.modules.iter().any(|it| it == module)
    }

    /// Refuses what no configuration can express. `has_condition`: the operator has said what
    /// `active_for_authentication?` asks for.
    pub(super) fn check(&self, has_condition: bool) -> anyhow::Result<()> {
        let name = &self.name;
        let unknown =
            |module: &&String| !KNOWN.contains(&module.as_str()) && *module != "omniauthable";
        if let Some(module) = self.modules.iter().find(unknown) {
            bail!(
                "{name} has the module :{module}, whose rules are not known here: sessions can be asked \
                 of the site itself, with session_source = \"http\" and [access] passwords = false"
            );
        }
        let replaces = |method: &str| {
            self.source.has(&format!("def {method}"))
                || self.source.has(&format!("def self.{method}"))
        };
        if let Some(method) = RULES.iter().chain(&FINDERS).find(|it| replaces(it)) {
            bail!(
                "{name} replaces Devise's {method}, which says who is let in: no configuration can \
                 express what it does"
            );
        }
        if replaces("active_for_authentication?") && !has_condition {
            bail!(
                "{name} replaces active_for_authentication?, which says whose account is open: say what \
                 it asks for beside Devise's own rules with --where, as in --where 'deleted_at IS NULL'"
            );
        }
        if self.source.has("default_scope") {
            bail!(
                "{name} has a default_scope, which hides accounts: say which are left with --where, \
                   and take the line out of a copy of the application for `hallpass init`"
            );
        }
        Ok(())
    }

    /// What the model is told itself, or the initializer.
    fn setting(&self, application: &Application, name: &str) -> Option<Ruby> {
        let own = self.source.called("devise");
        let own = own.as_deref().and_then(|it| named(it, name).cloned());
        let value = own.or_else(|| application.assigned(&format!("config.{name}")))?;
        Some(application.resolved(value))
    }

    pub(super) fn write(
        &self,
        page: &mut Page,
        application: &Application,
        scope: &str,
    ) -> anyhow::Result<()> {
        page.string("scope", scope, "the name of the model");
        let table = match self.source.assigned("table_name") {
            None => plural(scope),
            Some(Ruby::Text(table)) => table,
            Some(_) => bail!("{} has a table_name that only Ruby can read", self.name),
        };
        page.string("user_table", &table, "the model's table");
        if !self.is("database_authenticatable") {
            page.warn("the model has no passwords: write [access] passwords = false");
        }
        match self.setting(application, "pepper") {
            None | Some(Ruby::Nil) => {}
            Some(Ruby::Text(pepper)) => {
                page.secret("pepper", "pepper", pepper.as_bytes(), "config.pepper");
            }
            Some(_) => bail!(
                "config.pepper is code that only Ruby can run: give the variable that it reads with \
                 --env-file, or write it as a text"
            ),
        }
        let keys = self.list(application, "authentication_keys", &["email"])?;
        let [key] = keys.as_slice() else {
            bail!(
                "authentication_keys are {}: names are looked for in one column here",
                keys.join(", ")
            );
        };
        page.string("username_column", key, "authentication_keys");
        for name in ["case_insensitive_keys", "strip_whitespace_keys"] {
            let keys = self.list(application, name, &["email"])?;
            page.strings(name, keys.iter().map(String::as_str), name);
        }
        self.write_remembered(page, application)?;
        self.write_times(page, application)
    }

    /// What lets in a remembered login.
    fn write_remembered(&self, page: &mut Page, application: &Application) -> anyhow::Result<()> {
        let replaces = |method: &&&str| {
            self.source.has(&format!("def {method}"))
                || self.source.has(&format!("def self.{method}"))
        };
        let replaced = REMEMBERING.iter().find(replaces);
        if let Some(method) = replaced {
            let name = &self.name;
            page.warn(&format!(
                "{name} replaces Devise's {method}: the cookie of a remembered login is not read"
            ));
        }
        let remembers = self.is("rememberable") && replaced.is_none();
        page.boolean("rememberable", remembers, "a module of the model");
        if !remembers {
            return Ok(());
        }
        if let Some(value) = self.setting(application, "remember_for") {
            self.duration(page, "remember_for", &value)?;
        }
        match self.setting(application, "rememberable_options") {
            None | Some(Ruby::Nil) => {}
            Some(_) => page.warn(
                "config.rememberable_options is not read: where it has a key, write it as \
                 remember_cookie_name",
            ),
        }
        let digest = application.assigned("config.action_dispatch.signed_cookie_digest");
        match digest.map(|value| application.resolved(value)) {
            None | Some(Ruby::Nil) => {}
            Some(Ruby::Text(word)) => page.string(
                "signed_cookie_digest",
                &word.to_ascii_uppercase(),
                "config.action_dispatch",
            ),
            Some(_) => bail!("signed_cookie_digest is not a text that can be read"),
        }
        Ok(())
    }

    fn write_times(&self, page: &mut Page, application: &Application) -> anyhow::Result<()> {
        let name = "allow_unconfirmed_access_for";
        let access = self.setting(application, name);
        // Under nil an account need not be confirmed.
        let confirmable = self.is("confirmable") && access != Some(Ruby::Nil);
        page.boolean("confirmable", confirmable, "a module of the model");
        if let (true, Some(value)) = (confirmable, access) {
            self.duration(page, name, &value)?;
        }
        page.boolean("lockable", self.is("lockable"), "a module of the model");
        if self.is("lockable") {
            let strategy = self.setting(application, "unlock_strategy");
            match strategy {
                Some(Ruby::Symbol(word)) if word == "email" || word == "none" => {}
                None | Some(Ruby::Symbol(_)) => {
                    let value = self.setting(application, "unlock_in");
                    let value = value.unwrap_or(Ruby::Duration(3600));
                    self.duration(page, "unlock_in", &value)?;
                }
                Some(_) => bail!("unlock_strategy is not a symbol that can be read"),
            }
        }
        if self.is("timeoutable") {
            let value = self.setting(application, "timeout_in");
            let value = value.unwrap_or(Ruby::Duration(1800));
            if value != Ruby::Nil {
                self.duration(page, "timeout_in", &value)?;
            }
        }
        Ok(())
    }

    fn duration(&self, page: &mut Page, name: &str, value: &Ruby) -> anyhow::Result<()> {
        let (Ruby::Duration(seconds) | Ruby::Number(seconds)) = value else {
            bail!("{name} is code that only Ruby can run: write it as in 30.minutes");
        };
        page.string(name, &format!("{seconds}s"), name);
        Ok(())
    }

    fn list(
        &self,
        application: &Application,
        name: &str,
        usual: &[&str],
    ) -> anyhow::Result<Vec<String>> {
        let Some(value) = self.setting(application, name) else {
            return Ok(usual.iter().map(|it| (*it).to_owned()).collect());
        };
        let Ruby::List(values) = value else {
            bail!("{name} is not a list that can be read");
        };
        let word = |value: Ruby| match value {
            Ruby::Symbol(word) | Ruby::Text(word) => Ok(word),
            _ => bail!("{name} is not a list that can be read"),
        };
        values.into_iter().map(word).collect()
    }
}

/// The table of a model, as Rails calls it in the common cases.
fn plural(scope: &str) -> String {
    match scope.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{stem}ies"),
        _ if scope.ends_with(['s', 'x']) || scope.ends_with("ch") || scope.ends_with("sh") => {
            format!("{scope}es")
        }
        _ => format!("{scope}s"),
    }
}
