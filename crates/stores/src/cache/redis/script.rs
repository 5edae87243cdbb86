//! Runs a script that counts: `EVAL` (Redis 2.6).

use super::cluster::{redirection, slot_of};
use super::conversation::{done, refused, reply};
use super::resp::{self, Reply};
use crate::cache::connection::{Connection, Failure, Malformed};
use crate::{Address, Cause, Deadline, Explained};

/// The answer to a script.
pub(in crate::cache) enum Redirected {
    /// The numbers that it gives.
    Answer(Vec<i64>),
    /// Another node of the cluster has the keys, and whether it is still taking them over.
    To(Address, bool),
}

/// Sends `script`, an `EVAL` whose keys are all in the slot of `key`, and receives its numbers.
pub(in crate::cache) fn reply_to_script(
    connection: &mut Connection,
    key: &[u8],
    script: &[u8],
    asking: bool,
    deadline: Deadline,
) -> Result<Redirected, Failure> {
    if asking {
        connection.send(&resp::command(&[b"ASKING"]), deadline)?;
        done(connection, deadline)?;
    }
    connection.send(script, deadline)?;
    match reply(connection, deadline)? {
        Reply::Array(Some(numbers)) => {
            let number = |reply| match reply {
                Reply::Integer(number) => Some(number),
                _ => None,
            };
            let numbers: Option<Vec<i64>> = numbers.into_iter().map(number).collect();
            let numbers = numbers.ok_or_else(|| connection.malformed(Malformed::Garbage))?;
            Ok(Redirected::Answer(numbers))
        }
        Reply::Error(error) => match redirection(&error, slot_of(key), connection.address()) {
            Some(Ok(to)) => Ok(Redirected::To(to.address, to.asking)),
            Some(Err(wrong)) => Err(connection.down(&format!("answers MOVED or ASK, {wrong}"))),
            None => Err(refusal(connection, &error)),
        },
        _ => Err(connection.malformed(Malformed::Garbage)),
    }
}

/// The failure for an error of a script, or of a command in it.
fn refusal(connection: &Connection, error: &str) -> Failure {
    let lacks = error.starts_with("NOPERM") || error.contains("ACL failure");
    if lacks {
        let message = format!(
            "{} answers NOPERM: this user may not count there: it needs +eval, +get, +incrby, \
             +pttl, +pexpire and the keys hallpass:*",
            connection.name()
        );
        return Failure::Refused(Explained {
            message,
            cause: Cause::Privilege,
        });
    }
    match error.split(' ').next() {
        Some("OOM") => connection.down("answers OOM: its memory is full"),
        Some("MISCONF") => {
            connection.down("answers MISCONF: it cannot save, and so takes no writes")
        }
        Some("NOREPLICAS") => {
            connection.down("answers NOREPLICAS: it takes no writes without them")
        }
        _ => refused(connection, error),
    }
}
