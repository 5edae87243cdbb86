//! Seals and opens tickets: short-lived tokens that stand for a session, for hosts that receive no
//! cookies.
//!
//! A ticket is `base64url(nonce ‖ XChaCha20-Poly1305(expiry ‖ token))`, without padding: 24 random
//! bytes, then the Unix second from which the ticket is void (8 bytes, big-endian) and the session
//! token, encrypted and authenticated
//! (draft-irtf-cfrg-xchacha-03) under the SHA-256 of a purpose and the configured key. The session is looked up
//! again whenever the ticket is shown, so the site's logout ends the ticket, too.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use crate::{Credential, Reason, Secret, cookie};

/// What the ticket is for, so that the configured key can have no other meaning.
const PURPOSE: &[u8] = b"hallpass ticket 1\0";
/// Bytes of the nonce.
const NONCE: usize = 24;
/// The longest session token that a ticket stands for: as long as a cookie can be.
const LONGEST_TOKEN: usize = 4096;
/// The longest ticket that is looked at.
const LONGEST_TICKET: usize = (NONCE + 8 + LONGEST_TOKEN + 16).div_ceil(3) * 4;

/// Makes tickets of session tokens, and session tokens of tickets.
pub struct Tickets {
    cipher: XChaCha20Poly1305,
    lifetime: Duration,
}

/// Why no ticket could be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoTicket {
    /// The operating system gave no random bytes.
    #[error("the system gives no random numbers")]
    Random,
    /// The session token is longer than a cookie can be.
    #[error("the session token is longer than {LONGEST_TOKEN} bytes")]
    TooLong,
}

impl Tickets {
    /// Tickets under `key`, of 32 bytes or more, that are void `lifetime` after they were made.
    #[must_use]
    pub fn new(key: &Secret, lifetime: Duration) -> Self {
        let mut key = Sha256::new()
            .chain_update(PURPOSE)
            .chain_update(key.expose())
            .finalize();
        let cipher = XChaCha20Poly1305::new(&key);
        key.zeroize();
        Self { cipher, lifetime }
    }

    /// A ticket for the session that `token` names, made at `now`.
    ///
    /// # Errors
    /// [`NoTicket`].
    pub fn issue(&self, token: &Secret, now: SystemTime) -> Result<String, NoTicket> {
        if token.expose().len() > LONGEST_TOKEN {
            return Err(NoTicket::TooLong);
        }
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(|_| NoTicket::Random)?;
        let void = seconds(now).saturating_add(self.lifetime.as_secs());
        let mut plain = Zeroizing::new(Vec::with_capacity(8 + token.expose().len()));
        plain.extend_from_slice(&void.to_be_bytes());
        plain.extend_from_slice(token.expose());
        let sealed = self
            .cipher
            .encrypt(&XNonce::from(nonce), Payload::from(plain.as_slice()))
            .map_err(|_| NoTicket::TooLong)?;
        Ok(URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat()))
    }

    /// The moment from which a ticket made at `now` is void.
    #[must_use]
    pub fn void_from(&self, now: SystemTime) -> SystemTime {
        let void = Duration::from_secs(seconds(now).saturating_add(self.lifetime.as_secs()));
        // Past what the system's clock can hold, it is as good as never.
        UNIX_EPOCH.checked_add(void).unwrap_or(now)
    }

    /// The session token that `ticket`, shown at `now`, stands for.
    ///
    /// # Errors
    /// [`Reason::InvalidSession`] for what was not made under this key, [`Reason::ExpiredSession`]
    /// for what is too old.
    pub fn open(&self, ticket: &[u8], now: SystemTime) -> Result<Secret, Reason> {
        let invalid = Reason::InvalidSession;
        if ticket.len() > LONGEST_TICKET {
            return Err(invalid);
        }
        let bytes = URL_SAFE_NO_PAD.decode(ticket).map_err(|_| invalid)?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE>().ok_or(invalid)?;
        let plain = self
            .cipher
            .decrypt(&XNonce::from(*nonce), sealed)
            .map(Zeroizing::new)
            .map_err(|_| invalid)?;
        let (void, token) = plain.split_first_chunk::<8>().ok_or(invalid)?;
        if seconds(now) >= u64::from_be_bytes(*void) {
            return Err(Reason::ExpiredSession);
        }
        Ok(Secret::new(token))
    }
}

