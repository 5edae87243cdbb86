//! The configuration's own files, and what it leaves out.

use std::os::unix::fs::MetadataExt;

use super::{Examination, Finding};

impl Examination<'_> {
    /// Who else can read the secrets, or change what is believed.
    pub(super) fn configured(&mut self) {
        let configuration = self.configuration;
        let path = &configuration.path;
        let tried = format!("read {}", path.display());
        let mode = std::fs::metadata(path).map_or(0, |metadata| metadata.mode());
        let before = self.findings.len();
        let literal = configuration
            .secrets
            .iter()
            .find(|secret| secret.file.is_none());
        if let Some(literal) = literal
            && mode & 0o004 != 0
        {
            let seen = format!(
                "everybody on this machine can read it, and the secret {} in it",
                literal.key
            );
            let mend = format!("chmod o-r {}", path.display());
            self.add(Finding::warning("configuration-mode", &tried, seen, mend));
        }
        if mode & 0o002 != 0 {
            let seen = "everybody on this machine can change it, and so whom it lets in";
            let mend = format!("chmod o-w {}", path.display());
            self.add(Finding::problem("configuration-mode", &tried, seen, mend));
        }
        for secret in &configuration.secrets {
            let Some(file) = &secret.file else { continue };
            let mode = std::fs::metadata(file).map_or(0, |metadata| metadata.mode());
            if mode & 0o004 != 0 {
                self.add(Finding::warning(
                    "secret-file",
                    format!("look at {}, the secret {}", file.display(), secret.key),
                    "everybody on this machine can read it",
                    format!("chmod o-r {}", file.display()),
                ));
            }
        }
        if self.findings.len() == before {
            let secrets = configuration.secrets.len();
            let seen = format!("it is good, and nobody else reads its {secrets} secrets");
            self.add(Finding::ok("configuration", tried, seen));
        }
        if let Some(key) = configuration.missing_for_sessions() {
            let (table, key) = key.split_once('.').unwrap_or(("", key));
            self.add(Finding::warning(
                "session-configuration",
                "look for what sessions need",
                format!("[{table}] {key} is missing: no session is read, passwords alone are"),
                format!("put the site's own into [{table}] {key}"),
            ));
        }
        if configuration.trusts_session_store() {
            self.add(Finding::warning(
                "session-trust",
                "look at who vouches for sessions",
                "trust_session_store: signatures and changed passwords are not checked, and \
                 whoever can write to the store is whoever they like",
                "give [django] secret_key, and take trust_session_store away",
            ));
        }
    }
}
