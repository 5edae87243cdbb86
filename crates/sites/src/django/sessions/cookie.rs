//! Sessions that the visitor's cookie holds: `django.contrib.sessions.backends.signed_cookies`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hallpass_stores::Tracer;

use super::{Containers, Found};
use crate::Reason;

/// As `SessionStore.load` in contrib/sessions/backends/signed_cookies.py, 5.2: the signature's age
/// is all that ends such a session, whatever expiry is set in it.
pub(super) fn find(
    cookie: &str,
    age: u64,
    containers: &Containers,
    now: SystemTime,
    tracer: &Tracer,
) -> Result<Found, Reason> {
    let opened = containers.open(cookie.as_bytes(), tracer)?;
    let since_1970 = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let young = !opened.seal.is_older_than(age, since_1970.as_secs_f64());
    let told = || {
        format!(
            "signed at {:?}, in Unix seconds, and good for {age} s",
            opened.seal.signed_at
        )
    };
    if !tracer.decided("expiry", young, told) {
        return Err(Reason::ExpiredSession);
    }
    let expires = opened
        .seal
        .signed_at
        .and_then(|signed_at| u64::try_from(signed_at).ok()?.checked_add(age))
        .and_then(|expires| UNIX_EPOCH.checked_add(Duration::from_secs(expires)));
    opened.found("the cookie itself", expires)
}
