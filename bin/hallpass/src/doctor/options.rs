//! The command line of the doctor.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Debug, Default, Args)]
pub struct DoctorOptions {
    /// Look at it as this user of the system, in the environment that a server gives; needs root
    #[arg(long, value_name = "NAME")]
    pub as_user: Option<String>,
    /// Look at this server's configuration, which must point here
    #[arg(long, value_enum)]
    pub host: Option<HostKind>,
    /// Where that server's configuration is [default: where the system has it]
    #[arg(long, value_name = "FILE", requires = "host")]
    pub host_config: Option<PathBuf>,
    /// What `--as-user` starts
    #[arg(long, hide = true)]
    pub detached: bool,
}

/// A server whose configuration can be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HostKind {
    /// Apache 2.4
    Apache,
    /// Caddy
    Caddy,
    /// Dovecot
    Dovecot,
    /// ejabberd
    Ejabberd,
    /// lighttpd
    Lighttpd,
    /// nginx
    Nginx,
    /// PAM
    Pam,
    /// Prosody
    Prosody,
    /// Squid
    Squid,
}
