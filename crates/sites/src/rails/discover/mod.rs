//! Builds the configuration of a Rails site from its own files. Ruby is not run.

mod application;
mod database;
mod devise;
mod redmine;
mod ruby;
mod yaml;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use zeroize::Zeroizing;

use self::application::Application;
use crate::init::{Page, environment};

/// The longest file that is read, in bytes.
const LONGEST: u64 = 1 << 20;

/// Of a Rails site with Devise, or a Redmine, by reading its config directory
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hallpass init rails /srv/shop
  hallpass init rails /srv/shop --env-file /etc/shop/env --where 'deleted_at IS NULL'
  hallpass init rails /usr/share/redmine --instance default")]
pub(super) struct DiscoverRails {
    /// The application's directory, which has config in it
    path: PathBuf,
    /// RAILS_ENV of the site
    #[arg(long, value_name = "NAME", default_value = "production")]
    environment: String,
    /// A file of environment variables that the site is started with
    #[arg(long, value_name = "FILE")]
    env_file: Vec<PathBuf>,
    /// Warden's scope: the name of the Devise model in the singular
    #[arg(long, value_name = "NAME", default_value = "user")]
    scope: String,
    /// What the model's active_for_authentication? asks for, in SQL: becomes `[access] where`
    #[arg(long = "where", value_name = "SQL")]
    account_where: Option<String>,
    /// The instance of Debian's Redmine (REDMINE_INSTANCE)
    #[arg(long, value_name = "NAME", default_value = "default")]
    instance: String,
}

/// The environment variables of a site.
struct Variables(Vec<(String, Zeroizing<String>)>);

impl Variables {
    fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().rev().find(|(found, _)| found == name);
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }
}

/// Reads the application at the path, and writes what it says.
pub(super) fn write(page: &mut Page, options: &DiscoverRails) -> anyhow::Result<()> {
    let root = std::path::absolute(&options.path).context("cannot tell where the site is")?;
    if !root.join("config").is_dir() {
        bail!("there is no config directory in {}", root.display());
    }
    let mut variables = Vec::new();
    for name in [".env".to_owned(), format!(".env.{}", options.environment)] {
        let file = root.join(name);
        if file.is_file() {
            variables.extend(environment::read(&file)?);
        }
    }
    for file in &options.env_file {
        variables.extend(environment::read(file)?);
    }
    let application = Application::read(&root, &options.environment, Variables(variables))?;
    if application.own.has("module RedmineApp") {
        return redmine::write(page, &application, &options.instance);
    }
    page.note(&format!("The Rails site in {}.", root.display()));
    page.blank();
    page.string("framework", "rails", "see docs/rails.md for all keys");
    let file = root.join("config/database.yml");
    database::write(page, &application, &file)?;
    page.table("rails", "Rails' and Devise's own names");
    application.write_version(page)?;
    let model = devise::Model::read(&application, &options.scope)?;
    model.check(options.account_where.is_some())?;
    model.write(page, &application, &options.scope)?;
    // A cache's password opens a table of its own.
    application.write_sessions(page)?;
    if let Some(condition) = &options.account_where {
        page.table("access", "who gets in");
        page.string(
            "where",
            condition,
            "what active_for_authentication? asks for",
        );
    }
    Ok(())
}

/// The text of the file at `path`.
fn text(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    use std::io::Read;

    let doing = || format!("cannot read {}", path.display());
    let file = std::fs::File::open(path).with_context(doing)?;
    let mut text = Zeroizing::new(String::new());
    file.take(LONGEST + 1)
        .read_to_string(&mut text)
        .with_context(doing)?;
    if text.len() as u64 > LONGEST {
        bail!("{} is larger than 1 MiB", path.display());
    }
    Ok(text)
}
