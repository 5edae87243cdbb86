//! Reads an application's own settings: its release, its secret, its session store.

use std::path::{Path, PathBuf};

use anyhow::bail;
use hallpass_sessions::rails::open_credentials;
use zeroize::Zeroizing;

use super::ruby::{Argument, Ruby, Source, named};
use super::{Variables, text, yaml};
use crate::init::Page;
use crate::init::url::without_user;

/// An application's files.
pub(super) struct Application {
    pub(super) root: PathBuf,
    pub(super) environment: String,
    pub(super) variables: Variables,
    /// `config/application.rb`
    pub(super) own: Source,
    /// All settings that are Ruby, in the order in which Rails reads them: the application's, the
    /// environment's, the initializers'.
    pub(super) settings: Vec<Source>,
    /// The release of Rails in Gemfile.lock.
    release: Option<String>,
}

impl Application {
    pub(super) fn read(
        root: &Path,
        environment: &str,
        variables: Variables,
    ) -> anyhow::Result<Self> {
        let config = root.join("config");
        let file = config.join("application.rb");
        let own = Source::new(&text(&file)?);
        let mut settings = vec![Source::new(&text(&file)?)];
        let mut files = vec![config.join(format!("environments/{environment}.rb"))];
        if let Ok(entries) = std::fs::read_dir(config.join("initializers")) {
            let mut found: Vec<PathBuf> = entries
                .filter_map(|entry| Some(entry.ok()?.path()))
                .filter(|path| path.extension().is_some_and(|ending| ending == "rb"))
                .collect();
            found.sort();
            files.extend(found);
        }
        for file in files.iter().filter(|file| file.is_file()) {
            settings.push(Source::new(&text(file)?));
        }
        let lock = root.join("Gemfile.lock");
        let release = match lock.is_file() {
            true => text(&lock)?.lines().find_map(release),
            false => None,
        };
        Ok(Self {
            root: root.to_owned(),
            environment: environment.to_owned(),
            variables,
            own,
            settings,
            release,
        })
    }

    /// What is assigned last to `name`, as in `config.pepper`.
    pub(super) fn assigned(&self, name: &str) -> Option<Ruby> {
        let found = |source: &Source| source.assigned(name);
        self.settings.iter().filter_map(found).next_back()
    }

    /// What an environment variable says that `value` is read from, or `value` itself.
    pub(super) fn resolved(&self, value: Ruby) -> Ruby {
        let Ruby::Code(code) = &value else {
            return value;
        };
        let name = ["ENV['", "ENV[\"", "ENV.fetch('", "ENV.fetch(\""]
            .iter()
            .find_map(|start| code.strip_prefix(start)?.split(['\'', '"']).next());
        let found = name.and_then(|name| self.variables.get(name));
        found.map_or(value.clone(), |text| Ruby::Text(text.to_owned()))
    }

    fn called(&self, name: &str) -> Option<Vec<Argument>> {
        let found = |source: &Source| source.called(name);
        self.settings.iter().filter_map(found).next_back()
    }

    /// The number of `config.load_defaults`.
    fn defaults(&self) -> Option<String> {
        let arguments = self.own.called("config.load_defaults")?;
        match &arguments.first()?.value {
            Ruby::Code(number) => Some(number.clone()),
            Ruby::Text(number) => Some(number.clone()),
            _ => None,
        }
    }

    /// Writes the release, what keys are derived with, and how cookies are written.
    pub(super) fn write_version(&self, page: &mut Page) -> anyhow::Result<()> {
        let defaults = self.defaults();
        let Some(version) = self.release.clone().or_else(|| defaults.clone()) else {
            bail!(
                "neither Gemfile.lock nor config.load_defaults in config/application.rb says which \
                 Rails this is"
            );
        };
        page.string("version", &version, "Gemfile.lock, or config.load_defaults");
        let since = |major: u32, minor: u32| {
            let defaults = defaults.as_deref().and_then(numbers);
            defaults.is_some_and(|defaults| defaults >= (major, minor))
        };
        let digest = match self.assigned("key_generator_hash_digest_class") {
            Some(Ruby::Code(class)) if class.ends_with("SHA1") => "SHA1",
            Some(Ruby::Code(class)) if class.ends_with("SHA256") => "SHA256",
            None if since(7, 0) => "SHA256",
            None => "SHA1",
            Some(_) => bail!("key_generator_hash_digest_class is neither SHA1 nor SHA256"),
        };
        page.string(
            "key_generator_hash_digest_class",
            digest,
            "config.active_support, or what config.load_defaults says",
        );
        let serializer = match self.assigned("cookies_serializer") {
            Some(Ruby::Symbol(word)) => word,
            None if since(7, 0) => "json".to_owned(),
            None => "marshal".to_owned(),
            Some(_) => bail!("cookies_serializer is not a symbol that can be read"),
        };
        if !["json", "hybrid", "json_allow_marshal", "marshal"].contains(&serializer.as_str()) {
            bail!(
                "cookies_serializer is {serializer}, which is not read here: set it to :json, or leave \
                 sessions to `session_source = \"http\"`"
            );
        }
        let comment = "config.action_dispatch, or what config.load_defaults says";
        page.string("cookies_serializer", &serializer, comment);
        Ok(())
    }

