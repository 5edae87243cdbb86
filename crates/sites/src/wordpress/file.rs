//! Reads `wp-config.php` and the files that it includes, without running PHP.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hallpass_php_literals::{Literal, Literals, Surroundings};
use hallpass_settings::{Error, Table};

use super::debian;
use super::settings::{OPTIONAL, WordpressTable};
use crate::php_file::{self, Evaluated};
use crate::site_file::{Names, SiteFile};

/// The file that `wp-config.php` ends with. It defines nothing that is defined already.
const SETTINGS: &str = "wp-settings.php";
/// Variables among the settings.
const VARIABLES: [&str; 1] = ["table_prefix"];

/// The site's own file, where `own` names one.
pub(super) fn read<'a>(
    table: &'a Table<'a>,
    own: &WordpressTable,
) -> Result<Option<SiteFile<'a>>, Error> {
    let Some(path) = &own.configuration else {
        if own.host.is_some() {
            return Err(table.wrong("host", "has no effect without `configuration`"));
        }
        return Ok(None);
    };
    let path = table.beside(path);
    let path = std::path::absolute(&path).unwrap_or(path);
    table.note_file(&path);
    let read = load(&path, own.host.as_deref());
    let Loaded {
        path,
        literals,
        included,
    } = read.map_err(|wrong| match wrong {
        Wrong::Unread(path, error) => {
            let message = format!("cannot be read: {}: {error}", path.display());
            table.wrong("configuration", &message).unread(&path)
        }
        Wrong::Configuration(message) => table.wrong("configuration", &message),
        Wrong::Host(message) => table.wrong("host", &message),
    })?;
    for file in included.iter().chain([&path]) {
        table.note_file(file);
    }
    let names = Names::Constants {
        variables: &VARIABLES,
        optional: &OPTIONAL,
    };
    Ok(Some(SiteFile::of(table, path, literals, names)))
}

/// The host that the site is asked for by: the one that is `given`, else the one of a network's main
/// site, else the one whose settings Debian's package has in `file`.
pub(super) fn host(file: Option<&SiteFile<'_>>, given: Option<String>) -> Option<String> {
    let file = file?;
    let text = |name| match file.literals.constant(name) {
        Ok(Some(Literal::Text(text))) => String::from_utf8(text.to_vec()).ok(),
        _ => None,
    };
    text("DOMAIN_CURRENT_SITE")
        .or(given)
        .or_else(|| debian::host_of(&file.path).filter(|host| host != "default"))
}

/// Why a site's own file is not read.
#[derive(Debug)]
pub(super) enum Wrong {
    /// The file of this path cannot be read.
    Unread(PathBuf, std::io::Error),
    /// What is wrong with it.
    Configuration(String),
    /// What is wrong with the name of the host.
    Host(String),
}

/// What a site's own file says.
#[derive(Debug)]
pub(super) struct Loaded {
    /// The file that has the settings.
    pub path: PathBuf,
    pub literals: Literals,
    /// The files that it includes.
    pub included: Vec<PathBuf>,
}

/// The settings of the site whose `wp-config.php` is at `path`. Debian's package has a file for each
/// `host`, and names in it are those of its master file.
pub(super) fn load(path: &Path, host: Option<&str>) -> Result<Loaded, Wrong> {
    let bytes = |path: &Path| {
        let read = php_file::bytes(path);
        read.map_err(|error| Wrong::Unread(path.to_owned(), error))
    };
    let source = bytes(path)?;
    let Some(directory) = debian::directory(&source) else {
        if host.is_some() && !debian::is_of_host(path) {
            let message = "has no effect: `configuration` is not Debian's master file";
            return Err(Wrong::Host(message.to_owned()));
        }
        let defaults = match debian::is_of_host(path) {
            true => debian::defaults(),
            false => Surroundings::default(),
        };
        return evaluate(path.to_owned(), &source, defaults);
    };
    let path = debian::choose(&directory, host).map_err(Wrong::Host)?;
    let source = bytes(&path)?;
    evaluate(path, &source, debian::defaults())
}

/// What the file at `path` says, `defaults` being what counts where it says nothing.
fn evaluate(path: PathBuf, source: &[u8], defaults: Surroundings) -> Result<Loaded, Wrong> {
    let wrong = |error: &dyn std::fmt::Display| {
        Wrong::Configuration(format!("cannot be read: {}: {error}", path.display()))
    };
    // WordPress knows where it is before it reads the file.
    let beside = || Some(format!("{}/", path.parent()?.to_str()?));
    let root = root(&path).or_else(beside).unwrap_or_default();
    let root = Literal::Text(root.into_bytes().into());
    let constants = BTreeMap::from([("ABSPATH".to_owned(), root)]);
    let around = Surroundings {
        constants,
        ..Surroundings::default()
    };
    let evaluated = php_file::evaluate(&path, source, around, Some(SETTINGS));
    let Evaluated { literals, included } = evaluated.map_err(|error| wrong(&error))?;
    Ok(Loaded {
        literals: literals.or_else(defaults),
        included,
        path,
    })
}

