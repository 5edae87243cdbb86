//! Asks ejabberd about the connections of a user, and has one ended.
//!
//! Source: `user_sessions_info`, `kick_session` (mod_admin_extra) and `kick_user` of ejabberd 23.01, by
//! mod_http_api, which takes and gives JSON, and by ejabberdctl, which gives tab-separated lines.

use std::collections::HashMap;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hallpass_core::configuration::Kick;
use hallpass_core::{Deadline, Unavailable};
use hallpass_stores::http::{Probe, Url, probe};
use hallpass_stores::{Tls, TlsMode};
use rustix::process::{Pid, Signal};
use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// The reason that the client is given.
const REASON: &str = "Logged out";
/// How often it is looked whether ejabberdctl has ended.
const PAUSE: Duration = Duration::from_millis(10);
/// The most bytes that ejabberdctl may write.
const LONGEST: u64 = 64 * 1024;

/// A connection of a user.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Stream {
    pub resource: String,
    pub ip: String,
    pub port: i64,
    /// For how long it has been there, in whole seconds, where that is known.
    pub uptime: Option<u64>,
    /// How much longer or shorter it may be.
    #[serde(skip)]
    pub blur: Duration,
}

/// A user of ejabberd: the parts of a bare JID.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Jid {
    pub user: String,
    pub host: String,
}

/// The connections of `jid`.
///
/// # Errors
/// [`Unavailable`] when ejabberd does not answer, or refuses.
pub fn streams(kick: &Kick, jid: &Jid, deadline: Deadline) -> Result<Vec<Stream>, Unavailable> {
    const COMMAND: &str = "user_sessions_info";
    match kick {
        Kick::Api(url) => {
            let answer = post(
                url,
                COMMAND,
                &json!({ "user": jid.user, "host": jid.host }),
                deadline,
            )?;
            serde_json::from_value(answer)
                .map_err(|_| refused(COMMAND, "not a list of connections"))
        }
        Kick::Ejabberdctl => {
            let begun = Instant::now();
            let lines = run(&[COMMAND, &jid.user, &jid.host], deadline)?;
            if parse(&lines).next().is_none() {
                return Ok(Vec::new());
            }
            let resources = run(&["user_resources", &jid.user, &jid.host], deadline)?;
            Ok(listed(&lines, &resources, begun.elapsed()))
        }
    }
}

/// Whether a call starts a program, which takes a good part of a second of the processor's time.
pub fn is_slow(kick: &Kick) -> bool {
    matches!(kick, Kick::Ejabberdctl)
}

/// Ends the connection of `jid` that has this `resource`, or all of them.
///
/// # Errors
/// As [`streams`].
pub fn kick(
    kick: &Kick,
    jid: &Jid,
    resource: Option<&str>,
    deadline: Deadline,
) -> Result<(), Unavailable> {
    let Jid { user, host } = jid;
    match (kick, resource) {
        (Kick::Api(url), Some(resource)) => {
            let what =
                json!({ "user": user, "host": host, "resource": resource, "reason": REASON });
            post(url, "kick_session", &what, deadline).map(drop)
        }
        (Kick::Api(url), None) => {
            let what = json!({ "user": user, "host": host });
            post(url, "kick_user", &what, deadline).map(drop)
        }
        (Kick::Ejabberdctl, Some(resource)) => {
            run(&["kick_session", user, host, resource, REASON], deadline).map(drop)
        }
        (Kick::Ejabberdctl, None) => run(&["kick_user", user, host], deadline).map(drop),
    }
}

/// The answer of ejabberd's API at `url` to `command`.
fn post(url: &Url, command: &str, what: &Value, deadline: Deadline) -> Result<Value, Unavailable> {
    let url: Url = format!("{}/{command}", url.to_string().trim_end_matches('/'))
        .parse()
        .map_err(|wrong| refused(command, wrong))?;
    let body = what.to_string();
    let request = Probe {
        method: "POST",
        headers: vec![("Content-Type", Zeroizing::new(b"application/json".to_vec()))],
        body: body.as_bytes(),
    };
    let tls = Tls {
        mode: TlsMode::VerifyFull,
        ca: None,
    };
    let reply = probe(&url, &tls, &request, deadline)?;
    if reply.status != 200 {
        let status = format!(
            "status {}: let Hallpass's address use it in `api_permissions` of ejabberd.yml, and load \
             mod_admin_extra",
            reply.status
        );
        return Err(refused(command, &status));
    }
    serde_json::from_slice(&reply.body).map_err(|_| refused(command, "not JSON"))
}

/// What ejabberdctl writes.
fn run(arguments: &[&str], deadline: Deadline) -> Result<String, Unavailable> {
    let command = arguments.first().copied().unwrap_or_default();
    let mut child = Command::new("ejabberdctl")
        .args(arguments)
        // Names and resources that are not ASCII are refused in other locales.
        .env("LC_ALL", "C.UTF-8")
        // It is a shell script, which starts Erlang.
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| refused(command, &format!("cannot start ejabberdctl: {error}")))?;
    let ended = wait(&mut child, deadline);
    if !matches!(ended, Ok(true)) {
        // It may have ended meanwhile.
        let _ = rustix::process::kill_process_group(Pid::from_child(&child), Signal::KILL);
        let _ = child.wait();
    }
    match ended {
        Ok(true) => {}
        Ok(false) => return Err(refused(command, "ejabberdctl reports a failure")),
        Err(why) => return Err(refused(command, why)),
    }
    let mut written = String::new();
    let output = child.stdout.take();
    let read = output.map(|output| output.take(LONGEST).read_to_string(&mut written));
    match read {
        Some(Ok(_)) => Ok(written),
        _ => Err(refused(command, "cannot read what ejabberdctl writes")),
    }
}