    /// Writes where sessions are.
    pub(super) fn write_sessions(&self, page: &mut Page) -> anyhow::Result<()> {
        let arguments = self.called("session_store").unwrap_or_default();
        let store = match arguments.first().map(|first| &first.value) {
            None => "cookie_store",
            Some(Ruby::Symbol(store)) => store,
            Some(_) => bail!("config.session_store is not a symbol that can be read"),
        };
        let key = match named(&arguments, "key")
            .cloned()
            .map(|key| self.resolved(key))
        {
            Some(Ruby::Text(key)) => Some(key),
            None => None,
            Some(_) => bail!("the key of config.session_store is not a text that can be read"),
        };
        match store {
            "cookie_store" => {
                let key = match key.or_else(|| self.usual_cookie()) {
                    Some(key) => key,
                    None => bail!("config/application.rb does not say what its module is called"),
                };
                page.string("session_cookie_name", &key, "key of config.session_store");
                self.write_secret(page, &self.root.join("config"))?;
            }
            "active_record_store" => {
                page.string("session_store", "active_record", "config.session_store");
                self.write_signing_secret(page)?;
                let key = key.unwrap_or_else(|| "_session_id".to_owned());
                page.string("session_cookie_name", &key, "key of config.session_store");
            }
            "redis_session_store" | "redis_store" => {
                page.string("session_store", "redis", "config.session_store");
                self.write_signing_secret(page)?;
                let key = key.unwrap_or_else(|| "_session_id".to_owned());
                page.string("session_cookie_name", &key, "key of config.session_store");
                self.write_redis(page, store, &arguments)?;
            }
            store => page.warn(&format!(
                "sessions are in {store}, which is not read here: no session lets in. Ask the site \
                 itself with session_source = \"http\""
            )),
        }
        Ok(())
    }

    /// What Rails calls the cookie of an application that does not say
    /// (`config.session_store` of application/finisher.rb, 6.1).
    fn usual_cookie(&self) -> Option<String> {
        let module = |line: &str| Some(line.strip_prefix("module ")?.trim().to_owned());
        let name = self.own.statements().find_map(module)?;
        let mut key = String::from("_");
        let mut before = ' ';
        let mut letters = name.chars().peekable();
        while let Some(letter) = letters.next() {
            let next_is_lower = letters.peek().is_some_and(char::is_ascii_lowercase);
            let starts_word = letter.is_ascii_uppercase()
                && (before.is_ascii_lowercase()
                    || before.is_ascii_digit()
                    || (before.is_ascii_uppercase() && next_is_lower));
            if starts_word {
                key.push('_');
            }
            key.push(letter.to_ascii_lowercase());
            before = letter;
        }
        Some(format!("{key}_session"))
    }

    fn write_redis(
        &self,
        page: &mut Page,
        store: &str,
        arguments: &[Argument],
    ) -> anyhow::Result<()> {
        let servers = named(arguments, "servers").cloned();
        let url = match servers.or_else(|| named(arguments, "url").cloned()) {
            Some(Ruby::List(servers)) => servers.into_iter().next(),
            other => other,
        };
        let url = url.map(|url| self.resolved(url));
        let Some(Ruby::Text(url)) = url.filter(|_| store == "redis_store") else {
            page.warn(
                "where its Redis is, and what stands before a session's id there, is not a literal: \
                 write cache = \"redis://…\" and session_prefix, or no session is found",
            );
            page.string(
                "cache",
                "redis://127.0.0.1:6379/0",
                "NOT READ FROM THE SITE",
            );
            return Ok(());
        };
        // `redis://host/0/namespace`
        let (address, user) = without_user(&url);
        let parts: Vec<&str> = address.splitn(5, '/').collect();
        let (place, namespace) = match parts.as_slice() {
            [scheme, "", host, database, namespace] => {
                (format!("{scheme}//{host}/{database}"), *namespace)
            }
            _ => (address.clone(), ""),
        };
        if !namespace.is_empty() {
            let prefix = format!("{namespace}:");
            page.string("session_prefix", &prefix, "the namespace, and a colon");
        }
        match user.password {
            None => page.string("cache", &place, "servers of config.session_store"),
            Some(password) => {
                page.table("rails.cache", "servers of config.session_store");
                page.string("url", &place, "the server and its database");
                page.secret("password", "redis_password", &password, "and its password");
            }
        }
        Ok(())
    }

