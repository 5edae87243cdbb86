//! Reads a site's `settings.php` and the files that it includes, without running PHP.

use std::collections::BTreeMap;
use std::path::Path;

use hallpass_php_literals::{Literal, Surroundings};

use super::settings::root;
use crate::php_file::{self, Evaluated};

/// What `source`, the `settings.php` at `path`, says, with the files that it includes.
///
/// Drupal 8 and later read it in `Settings::initialize` of core/lib/Drupal/Core/Site/Settings.php
/// (10.3), where `$app_root` and `$site_path` are set; 7 in `drupal_settings_initialize` of
/// includes/bootstrap.inc (7.105), after `DRUPAL_ROOT`.
///
/// # Errors
/// Why it cannot be read, to follow its path.
pub(super) fn evaluate(path: &Path, source: &[u8]) -> Result<Evaluated, String> {
    let directory = path.parent().unwrap_or(Path::new(""));
    let root = root(directory);
    let site = directory.strip_prefix(&root).unwrap_or(directory);
    let text = |path: &Path| {
        let text = path.to_str().unwrap_or_default();
        Literal::Text(text.as_bytes().to_vec().into())
    };
    let named = |name: &str, path: &Path| (name.to_owned(), text(path));
    let around = Surroundings {
        path: String::new(),
        constants: BTreeMap::from([named("DRUPAL_ROOT", &root)]),
        variables: BTreeMap::from([named("app_root", &root), named("site_path", site)]),
    };
    php_file::evaluate(path, source, around, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each as PHP 8.2 has it after `Settings::initialize`; `?` where only PHP can tell.
    #[test]
    fn included_files_count_where_they_stand() {
        let directory = tempfile::tempdir().unwrap();
        let site = directory.path().join("web/sites/default");
        std::fs::create_dir_all(&site).unwrap();
        let local = "<?php $databases['default']['default']['password'] = 'local';";
        std::fs::write(site.join("settings.local.php"), local).unwrap();
        let whole = "<?php $databases['default']['default'] = ['password' => 'whole'];";
        std::fs::write(site.join("whole.php"), whole).unwrap();
        let computed = "<?php $databases['default']['default']['password'] = getenv('P');";
        std::fs::write(site.join("computed.php"), computed).unwrap();
        let before = "<?php\n$databases['default']['default'] = ['password' => 'first'];\n";
        let path = site.join("settings.php");
        for (source, expected) in [
            ("", "first"),
            (
                "include $app_root . '/' . $site_path . '/settings.local.php';",
                "local",
            ),
            (
                "if (file_exists($app_root . '/' . $site_path . '/settings.local.php')) {\n\
                 include $app_root . '/' . $site_path . '/settings.local.php';\n}",
                "local",
            ),
            (
                "$settings['container_yamls'][] = $app_root . '/' . $site_path . '/services.yml';\n\
                 include $app_root . '/' . $site_path . '/settings.local.php';",
                "local",
            ),
            (
                "$settings['x'][++$app_root] = 'y';\n\
                 include $app_root . '/' . $site_path . '/settings.local.php';",
                "?",
            ),
            (
                "if (file_exists($app_root . '/' . $site_path . '/none.php')) {\n\
                 include $app_root . '/' . $site_path . '/none.php';\n}",
                "first",
            ),
            (
                "if (file_exists(__DIR__ . '/whole.php')) { require __DIR__ . '/whole.php'; }",
                "whole",
            ),
            (
                "require DRUPAL_ROOT . '/sites/default/settings.local.php';",
                "local",
            ),
            (
                "include __DIR__ . '/settings.local.php'; include __DIR__ . '/whole.php';",
                "whole",
            ),
            ("include __DIR__ . '/computed.php';", "?"),
            ("include __DIR__ . '/none.php';", "?"),
            ("include 'settings.local.php';", "?"),
            ("include getenv('SETTINGS');", "?"),
            (
                "if (getenv('X')) { include __DIR__ . '/settings.local.php'; }",
                "?",
            ),
        ] {
            let source = format!("{before}{source}");
            let said = evaluate(&path, source.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
            let keys = ["default", "default", "password"];
            let found = match said.literals.element("databases", &keys) {
                Ok(Some(Literal::Text(text))) => String::from_utf8(text.to_vec()).unwrap(),
                Ok(other) => panic!("{source}: {other:?}"),
                Err(_) => "?".to_owned(),
            };
            assert_eq!(found, expected, "{source}");
        }
    }
}
