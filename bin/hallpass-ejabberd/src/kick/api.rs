//! Asks ejabberd about the connections of a user, and has one ended.
//!
//! Source: `user_sessions_info`, `kick_session` (mod_admin_extra) and `kick_user` of ejabberd 23.01, by
//! mod_http_api, which takes and gives JSON, and by ejabberdctl, which gives tab-separated lines.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hallpass_core::configuration::Kick;
use hallpass_core::{Deadline, Unavailable};
use hallpass_stores::http::{Probe, Url, probe};
use hallpass_stores::{Tls, TlsMode};
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
    /// For how long it has been there, in whole seconds.
    pub uptime: u64,
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
            let lines = run(&[COMMAND, &jid.user, &jid.host], deadline)?;
            let streams = lines.lines().filter(|line| !line.is_empty()).map(parse);
            let streams: Option<Vec<Stream>> = streams.collect();
            streams.ok_or_else(|| refused(COMMAND, "not a list of connections"))
        }
    }
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
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| refused(command, &format!("cannot start ejabberdctl: {error}")))?;
    let ended = wait(&mut child, deadline);
    if !matches!(ended, Ok(true)) {
        // It may have ended meanwhile.
        let _ = child.kill();
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

/// A line of `user_sessions_info`: connection, address, port, priority, node, uptime, status,
/// resource and status text.
fn parse(line: &str) -> Option<Stream> {
    let fields: Vec<&str> = line.split('\t').collect();
    let field = |place: usize| fields.get(place).copied();
    Some(Stream {
        ip: field(1)?.to_owned(),
        port: field(2)?.parse().ok()?,
        uptime: field(5)?.parse().ok()?,
        resource: field(7)?.to_owned(),
    })
}

fn refused(command: &str, why: &str) -> Unavailable {
    Unavailable::new(format!("ejabberd's {command}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_ejabberdctl_are_read() {
        let line = "c2s_tls\t::ffff:127.0.0.1\t42656\t0\tejabberd@localhost\t12\tavailable\ta b\t";
        let stream = parse(line).unwrap();
        assert_eq!(
            (stream.resource.as_str(), stream.port, stream.uptime),
            ("a b", 42656, 12)
        );
        for line in [
            "",
            "x",
            "c2s\tip\tport\t0\tn\t1\ts\tr\t",
            "c2s\tip\t1\t0\tn\tx\ts\tr\t",
        ] {
            assert_eq!(parse(line), None, "{line:?}");
        }
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