impl Tickets {
    /// The session that `ticket`, shown at `now`, stands for, as a credential of its own.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn session(&self, ticket: &[u8], now: SystemTime) -> Result<Credential, Reason> {
        let token = self.open(ticket, now)?;
        Ok(match cookie::header_in(&token) {
            Some(header) => Credential::Cookies(header),
            None => Credential::Session(token),
        })
    }
}

impl std::fmt::Debug for Tickets {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Tickets(…)")
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn tickets() -> Tickets {
        let key = Secret::new("0123456789abcdef0123456789abcdef");
        Tickets::new(&key, Duration::from_secs(60))
    }

    fn token() -> Secret {
        Secret::new("zr0iuznb2bnxxcqbkv0lh9qcd0yj9j4c")
    }

    #[test]
    fn a_ticket_stands_for_its_session_for_a_while() {
        let ticket = tickets().issue(&token(), at(1_000)).unwrap();
        assert!(
            ticket
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        );
        for now in [0, 1_000, 1_059] {
            let opened = tickets().open(ticket.as_bytes(), at(now)).unwrap();
            assert_eq!(opened.expose(), token().expose());
        }
        for now in [1_060, 1_061, u64::from(u32::MAX)] {
            let opened = tickets().open(ticket.as_bytes(), at(now));
            assert_eq!(opened.unwrap_err(), Reason::ExpiredSession);
        }
    }

    #[test]
    fn a_ticket_does_not_tell_its_session() {
        let one = tickets().issue(&token(), at(1_000)).unwrap();
        let other = tickets().issue(&token(), at(1_000)).unwrap();
        assert_ne!(one, other);
        let bytes = URL_SAFE_NO_PAD.decode(one).unwrap();
        assert!(
            !bytes
                .windows(4)
                .any(|four| token().expose().windows(4).any(|f| f == four))
        );
    }

    #[test]
    fn nothing_else_is_a_ticket() {
        let ticket = tickets().issue(&token(), at(1_000)).unwrap();
        let refused = |ticket: &[u8]| tickets().open(ticket, at(1_001)).unwrap_err();
        for at in 0..ticket.len() {
            for bit in 0..8 {
                let mut changed = ticket.clone().into_bytes();
                changed[at] ^= 1 << bit;
                assert_eq!(refused(&changed), Reason::InvalidSession, "{at}");
            }
            assert_eq!(refused(&ticket.as_bytes()[..at]), Reason::InvalidSession);
        }
        for more in ["=", "A", "AA", ".", "\n"] {
            let longer = format!("{ticket}{more}");
            assert_eq!(refused(longer.as_bytes()), Reason::InvalidSession);
        }
        assert_eq!(refused(&vec![b'A'; 1 << 20]), Reason::InvalidSession);
        let other = Tickets::new(
            &Secret::new("another key of thirty-two bytes."),
            Duration::from_secs(60),
        );
        let opened = other.open(ticket.as_bytes(), at(1_001));
        assert_eq!(opened.unwrap_err(), Reason::InvalidSession);
    }

    #[test]
    fn no_ticket_is_longer_than_can_be_opened() {
        let longest = Secret::new(vec![b'a'; LONGEST_TOKEN]);
        let ticket = tickets().issue(&longest, at(0)).unwrap();
        assert!(tickets().open(ticket.as_bytes(), at(1)).is_ok());
        let longer = Secret::new(vec![b'a'; LONGEST_TOKEN + 1]);
        assert_eq!(tickets().issue(&longer, at(0)), Err(NoTicket::TooLong));
    }
}
