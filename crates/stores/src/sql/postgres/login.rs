//! Connects to PostgreSQL and logs in, through TLS where that is asked for.

use super::super::server::ConnectOptions;
use super::error::{Error, connecting, is_about_tls, refuses_parameters};
use super::milliseconds;
use super::wire::{Login, Protection, Wire};
use crate::{Address, Explained, TlsMode};

/// A connection to the server at `address`, logged in.
///
/// # Errors
/// The cause and its fix, in words.
pub(super) async fn connect(
    options: &ConnectOptions,
    address: &Address,
) -> Result<Wire, Explained> {
    let protection = match (address, options.tls.mode) {
        (Address::Unix(_), _) | (_, TlsMode::Disable) => Protection::Plain,
        (_, mode) => {
            let client = options.tls.client().map_err(|error| error.to_string())?;
            match mode {
                // With `ca`, a server without a certificate is not trusted.
                TlsMode::Prefer if options.tls.ca.is_none() => Protection::Preferred(client),
                _ => Protection::Required(client),
            }
        }
    };
    match log_in(options, address, &protection).await {
        Ok(wire) => Ok(wire),
        // libpq goes on without TLS after these. The operator did not ask who the server is, so
        // nothing is lost.
        Err(error)
            if matches!(protection, Protection::Preferred(_))
                && (is_about_tls(&error) || error.code() == "28000") =>
        {
            let plain = log_in(options, address, &Protection::Plain).await;
            plain.map_err(|error| connecting(&error))
        }
        Err(error) => Err(connecting(&error)),
    }
}

/// Logs in at `address`. What is asked of the session is asked once more without, where a
/// pooler does not let it pass: each statement says then what it needs.
async fn log_in(
    options: &ConnectOptions,
    address: &Address,
    protection: &Protection,
) -> Result<Wire, Error> {
    let mut settings = format!(
        "-c default_transaction_read_only={} -c standard_conforming_strings=on \
         -c statement_timeout={}",
        if options.writable { "off" } else { "on" },
        milliseconds(options.query_timeout)
    );
    if let Some(schemas) = options.servers.quoted_search_path() {
        // A backslash keeps the server from splitting a value (`pg_split_opts` in PostgreSQL 15).
        let value = schemas.replace('\\', "\\\\").replace(' ', "\\ ");
        settings.push_str(&format!(" -c search_path={value}"));
    }
    let parameters = [
        ("client_encoding", "UTF8"),
        ("application_name", "hallpass"),
        ("options", settings.as_str()),
    ];
    let user = match &options.servers.user {
        Some(user) => user.clone(),
        None => whoami::username().map_err(|error| Error::Io(error.into()))?,
    };
    let login = Login {
        user: &user,
        password: options.servers.password.as_deref(),
        database: &options.servers.database,
        parameters: &parameters,
        in_the_clear: options.tls.mode == TlsMode::Disable,
    };
    let mut wire = Wire::connect(address, protection).await?;
    match wire.log_in(&login).await {
        Err(error) if refuses_parameters(&error) => {}
        done => return done.map(|()| wire),
    }
    let mut wire = Wire::connect(address, protection).await?;
    let login = Login {
        parameters: parameters.get(..2).unwrap_or_default(),
        ..login
    };
    wire.log_in(&login).await?;
    Ok(wire)
}
