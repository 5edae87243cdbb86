//! Declares the command line of `hallpass init`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub enum InitCommand {
    /// Of a Django site, by asking its own Python
    #[command(after_help = "Examples:
  hallpass init django /srv/shop
  hallpass init django /srv/shop --settings shop.settings.production --env-file /etc/shop.env \\
      --output /etc/hallpass/hallpass.toml")]
    Django(InitDjango),
    /// Of a Joomla site, by reading its configuration.php
    #[command(after_help = "Example:\n  hallpass init joomla /var/www/joomla")]
    Joomla(InitJoomla),
    /// Of a phpBB board, by reading its config.php
    #[command(after_help = "Example:\n  hallpass init phpbb /var/www/phpbb")]
    Phpbb(InitPhpbb),
    /// Of a site in plain PHP, by reading php.ini and what stands beside it
    #[command(after_help = "Examples:
  hallpass init php /etc/php/8.2/fpm --user user.username
  hallpass init php /etc/php/8.2/fpm /var/www/site/.user.ini --user _sf2_attributes._security_main")]
    Php(InitPhp),
    /// Of any other site, by its .env or SQLite file, and the names of its table and columns
    #[command(after_help = "Examples:
  hallpass init custom /srv/app --table users --username-column email
  hallpass init custom /srv/app/db.sqlite3 --table members --password-column hash")]
    Custom(InitCustom),
}

#[derive(Debug, Args)]
pub struct InitDjango {
    /// The site's manage.py, or a directory that has it, itself or further below
    pub path: PathBuf,
    /// The site's own Python [default: that of its virtual environment, else python3]
    #[arg(long, value_name = "PROGRAM")]
    pub python: Option<PathBuf>,
    /// The settings module [default: as manage.py says]
    #[arg(long, value_name = "MODULE", env = "DJANGO_SETTINGS_MODULE")]
    pub settings: Option<String>,
    /// A file of environment variables that the settings read; may be given several times
    #[arg(long, value_name = "FILE")]
    pub env_file: Vec<PathBuf>,
    /// How long the site may take to load
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    pub timeout: Duration,
    #[command(flatten)]
    pub output: InitOutput,
}

#[derive(Debug, Args)]
pub struct InitJoomla {
    /// The site's directory, or its configuration.php
    pub path: PathBuf,
    /// Count the sessions of the back end, not those of the site
    #[arg(long)]
    pub administrator: bool,
    #[command(flatten)]
    pub output: InitOutput,
}

#[derive(Debug, Args)]
pub struct InitPhpbb {
    /// The board's directory, or its config.php
    pub path: PathBuf,
    #[command(flatten)]
    pub output: InitOutput,
}

#[derive(Debug, Args)]
pub struct InitPhp {
    /// php.ini, a directory that has it, .user.ini, a pool's file: later ones win
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// The login name's place in $_SESSION, as in user.username
    #[arg(long, value_name = "KEYS")]
    pub user: Option<String>,
    #[command(flatten)]
    pub output: InitOutput,
}

#[derive(Debug, Args)]
pub struct InitCustom {
    /// The site's .env, the directory that has it, or an SQLite file
    pub path: PathBuf,
    /// The table of accounts
    #[arg(long, value_name = "NAME", default_value = "users")]
    pub table: String,
    /// Its primary key
    #[arg(long, value_name = "NAME", default_value = "id")]
    pub id_column: String,
    /// The login name
    #[arg(long, value_name = "NAME", default_value = "username")]
    pub username_column: String,
    /// The hash of the password
    #[arg(long, value_name = "NAME", default_value = "password")]
    pub password_column: String,
    /// Whether an account may log in
    #[arg(long, value_name = "NAME")]
    pub active_column: Option<String>,
    /// The e-mail address
    #[arg(long, value_name = "NAME")]
    pub email_column: Option<String>,
    #[command(flatten)]
    pub output: InitOutput,
}

#[derive(Debug, Args)]
pub struct InitOutput {
    /// The file to write [default: --config, else hallpass.toml in the current directory]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace files that are there
    #[arg(long)]
    pub force: bool,
}

/// Reads a duration such as `90s` or `1m 30s`.
fn duration(text: &str) -> Result<Duration, String> {
    text.parse::<jiff::SignedDuration>()
        .ok()
        .and_then(|duration| Duration::try_from(duration).ok())
        .ok_or_else(|| "not a duration, as in \"90s\" or \"2m\"".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        for (text, seconds) in [("90s", 90), ("2m", 120), ("1m 30s", 90), ("1h", 3_600)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "90", "-90s", "90s ago", "s", "soon"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