/// Whether `child` has ended well.
fn wait(child: &mut Child, deadline: Deadline) -> Result<bool, &'static str> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status.success()),
            Ok(None) if deadline.passed() => return Err("ejabberdctl does not end in time"),
            Ok(None) => std::thread::sleep(PAUSE.min(deadline.remaining())),
            Err(_) => return Err("ejabberdctl cannot be waited for"),
        }
    }
}

/// The connections by the `lines` of `user_sessions_info` and those of `user_resources`.
///
/// The last field of the former is the text of the client's presence, which may hold line ends and so
/// further lines; nothing that a client chooses can add one to the latter. A connection of which there
/// are several lines has an unknown age. To ask for both took so long.
pub fn listed(lines: &str, resources: &str, took: Duration) -> Vec<Stream> {
    let mut known: HashMap<&str, Option<u64>> = HashMap::new();
    for (resource, uptime) in parse(lines) {
        known
            .entry(resource)
            .and_modify(|uptime| *uptime = None)
            .or_insert(Some(uptime));
    }
    let streams = resources.lines().filter_map(|resource| {
        let uptime = known.remove(resource)?;
        Some(Stream {
            resource: resource.to_owned(),
            ip: String::new(),
            port: 0,
            uptime,
            blur: took,
        })
    });
    streams.collect()
}

/// The resource and the uptime in each line of `user_sessions_info`: connection, address, port,
/// priority, node, uptime, status, resource and status text. Other lines, as Erlang's warnings, are
/// left out.
fn parse(lines: &str) -> impl Iterator<Item = (&str, u64)> {
    lines.lines().filter_map(|line| {
        let mut fields = line.split('\t').skip(5);
        let uptime = fields.next()?.parse().ok()?;
        Some((fields.nth(1)?, uptime))
    })
}

fn refused(command: &str, why: &str) -> Unavailable {
    Unavailable::new(format!("ejabberd's {command}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The resources and ages in what ejabberdctl writes.
    fn read(lines: &str, resources: &str) -> Vec<(String, Option<u64>)> {
        let streams = listed(lines, resources, Duration::from_secs(1)).into_iter();
        streams.map(|it| (it.resource, it.uptime)).collect()
    }

    #[test]
    fn lines_of_ejabberdctl_are_read() {
        // Of ejabberd 23.01, with a warning of Erlang's on the same channel.
        let lines = "=ERROR REPORT==== 30-Nov-2026::18:38:42.716934 ===\n\
            inet_config: file /etc/ejabberd/inetrc not found\n\n\
            c2s\t127.0.0.1\t58552\t0\thp@localhost\t4\tavailable\twe b\tx\n\
            c2s_tls\t::ffff:127.0.0.1\t42656\t0\tejabberd@localhost\t12\tavailable\tBüro\t\n";
        let expected = [("we b".to_owned(), Some(4)), ("Büro".to_owned(), Some(12))];
        assert_eq!(read(lines, "=ERROR REPORT====\n\nwe b\nBüro\n"), expected);
        for wrong in [
            "",
            "x",
            "c2s\tip\t1\t0\tn\tx\ts\tr\t",
            "c2s\tip\t1\t0\tn\t-1\ts\tr\t",
        ] {
            assert_eq!(read(wrong, "r\n"), [], "{wrong:?}");
        }
    }

    #[test]
    fn a_text_of_presence_invents_no_connection_and_no_age() {
        let own = "c2s\t127.0.0.1\t1\t0\tn\t40\tavailable\tweb\tx\n";
        let forged = |resource| format!("{own}c2s\t1.2.3.4\t5\t0\tn\t0\tavailable\t{resource}\t\n");
        let web = |age| [("web".to_owned(), age)];
        assert_eq!(read(&forged("other"), "web\n"), web(Some(40)));
        assert_eq!(read(&forged("web"), "web\n"), web(None));
        assert_eq!(read(&forged(""), "web\n"), web(Some(40)));
    }

    #[test]
    fn a_list_of_the_api_is_read_and_nothing_else() {
        let whole = r#"[{"connection":"c2s_tls","ip":"127.0.0.1","port":1,"priority":0,
            "node":"n","uptime":2,"status":"available","resource":"web","statustext":""}]"#;
        let streams: Vec<Stream> = serde_json::from_str(whole).unwrap();
        assert_eq!(streams[0].resource, "web");
        for other in ["0", "{}", "[{}]", "[{\"resource\":\"web\"}]", "[1]"] {
            assert!(
                serde_json::from_str::<Vec<Stream>>(other).is_err(),
                "{other}"
            );
        }
    }
}
