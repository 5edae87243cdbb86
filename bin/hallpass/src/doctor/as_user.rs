//! Runs the doctor as another user of the system, in the environment that a server gives: what
//! works in a shell and fails under the server fails here, too.

use std::ffi::CString;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use clap::ValueEnum;
use hallpass_core::doctor::Finding;
use hallpass_runtime::CommandLine;
use nix::unistd::{User, geteuid, initgroups, setgid, setuid};

use super::report::Report;
use crate::options::DoctorOptions;
use crate::terminal::complain;

/// The first descriptor that is not one of standard input, output and error.
const FIRST_OTHER: i32 = 3;

/// Runs the doctor as `user`: from `/`, without a terminal, with nothing in the environment but an
/// empty `PATH`.
pub fn run(common: &CommandLine, options: &DoctorOptions, user: &str) -> anyhow::Result<Report> {
    let account = User::from_name(user)
        .ok()
        .flatten()
        .with_context(|| format!("--as-user: this system has no user {user}"))?;
    // Absolute, because the other process starts in another directory.
    let config = std::path::absolute(common.path()).context("the configuration's path")?;
    let program = std::env::current_exe().context("cannot tell where this program is")?;
    become_user(&account)?;
    let tried = format!("become {user}, in / with an empty PATH and no terminal");
    let mut command = Command::new(&program);
    command
        .arg("--config")
        .arg(&config)
        .args(["--json", "doctor", "--detached"])
        .env_clear()
        .env("PATH", "")
        .current_dir("/")
        .stdin(Stdio::null());
    if let Some(host) = options.host
        && let Some(host) = host.to_possible_value()
    {
        command.arg("--host").arg(host.get_name());
    }
    if let Some(path) = &options.host_config {
        let path = std::path::absolute(path).context("the path of --host-config")?;
        command.arg("--host-config").arg(path);
    }
    let output = match command.output() {
        Ok(output) => output,
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            let finding = Finding::problem(
                "program",
                tried,
                format!("{user} may not run {}", program.display()),
                "put the programs where that user can run them, as /usr/bin",
            );
            return Ok(Report::new(vec![finding]));
        }
        Err(error) => return Err(error).with_context(|| format!("running {}", program.display())),
    };
    for said in String::from_utf8_lossy(&output.stderr).lines() {
        complain(said);
    }
    let code = output
        .status
        .code()
        .and_then(|code| u8::try_from(code).ok());
    let code = code.context("the doctor was killed as that user")?;
    let groups = nix::unistd::getgroups().map_or(0, |groups| groups.len());
    let seen = format!("done, with its {groups} groups");
    Report::of_process(Finding::ok("user", tried, seen), &output.stdout, code)
}

/// Becomes `account`, with all its groups.
fn become_user(account: &User) -> anyhow::Result<()> {
    if geteuid() == account.uid {
        return Ok(());
    }
    if !geteuid().is_root() {
        bail!("--as-user: only root can become {}", account.name);
    }
    let name = CString::new(account.name.as_str()).context("the user's name")?;
    initgroups(&name, account.gid)
        .and_then(|()| setgid(account.gid))
        .and_then(|()| setuid(account.uid))
        .with_context(|| format!("cannot become {}", account.name))
}

/// Detaches from the terminal, and closes all other descriptors.
pub fn detach() {
    // A process that leads a group has no terminal to detach from.
    let _ = rustix::process::setsid();
    let Ok(entries) = Path::new("/proc/self/fd").read_dir() else {
        return;
    };
    let open: Vec<i32> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|descriptor| *descriptor >= FIRST_OTHER)
        .collect();
    for descriptor in open {
        // The one that the directory was read by is closed already.
        let _ = nix::unistd::close(descriptor);
    }
}
