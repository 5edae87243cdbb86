//! Checks Exim: authenticators by Dovecot's protocol.

use std::path::Path;

use hallpass_core::Configuration;
use hallpass_core::doctor::Finding;

use super::{Line, all, asks, lines};

/// The findings for the file at `path`, or the files in it; none where it does not point here.
pub fn look(path: &Path, configuration: &Configuration) -> Result<Vec<Finding>, String> {
    let lines = lines(path, &["#"])?;
    let listen = &configuration.daemon.dovecot_auth;
    let (mut findings, mut ours) = (Vec::new(), false);
    for (index, line) in lines.iter().enumerate() {
        let Some(("server_socket", named)) = line.setting() else {
            continue;
        };
        let Some(asked) = asks(&format!("unix:{named}"), listen) else {
            continue;
        };
        ours = true;
        findings.extend(asked.finding(&line.at(), "dovecot_auth", listen));
        let block = block(&lines, index);
        let has = |name: &str| {
            let mut settings = block.iter().filter_map(|it| it.setting());
            settings.find(|(it, _)| *it == name).map(|(_, value)| value)
        };
        if has("server_set_id").is_none() {
            findings.push(Finding::warning(
                "exim-id",
                line.at(),
                "server_set_id is missing: neither the log nor any rule knows who logged in",
                "write server_set_id = $auth1",
            ));
        }
    }
    Ok(all(path, ours, findings))
}

/// The lines of the authenticator around `index`: from `name:` to the next.
fn block(lines: &[Line], index: usize) -> Vec<&Line> {
    let (before, after) = lines.split_at(index);
    let begins = |it: &&Line| it.text.ends_with(':') || it.text.starts_with("begin");
    let mut found: Vec<&Line> = before.iter().rev().take_while(|it| !begins(it)).collect();
    found.extend(after.iter().take_while(|it| !begins(it)));
    found
}
