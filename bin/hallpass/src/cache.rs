//! Flushes the daemon's cache of verified passwords, or prints its statistics.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use hallpass_core::configuration::Listener;
use hallpass_core::{Configuration, Deadline};
use hallpass_runtime::CommandLine;
use hallpass_runtime::via::http::{self, Answer};
use serde_json::Value;

use crate::options::{CacheCommand, CacheOptions};
use crate::terminal::{UNAVAILABLE, complain, line};

/// Has the daemon flush its cache, or prints its statistics.
pub fn run(common: &CommandLine, command: CacheCommand, as_json: bool) -> anyhow::Result<ExitCode> {
    let configuration = common.configuration()?;
    let (CacheCommand::Flush(CacheOptions { socket })
    | CacheCommand::Stats(CacheOptions { socket })) = &command;
    let socket = match socket {
        Some(socket) => socket.clone(),
        None => socket_of(&configuration)?,
    };
    let deadline = Deadline::after(configuration.limits.deadline);
    let answer = match &command {
        CacheCommand::Flush(_) => http::post(
            &socket,
            &path(&configuration, "/cache/flush"),
            &[],
            deadline,
        ),
        CacheCommand::Stats(_) => {
            http::get(&socket, &path(&configuration, "/cache/stats"), deadline)
        }
    };
    let Answer { status, body } = match answer {
        Ok(answer) => answer,
        Err(error) => {
            let socket = socket.display();
            complain(&format!(
                "cannot ask hallpassd at {socket}: {error}; is it running?"
            ));
            return Ok(UNAVAILABLE.into());
        }
    };
    if status != 200 {
        bail!(
            "the server at {} is not a hallpassd that knows this site",
            socket.display()
        );
    }
    let told: Value = serde_json::from_slice(&body).context("hallpassd's answer")?;
    if as_json {
        line(&told.to_string());
    } else {
        let number = |key: &str| told.get(key).and_then(Value::as_u64).unwrap_or_default();
        line(&match command {
            CacheCommand::Flush(_) => format!("{} forgotten", number("flushed")),
            CacheCommand::Stats(_) => format!(
                "{} of {} remembered, {} hits, {} misses",
                number("entries"),
                number("limit"),
                number("hits"),
                number("misses")
            ),
        });
    }
    Ok(ExitCode::SUCCESS)
}

/// Where the daemon of the site listens, by the configuration.
fn socket_of(configuration: &Configuration) -> anyhow::Result<PathBuf> {
    let via = configuration.via.as_ref().map(|via| via.socket.clone());
    let listens = configuration
        .daemon
        .listen
        .iter()
        .find_map(|listener| match listener {
            Listener::Unix { path, .. } => Some(Path::to_owned(path)),
            Listener::Tcp(_) => None,
        });
    via.or(listens)
        .context("the configuration names no unix socket of hallpassd; name one with --socket")
}

fn path(configuration: &Configuration, path: &str) -> String {
    match &configuration.name {
        Some(name) => format!("/{name}{path}"),
        None => path.to_owned(),
    }
}
