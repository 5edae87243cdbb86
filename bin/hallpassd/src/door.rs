//! The ways in which the daemon is asked.

/// A way in which the daemon is asked; logs and metrics tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Door {
    /// `/auth`
    Auth,
    /// `/check`
    Check,
    /// A client of Dovecot's authentication.
    DovecotAuth,
    /// A FastCGI authorizer's.
    Fastcgi,
    /// A client of saslauthd.
    Saslauthd,
    /// `/session`
    Session,
    /// `/ticket`
    Ticket,
    /// A program of ours that asks the daemon in place of the stores.
    Via,
}

impl Door {
    /// The stable word for logs and metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Check => "check",
            Self::DovecotAuth => "dovecot-auth",
            Self::Fastcgi => "fastcgi",
            Self::Saslauthd => "saslauthd",
            Self::Session => "session",
            Self::Ticket => "ticket",
            Self::Via => "via",
        }
    }
}
