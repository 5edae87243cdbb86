//! What systemd is told (sd_notify(3)).

use std::time::Duration;

use sd_notify::NotifyState;

/// Says that questions are answered from now on.
pub fn ready() {
    tell(NotifyState::Ready);
}

/// Says that the daemon is about to end.
pub fn stopping() {
    tell(NotifyState::Stopping);
}

/// Says again and again that the daemon lives, as often as the watchdog wants to hear it; never
/// returns where there is none.
pub async fn live() {
    match sd_notify::watchdog_enabled() {
        // A watchdog of no time at all is none.
        Some(limit) if limit >= SHORTEST => loop {
            tell(NotifyState::Watchdog);
            tokio::time::sleep(limit / 3).await;
        },
        _ => std::future::pending().await,
    }
}

const SHORTEST: Duration = Duration::from_millis(3);

/// Where nobody listens, nobody is told.
fn tell(state: NotifyState<'_>) {
    drop(sd_notify::notify(&[state]));
}