/// The directory of the WordPress whose `wp-config.php` is at `path`, with a slash at its end: beside
/// the file, or in the one directory below.
pub(super) fn root(path: &Path) -> Option<String> {
    let directory = path.parent()?;
    let is_root = |directory: &Path| directory.join("wp-load.php").is_file();
    let found = match is_root(directory) {
        true => directory.to_owned(),
        false => {
            let entries = std::fs::read_dir(directory).ok()?.take(256);
            let mut below = entries.filter_map(|entry| Some(entry.ok()?.path()));
            let found = below.find(|below| is_root(below))?;
            below.all(|below| !is_root(&below)).then_some(found)?
        }
    };
    Some(format!("{}/", found.to_str()?.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the file defines, as PHP 8.2 does; `-` where it does not, `?` where PHP would have to run.
    fn told(literals: &Literals, name: &str) -> String {
        let found = match name {
            "table_prefix" => literals.variable(name),
            _ => literals.constant(name),
        };
        match found {
            Ok(Some(Literal::Text(text))) => String::from_utf8(text.to_vec()).unwrap(),
            Ok(Some(other)) => format!("{other:?}"),
            Ok(None) => "-".to_owned(),
            Err(_) => "?".to_owned(),
        }
    }

    #[test]
    fn a_file_is_read_with_what_it_includes() {
        let directory = tempfile::tempdir().unwrap();
        let site = directory.path().join("site");
        std::fs::create_dir_all(site.join("wp")).unwrap();
        std::fs::write(site.join("keys.php"), "<?php define('LOGGED_IN_KEY', 'k');").unwrap();
        std::fs::write(site.join("wp/inner.php"), "<?php define('DB_HOST', 'h');").unwrap();
        let file = site.join("wp-config.php");
        let end = "if (!defined('ABSPATH')) define('ABSPATH', __DIR__ . '/wp/');\n\
                   require_once ABSPATH . 'wp-settings.php';\n$table_prefix = 'late_';";
        let read = |source: &str, name: &str| {
            std::fs::write(&file, format!("<?php\n{source}\n{end}")).unwrap();
            told(&load(&file, None).unwrap().literals, name)
        };
        for (source, name, expected) in [
            ("require __DIR__ . '/keys.php';", "LOGGED_IN_KEY", "k"),
            (
                "require_once(dirname(__FILE__) . '/keys.php');",
                "LOGGED_IN_KEY",
                "k",
            ),
            ("require_once ABSPATH . 'keys.php';", "LOGGED_IN_KEY", "k"),
            ("include __DIR__ . '/none.php';", "LOGGED_IN_KEY", "?"),
            (
                "if (file_exists(__DIR__ . '/none.php')) include __DIR__ . '/none.php';",
                "LOGGED_IN_KEY",
                "-",
            ),
            (
                "if (file_exists(__DIR__ . '/keys.php')) { include __DIR__ . '/keys.php'; }",
                "LOGGED_IN_KEY",
                "k",
            ),
            ("include getenv('KEYS');", "LOGGED_IN_KEY", "?"),
            (
                "define('LOGGED_IN_KEY', getenv('KEY') ?: 'x');",
                "LOGGED_IN_KEY",
                "?",
            ),
            ("$table_prefix = 'wp_';", "table_prefix", "late_"),
        ] {
            assert_eq!(read(source, name), expected, "{source}");
        }
        // WordPress may be in a directory below, and the file behind a link.
        std::fs::write(site.join("wp/wp-load.php"), "<?php").unwrap();
        assert_eq!(read("require ABSPATH . 'inner.php';", "DB_HOST"), "h");
        let link = directory.path().join("wp-config.php");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        read("require __DIR__ . '/keys.php';", "LOGGED_IN_KEY");
        let Loaded { path, literals, .. } = load(&link, None).unwrap();
        assert_eq!(
            (path, told(&literals, "LOGGED_IN_KEY").as_str()),
            (link, "k")
        );
        assert!(matches!(
            load(&file, Some("www.example.org")),
            Err(Wrong::Host(_))
        ));
    }
}
