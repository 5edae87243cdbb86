//! Sends requests as each host does, through the real programs.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::site::Site;
use crate::terminal::line;

/// How long the daemon may take to listen, and to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// The programs that hosts run.
pub struct Programs {
    shell: PathBuf,
    ejabberd: PathBuf,
    apache: PathBuf,
    daemon: PathBuf,
}

impl Programs {
    /// The programs in `directory`.
    pub fn beside(directory: &Path) -> anyhow::Result<Self> {
        let program = |name: &str| {
            let path = directory.join(name);
            if !path.exists() {
                bail!(
                    "{} is not there; `cargo build --release` builds it",
                    path.display()
                );
            }
            Ok(path)
        };
        Ok(Self {
            shell: program("hallpass")?,
            ejabberd: program("hallpass-ejabberd")?,
            apache: program("hallpass-apache")?,
            daemon: program("hallpassd")?,
        })
    }
}

/// Sends every request, prints every answer, and returns how many were wrong.
pub fn ask(programs: &Programs, site: &Site) -> anyhow::Result<usize> {
    let mut tally = Tally::default();
    shell(programs, site, &mut tally).context("asking in the shell")?;
    ejabberd(programs, site, &mut tally).context("asking as ejabberd")?;
    apache(programs, site, &mut tally).context("asking as Apache")?;
    http(programs, site, &mut tally).context("asking as nginx")?;
    Ok(tally.wrong)
}

#[derive(Default)]
struct Tally {
    wrong: usize,
}

impl Tally {
    fn heading(&self, text: &str) {
        line("");
        line(text);
    }

    fn answer(&mut self, question: &str, answer: &str, right: bool) {
        let mark = if right { "" } else { "   <-- WRONG" };
        line(&format!("  {question:<52} {answer}{mark}"));
        self.wrong += usize::from(!right);
    }
}

fn shell(programs: &Programs, site: &Site, tally: &mut Tally) -> anyhow::Result<()> {
    tally.heading("In the shell");
    for (arguments, input, expected) in [
        (
            &["check", "alice"][..],
            "correct horse\n",
            "granted: alice (id 1), in editors",
        ),
        (
            &["check", "alice"],
            "wrong horse\n",
            "denied: wrong-password",
        ),
        (&["check", "carol"], "deactivated\n", "denied: inactive"),
        (
            &["can", "alice", "news.add_story"],
            "",
            "granted: alice (id 1), in editors",
        ),
        (
            &["can", "bob", "news.add_story"],
            "",
            "denied: not-permitted",
        ),
        (
            &["session", "-"],
            &site.session_key,
            "granted: alice (id 1), in editors",
        ),
        (
            &["session", "-"],
            "ffffffffffffffffffffffffffffffff",
            "denied: no-session",
        ),
    ] {
        let (_, output) = run(&programs.shell, site, arguments, input.as_bytes())?;
        let output = String::from_utf8_lossy(&output);
        let first = output.lines().next().unwrap_or_default();
        let question = format!("hallpass {}", arguments.join(" "));
        tally.answer(&question, first, first == expected);
    }
    Ok(())
}

fn ejabberd(programs: &Programs, site: &Site, tally: &mut Tally) -> anyhow::Result<()> {
    tally.heading("As ejabberd, in frames on standard input and output");
    let questions = [
        ("auth:alice:example.com:correct horse", true),
        ("auth:alice:example.com:wrong horse", false),
        ("auth:bob:example.com:pa:ss wörd", true),
        ("auth:nobody:example.com:correct horse", false),
        ("isuser:alice:example.com", true),
        ("isuser:nobody:example.com", false),
    ];
    let mut frames = Vec::new();
    for (question, _) in questions {
        frames.extend(u16::try_from(question.len())?.to_be_bytes());
        frames.extend(question.as_bytes());
    }
    let (_, output) = run(&programs.ejabberd, site, &[], &frames)?;
    let mut answers = output.chunks(4);
    for (question, expected) in questions {
        let answer = answers.next().unwrap_or_default();
        let bytes: Vec<String> = answer.iter().map(|byte| format!("{byte:02x}")).collect();
        let right = answer == [0, 2, 0, u8::from(expected)];
        let word = if answer.last() == Some(&1) {
            "yes"
        } else {
            "no"
        };
        tally.answer(question, &format!("{}  {word}", bytes.join(" ")), right);
    }
    if answers.next().is_some() {
        tally.answer("no question", "an answer", false);
    }
    Ok(())
}