    /// Writes `secret_key_base`, of `config` or of what Rails falls back to
    /// (`Rails::Application#secret_key_base`, 5.2 to 8.1).
    pub(super) fn write_secret(&self, page: &mut Page, config: &Path) -> anyhow::Result<()> {
        match self.secret(config)? {
            Some(secret) => page.secret(
                "secret_key_base",
                "secret_key_base",
                secret.as_bytes(),
                "seals the site's cookies",
            ),
            None => page.warn(
                "secret_key_base was not found, so that no session lets in: write it here, as \
                 secret_key_base = { file = \"…\" }, or give --env-file",
            ),
        }
        Ok(())
    }

    /// Writes `secret_key_base`, where it is found, for the cookie of a remembered login alone.
    fn write_signing_secret(&self, page: &mut Page) -> anyhow::Result<()> {
        if let Some(secret) = self.secret(&self.root.join("config"))? {
            let comment = "signs the cookie of a remembered login";
            let name = "secret_key_base";
            page.secret(name, name, secret.as_bytes(), comment);
        }
        Ok(())
    }

    fn secret(&self, config: &Path) -> anyhow::Result<Option<Zeroizing<String>>> {
        if let Some(secret) = self.variables.get("SECRET_KEY_BASE") {
            return Ok(Some(secret.to_owned().into()));
        }
        if let Some(value) = self
            .assigned("config.secret_key_base")
            .map(|it| self.resolved(it))
            && let Ruby::Text(secret) = value
        {
            return Ok(Some(secret.into()));
        }
        let environment = &self.environment;
        for (sealed, key) in [
            (
                format!("credentials/{environment}.yml.enc"),
                format!("credentials/{environment}.key"),
            ),
            ("credentials.yml.enc".to_owned(), "master.key".to_owned()),
        ] {
            let (sealed, key) = (config.join(sealed), config.join(key));
            if !sealed.is_file() {
                continue;
            }
            let key = match self.variables.get("RAILS_MASTER_KEY") {
                Some(key) => Zeroizing::new(key.to_owned()),
                None if key.is_file() => text(&key)?,
                None => continue,
            };
            let Some(opened) = open_credentials(&text(&sealed)?, &key) else {
                bail!("the master key does not open {}", sealed.display());
            };
            let opened = Zeroizing::new(String::from_utf8_lossy(&opened).into_owned());
            let secrets = yaml::read(&opened)?;
            if let Some(secret) = secrets.text("secret_key_base") {
                return Ok(Some(secret.to_owned().into()));
            }
        }
        let file = config.join("secrets.yml");
        if file.is_file() {
            let secrets = yaml::read(&self.expanded(&text(&file)?))?;
            let of_environment = secrets.get(environment);
            if let Some(secret) = of_environment.and_then(|it| it.text("secret_key_base"))
                && !secret.contains(NOT_READ)
            {
                return Ok(Some(secret.to_owned().into()));
            }
        }
        Ok(None)
    }

    /// `template` with what ERB makes of environment variables in it; what else stands there becomes
    /// [`NOT_READ`].
    pub(super) fn expanded(&self, template: &str) -> Zeroizing<String> {
        let mut expanded = Zeroizing::new(String::with_capacity(template.len()));
        let mut rest = template;
        while let Some((before, after)) = rest.split_once("<%") {
            expanded.push_str(before);
            let (code, after) = after.split_once("%>").unwrap_or((after, ""));
            if let Some(code) = code.strip_prefix('=') {
                expanded.push_str(&self.erb(code.trim_end_matches('-').trim()));
            }
            rest = after;
        }
        expanded.push_str(rest);
        expanded
    }

    /// `ENV["A"]`, `ENV.fetch("A")`, `ENV.fetch("A", "b")` and `ENV.fetch("A") { "b" }`.
    fn erb(&self, code: &str) -> String {
        if let Ruby::Text(text) = self.resolved(Ruby::Code(code.to_owned())) {
            return text;
        }
        let fallback =
            code.strip_prefix("ENV.fetch(")
                .and_then(|rest| match rest.split_once('{') {
                    Some((_, block)) => block.trim().strip_suffix('}'),
                    None => rest
                        .split_once(',')
                        .and_then(|(_, value)| value.trim().strip_suffix(')')),
                });
        match fallback.map(super::ruby::read) {
            Some(Ruby::Text(text)) => text,
            Some(Ruby::Number(number)) => number.to_string(),
            // A variable that the site is started with may be any.
            None | Some(_) => NOT_READ.to_owned(),
        }
    }
}

/// What stands for code that only Ruby can run.
pub(super) const NOT_READ: &str = "<% code %>";

/// The release in a line of Gemfile.lock: `    rails (6.1.7)`.
fn release(line: &str) -> Option<String> {
    let version = line.strip_prefix("    ")?;
    let version = version
        .strip_prefix("rails (")
        .or_else(|| version.strip_prefix("railties ("))?;
    let version = version.strip_suffix(')')?;
    let (major, minor) = numbers(version)?;
    Some(format!("{major}.{minor}"))
}

fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??))
}
