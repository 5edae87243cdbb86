//! Builds the configuration of a Redmine.

use anyhow::bail;

use super::application::Application;
use super::database;
use super::ruby::{Ruby, Source, named};
use crate::init::Page;

/// Writes what the Redmine of `application` says. Debian's has several instances, each with a
/// directory of its own.
pub(super) fn write(
    page: &mut Page,
    application: &Application,
    instance: &str,
) -> anyhow::Result<()> {
    let root = &application.root;
    page.note(&format!("The Redmine in {}.", root.display()));
    page.note("Roles in projects are not read: groups are, and administrators are superusers.");
    page.blank();
    page.string("framework", "rails", "see docs/rails.md for all keys");
    let is_debians = root.join("config/multitenancy_environment.rb").is_file();
    let config = match is_debians {
        true => root.join("instances").join(instance).join("config"),
        false => root.join("config"),
    };
    database::write(page, application, &config.join("database.yml"))?;
    page.table("rails", "Redmine's own");
    page.string("preset", "redmine", "its accounts, groups and tokens");
    let verifies = |source: &Source| source.assigned("redmine_verify_sessions");
    let verifies = application.settings.iter().filter_map(verifies).next_back();
    if verifies == Some(Ruby::Truth(false)) {
        bail!(
            "config.redmine_verify_sessions is false, so that sessions are good without a token: that is \
             not read here"
        );
    }
    if root
        .join("plugins")
        .read_dir()
        .is_ok_and(|mut it| it.any(|it| it.is_ok_and(|it| it.path().is_dir())))
    {
        page.warn(
            "there are plug-ins, whose code is not read: where one changes who may log in, leave \
             passwords and sessions to the site itself",
        );
    }
    let store = application
        .settings
        .iter()
        .filter_map(|it| it.called("session_store"))
        .next_back();
    let store = store.unwrap_or_default();
    match store.first().map(|first| &first.value) {
        None => {}
        Some(Ruby::Symbol(store)) if store == "cookie_store" => {}
        Some(_) => {
            bail!("config.session_store is not :cookie_store, and sessions elsewhere are not read")
        }
    }
    // Debian's environment calls the cookie after the module (config/multitenancy_environment.rb).
    let key = match (is_debians, named(&store, "key")) {
        (true, _) => "Redmine",
        (false, Some(Ruby::Text(key))) => key,
        (false, None) => "_redmine_session",
        (false, Some(_)) => bail!("the key of config.session_store is not a text that can be read"),
    };
    page.string("session_cookie_name", key, "key of config.session_store");
    let secret = config.join("secret_key.txt");
    if is_debians && secret.is_file() {
        let text = super::text(&secret)?;
        let comment = "secret_key.txt, which seals the site's cookies";
        page.secret(
            "secret_key_base",
            "secret_key_base",
            text.trim().as_bytes(),
            comment,
        );
        return Ok(());
    }
    application.write_secret(page, &config)
}