fn apache(programs: &Programs, site: &Site, tally: &mut Tally) -> anyhow::Result<()> {
    tally.heading("As Apache, a process a question");
    for (arguments, input, expected) in [
        ("auth", "alice\ncorrect horse\n", 0),
        ("auth", "alice\nwrong horse\n", 2),
        ("auth", "nobody\ncorrect horse\n", 1),
        ("auth", "carol\ndeactivated\n", 3),
        ("auth", "al\nice\ncorrect horse\n", 51),
        ("group", "alice\n\"chief editors\" editors\n", 0),
        ("group", "bob\neditors perm:news.add_story\n", 3),
    ] {
        let (code, _) = run(&programs.apache, site, &[arguments], input.as_bytes())?;
        let question = format!("{arguments}  {}", input.escape_debug());
        let answer = format!(
            "exit code {}",
            code.map_or("none".to_owned(), |c| c.to_string())
        );
        tally.answer(&question, &answer, code == Some(expected));
    }
    Ok(())
}

fn http(programs: &Programs, site: &Site, tally: &mut Tally) -> anyhow::Result<()> {
    tally.heading("As nginx, Caddy or Traefik, of hallpassd on a unix socket");
    let _daemon = Daemon::start(programs, site)?;
    let cookie = format!("Cookie: sessionid={}", site.session_key);
    let basic = "Authorization: Basic YWxpY2U6Y29ycmVjdCBob3JzZQ==";
    let wanted = "X-Original-URI: /private/?a=1&b=2";
    let back = "https://site.example/login/?next=%2Fprivate%2F%3Fa%3D1%26b%3D2";
    for (question, target, header, expected, shown) in [
        (
            "GET /auth, with alice's session cookie",
            "/auth",
            &*cookie,
            200,
            "remote-user",
        ),
        (
            "GET /auth, with alice's password",
            "/auth",
            basic,
            200,
            "remote-groups",
        ),
        (
            "GET /auth?group=editors, with her cookie",
            "/auth?group=editors",
            &cookie,
            200,
            "",
        ),
        (
            "GET /auth?group=chiefs, with her cookie",
            "/auth?group=chiefs",
            &cookie,
            403,
            "",
        ),
        (
            "GET /auth, with a forged identity",
            "/auth",
            "Remote-User: alice",
            401,
            "",
        ),
        (
            "GET /auth, with nothing",
            "/auth",
            wanted,
            401,
            "x-login-url",
        ),
        (
            "GET /session, with alice's session cookie",
            "/session",
            &cookie,
            200,
            "{",
        ),
    ] {
        let (status, text) = get(site, target, header)?;
        let rest = text.lines().find(|line| {
            let line = line.to_ascii_lowercase();
            !shown.is_empty() && line.starts_with(shown)
        });
        let right = status == Some(expected)
            && (shown.is_empty() || rest.is_some())
            && (shown != "x-login-url" || text.contains(back));
        let status = status.map_or("no status".to_owned(), |status| status.to_string());
        tally.answer(
            question,
            &format!("{status}  {}", rest.unwrap_or_default()),
            right,
        );
    }
    Ok(())
}

/// Runs `program` on `input`, and returns its exit code and its standard output.
fn run(
    program: &Path,
    site: &Site,
    arguments: &[&str],
    input: &[u8],
) -> anyhow::Result<(Option<i32>, Vec<u8>)> {
    let mut child = command(program, site)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {}", program.display()))?;
    if let Some(mut standard_input) = child.stdin.take() {
        // A program that refuses its input early may be gone before it is all written.
        drop(standard_input.write_all(input));
    }
    let output = child.wait_with_output()?;
    Ok((output.status.code(), output.stdout))
}

fn command(program: &Path, site: &Site) -> Command {
    let mut command = Command::new(program);
    command
        .arg("--config")
        .arg(site.configuration())
        .stderr(Stdio::null());
    command
}

/// A running daemon, which is stopped on drop.
struct Daemon(Child);

impl Daemon {
    fn start(programs: &Programs, site: &Site) -> anyhow::Result<Self> {
        let child = command(&programs.daemon, site)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("starting {}", programs.daemon.display()))?;
        let mut daemon = Self(child);
        let started = Instant::now();
        while UnixStream::connect(site.socket()).is_err() {
            if let Some(status) = daemon.0.try_wait()? {
                bail!("hallpassd ended at once: {status}");
            }
            if started.elapsed() > PATIENCE {
                bail!("hallpassd does not listen");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(daemon)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// One request; the status, and the head and body as text.
fn get(site: &Site, target: &str, header: &str) -> anyhow::Result<(Option<u16>, String)> {
    let mut stream = UnixStream::connect(site.socket())?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let request =
        format!("GET {target} HTTP/1.1\r\nHost: demo\r\n{header}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    Ok((status, answer))
}
