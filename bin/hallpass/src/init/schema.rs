//! Says where the JSON Schema of the configuration is, for editors.
//!
//! Taplo, and the editors that build upon it, complete and check a TOML file whose first comment is
//! `#:schema LOCATION`.

use std::path::{Path, PathBuf};

/// Where the packages for distributions install the schema.
pub const INSTALLED: &str = "/usr/share/hallpass/hallpass.schema.json";
/// The same below the prefix that the programs were installed under.
const BELOW_PREFIX: &str = "share/hallpass/hallpass.schema.json";
/// The release's, for programs that were installed without it.
const RELEASED: &str = concat!(
    env!("CARGO_PKG_REPOSITORY"),
    "/releases/download/v",
    env!("CARGO_PKG_VERSION"),
    "/hallpass.schema.json"
);

/// The path of the schema that was installed with this program, else the URL of the release's.
pub fn location() -> String {
    let program = std::env::current_exe().ok();
    program
        .and_then(|program| beside(&program))
        .map_or_else(|| RELEASED.to_owned(), |path| format!("file://{path}"))
}

/// The schema that was installed with `program`, as a path that needs no escapes in a URL.
fn beside(program: &Path) -> Option<String> {
    let path: PathBuf = program.parent()?.parent()?.join(BELOW_PREFIX);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    let path = path.into_os_string().into_string().ok()?;
    (path.bytes().all(plain) && Path::new(&path).is_file()).then_some(path)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn only_a_schema_that_is_there_is_named_and_only_by_a_plain_path() {
        let prefix = tempfile::tempdir().unwrap();
        let install = |name: &str| {
            let path = prefix.path().join(name).join(BELOW_PREFIX);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "{}").unwrap();
            path.into_os_string().into_string().unwrap()
        };
        let program = |name: &str| prefix.path().join(name).join("bin/hallpass");
        let usual = install("usr");
        install("my programs");
        assert_eq!(beside(&program("usr")), Some(usual));
        assert_eq!(beside(&program("my programs")), None);
        assert_eq!(beside(&program("without")), None);
        assert_eq!(beside(Path::new("hallpass")), None);
    }
}
