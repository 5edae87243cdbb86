//! Finds and runs the site's own Python, and runs other interpreters.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use zeroize::Zeroizing;

use super::child::{end, words};
use super::duration;

/// The longest answer, in bytes.
const LONGEST_ANSWER: u64 = 4 << 20;
/// How often it is looked whether it has ended.
const PAUSE: Duration = Duration::from_millis(20);

/// A Python, and how it is asked.
pub struct Interpreter {
    /// The program.
    pub python: PathBuf,
    /// What the environment holds on top of our own.
    pub environment: Vec<(String, Zeroizing<String>)>,
    /// How long it may take.
    pub timeout: Duration,
}

/// The Python of the site in `directory`: the virtual environment that is in use, else the one in
/// that directory or beside it, else `python3`.
///
/// Somebody else's environment is not run: beside a site in a directory that many share, anybody
/// could have put one there.
pub fn find(directory: &Path) -> PathBuf {
    if let Some(environment) = std::env::var_os("VIRTUAL_ENV")
        && let Some(python) = python_in(Path::new(&environment))
    {
        return python;
    }
    let theirs = std::fs::metadata(directory).map(|site| site.uid());
    let trusted = |environment: &Path| {
        let owner = std::fs::metadata(environment).map(|it| it.uid());
        owner.is_ok_and(|owner| {
            [0, rustix::process::geteuid().as_raw()].contains(&owner)
                || theirs.as_ref().is_ok_and(|theirs| *theirs == owner)
        })
    };
    directory
        .ancestors()
        .take(2)
        .find_map(|directory| {
            let mut below: Vec<PathBuf> = std::fs::read_dir(directory)
                .ok()?
                .filter_map(|entry| Some(entry.ok()?.path()))
                .collect();
            below.sort();
            below
                .iter()
                .filter(|environment| trusted(environment))
                .find_map(|environment| python_in(environment))
        })
        .unwrap_or_else(|| PathBuf::from("python3"))
}

/// The Python of the virtual environment `directory` (PEP 405), if it is one.
fn python_in(directory: &Path) -> Option<PathBuf> {
    let python = directory.join("bin/python");
    (directory.join("pyvenv.cfg").is_file() && python.exists()).then_some(python)
}

impl Interpreter {
    /// What the site in `directory` says that it is made of, in JSON: what `script` prints, which gets
    /// `arguments`, and the seconds that it has as the last one.
    ///
    /// # Errors
    /// When there is no such Python, it takes too long, or it fails: with what it complained of.
    pub fn ask(
        &self,
        directory: &Path,
        script: &str,
        arguments: impl IntoIterator<Item = OsString>,
    ) -> anyhow::Result<Zeroizing<Vec<u8>>> {
        let mut command = Command::new(&self.python);
        command
            .args(["-B", "-"])
            .args(arguments)
            .arg(self.timeout.as_secs().to_string())
            .envs(
                self.environment
                    .iter()
                    .map(|(key, value)| (key, value.as_str())),
            )
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .current_dir(directory);
        let name = self.python.display().to_string();
        ask(command, &name, "--python", script.as_bytes(), self.timeout)
    }
}

/// What `command` prints, which reads `script`. It is an interpreter called `name`, and `option` names
/// another.
///
/// # Errors
/// As [`Interpreter::ask`].
pub fn ask(
    mut command: Command,
    name: &str,
    option: &str,
    script: &[u8],
    timeout: Duration,
) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // With all that it starts, it can be ended.
        .process_group(0);
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot run {name}; {option} names the site's own"))?;
    let answer = child.stdout.take().map(|pipe| reader(pipe, LONGEST_ANSWER));
    let complaints = child.stderr.take().map(|pipe| reader(pipe, LONGEST_ANSWER));
    if let Some(mut input) = child.stdin.take() {
        // One that does not read says why when it ends.
        drop(input.write_all(script));
    }
    let status = wait(&mut child, timeout);
    end(&child);
    let complaints = words(&read(complaints));
    let Some(status) = status? else {
        bail!(
            "{name} has said nothing about the site within {}; --timeout gives it more time{complaints}",
            duration(timeout)
        );
    };
    if !status.success() {
        let how = status.signal().map_or_else(
            || "cannot load the site".to_owned(),
            |signal| format!("was ended by signal {signal}"),
        );
        bail!("{name} {how}{complaints}");
    }
    Ok(read(answer))
}

/// Waits until `child` ends: `None` when it has not in time.
fn wait(child: &mut Child, timeout: Duration) -> anyhow::Result<Option<ExitStatus>> {
    let started = Instant::now();
    loop {
        let status = child
            .try_wait()
            .context("cannot wait for the site's own software")?;
        if status.is_some() || started.elapsed() >= timeout {
            return Ok(status);
        }
        thread::sleep(PAUSE);
    }
}

/// Reads `pipe` to its end, so that no writer blocks on it, and keeps at most `most` bytes.
fn reader(mut pipe: impl Read + Send + 'static, most: u64) -> Receiver<Zeroizing<Vec<u8>>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut bytes = Zeroizing::new(Vec::new());
        drop((&mut pipe).take(most).read_to_end(&mut bytes));
        drop(sender.send(bytes));
        drop(std::io::copy(&mut pipe, &mut std::io::sink()));
    });
    receiver
}

fn read(pipe: Option<Receiver<Zeroizing<Vec<u8>>>>) -> Zeroizing<Vec<u8>> {
    // Its writer has ended; a process that it left behind must not hold this one up.
    pipe.and_then(|pipe| pipe.recv_timeout(Duration::from_secs(2)).ok())
        .unwrap_or_default()
}
