//! Connects to MySQL or MariaDB and logs in, through TLS where that is asked for.

use mysql_async::{Conn, Error, Opts, OptsBuilder, SslOpts};
use rustls::crypto::ring;

use super::super::server::ConnectOptions;
use super::super::sizes::LARGEST_ROW;
use super::Mysql;
use super::error::{connecting, goes_on_without_tls, name_of_trusted};
use crate::{Address, Explained, Tls, TlsMode};

/// The longest packet that is received. A row is one.
const LARGEST_PACKET: usize = LARGEST_ROW;

/// A connection to the server at `address`.
///
/// # Errors
/// The cause and its fix, in words.
pub(super) async fn connect(
    connect: &ConnectOptions,
    address: &Address,
) -> Result<Mysql, Explained> {
    let ConnectOptions { tls, .. } = connect;
    let options = options(connect, address)?;
    if matches!(address, Address::Unix(_)) || tls.mode == TlsMode::Disable {
        let connected = log_in(connect, options).await;
        return connected.map_err(|error| connecting(&error));
    }
    // The driver uses the provider of the process.
    let _ = ring::default_provider().install_default();
    let protection = protection(tls)?;
    let mut connected = log_in(connect, options.clone().ssl_opts(protection.clone())).await;
    // Up to 0.37.1, the driver checks the name even where its options say not to.
    let name = connected.as_ref().err().and_then(name_of_trusted);
    if let (Some(name), true) = (name, tls.mode != TlsMode::VerifyFull) {
        let protection = protection.with_danger_tls_hostname_override(Some(name));
        connected = log_in(connect, options.clone().ssl_opts(protection)).await;
    }
    match connected {
        Err(error)
            if tls.mode == TlsMode::Prefer && goes_on_without_tls(&error, tls.ca.is_some()) =>
        {
            let connected = log_in(connect, options).await;
            connected.map_err(|error| connecting(&error))
        }
        connected => connected.map_err(|error| connecting(&error)),
    }
}

/// `ER_ACCESS_DENIED_ERROR`.
const ACCESS_DENIED: u16 = 1045;

/// Logs in. A refused login is tried once more, because the driver drops a zero byte at the end of
/// what the server asks to have signed with ed25519 (`AuthSwitchRequest::plugin_data` of mysql_common
/// 0.37.3): one such login in 256 is refused although the password is right.
async fn log_in(connect: &ConnectOptions, options: OptsBuilder) -> Result<Mysql, Error> {
    let options = Opts::from(options);
    let connection = match Conn::new(options.clone()).await {
        Err(Error::Server(error)) if error.code == ACCESS_DENIED => Conn::new(options).await?,
        connected => connected?,
    };
    Mysql::new(connection, connect.query_timeout, connect.writable).await
}

fn options(connect: &ConnectOptions, address: &Address) -> Result<OptsBuilder, String> {
    let servers = &connect.servers;
    let password = servers.password.as_ref().map(|password| {
        let text = std::str::from_utf8(password.expose());
        text.map(str::to_owned)
            .map_err(|_| "the `password` is not UTF-8".to_owned())
    });
    // The servers' own clients log in with the name of the system's user.
    let user = servers.user.clone().or_else(|| whoami::username().ok());
    let options = OptsBuilder::default()
        .user(user)
        .pass(password.transpose()?)
        .db_name(Some(&servers.database))
        // A limit given here is not queried from the server.
        .max_allowed_packet(Some(LARGEST_PACKET))
        .wait_timeout(Some(28_800))
        .prefer_socket(false)
        .stmt_cache_size(0_usize);
    Ok(match address {
        Address::Tcp { host, port } => options.ip_or_hostname(host.clone()).tcp_port(*port),
        Address::Unix(path) => options.socket(path.to_str()),
    })
}

/// The driver sets up TLS itself; the other stores use [`Tls::client`].
fn protection(tls: &Tls) -> Result<SslOpts, String> {
    let full = tls.mode == TlsMode::VerifyFull;
    let options = SslOpts::default();
    let trusted = match &tls.ca {
        // The driver needs some roots, though it does not use them then.
        None if !full => return Ok(options.with_danger_accept_invalid_certs(true)),
        _ => tls.trusted().map_err(|error| error.to_string())?,
    };
    let trusted = trusted.into_iter();
    let trusted = trusted.map(|root| root.as_ref().to_vec().into());
    Ok(options
        .with_disable_built_in_roots(true)
        .with_root_certs(trusted.collect())
        .with_danger_skip_domain_validation(!full))
}
