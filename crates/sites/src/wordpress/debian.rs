//! Chooses the file of settings of a site that Debian's package serves.
//!
//! Its `wp-config.php` is the same for all sites: it includes `config-HOST.php` by the name of the
//! host that the browser asked for, else that of the domain above, else `config-default.php`, and
//! defines what that leaves undefined (`/usr/share/wordpress/wp-config.php` of Debian 12).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hallpass_php_literals::{Literal, Surroundings};

/// What the name of a file of settings begins and ends with.
const BEGINNING: &str = "config-";
const ENDING: &str = ".php";
/// What counts where no file says otherwise.
const CONSTANTS: [(&str, &str); 3] = [
    ("DB_NAME", "wordpress"),
    ("DB_USER", "wordpress"),
    ("DB_HOST", "localhost"),
];

/// The directory with the files of settings, where `source` is Debian's master file.
pub(super) fn directory(source: &[u8]) -> Option<PathBuf> {
    let source = std::str::from_utf8(source).ok()?;
    if !source.contains("$debian_server") || !source.contains("$debian_file") {
        return None;
    }
    let (before, _) = source.split_once("/config-default.php\"")?;
    let (_, directory) = before.rsplit_once('"')?;
    directory.starts_with('/').then(|| PathBuf::from(directory))
}

/// Whether the file at `path` is the settings of one of Debian's sites.
pub(super) fn is_of_host(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    let host = name.and_then(|name| name.strip_prefix(BEGINNING)?.strip_suffix(ENDING));
    host.is_some_and(|host| !host.is_empty())
}

/// What the master file defines where a site's own file does not.
pub(super) fn defaults() -> Surroundings {
    let text = |text: &str| Literal::Text(text.as_bytes().to_vec().into());
    let constants = CONSTANTS.iter();
    Surroundings {
        path: String::new(),
        constants: constants
            .map(|(name, value)| ((*name).to_owned(), text(value)))
            .collect(),
        variables: BTreeMap::from([("table_prefix".to_owned(), text("wp_"))]),
    }
}

/// The file of settings in `directory` that belongs to `host`; without one, the only one that there
/// is.
pub(super) fn choose(directory: &Path, host: Option<&str>) -> Result<PathBuf, String> {
    let Some(host) = host else {
        let found = all(directory);
        return match found.as_slice() {
            [only] => Ok(only.clone()),
            [] => Err(format!(
                "is missing: there is no {BEGINNING}HOST{ENDING} in {}",
                directory.display()
            )),
            several => {
                let hosts: Vec<String> = several.iter().filter_map(|path| host_of(path)).collect();
                Err(format!(
                    "is missing: {} has the settings of several sites: {}",
                    directory.display(),
                    hosts.join(", ")
                ))
            }
        };
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    if host.is_empty() || !host.bytes().all(plain) {
        return Err("must be a host's name: letters, digits, dots and hyphens".to_owned());
    }
    let host = host.to_ascii_lowercase();
    let above = host.split_once('.').map(|(_, above)| above);
    let names = [Some(host.as_str()), above, Some("default")];
    let found = names
        .into_iter()
        .flatten()
        .filter(|name| !name.is_empty())
        .map(|name| directory.join(format!("{BEGINNING}{name}{ENDING}")))
        .find(|path| path.is_file());
    found.ok_or_else(|| {
        format!(
            "{host}: there is no {BEGINNING}{host}{ENDING} in {}, and no {BEGINNING}default{ENDING}",
            directory.display()
        )
    })
}

/// The host whose settings are at `path`.
pub(super) fn host_of(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let host = name.strip_prefix(BEGINNING)?.strip_suffix(ENDING)?;
    Some(host.to_owned())
}

fn all(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory)
        .into_iter()
        .flatten()
        .take(4096);
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| is_of_host(path) && path.is_file())
        .collect();
    found.sort();
    found
}
