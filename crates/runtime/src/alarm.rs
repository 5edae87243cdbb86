//! The last resort of a program that answers once.

use std::io;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use hallpass_core::Deadline;
use nix::sys::signal::{SigEvent, SigevNotify, Signal};
use nix::sys::timer::{Expiration, Timer, TimerSetTimeFlags};
use nix::time::ClockId;
use signal_hook::consts::SIGALRM;

/// How long after the deadline the alarm goes off: what keeps the deadline by itself says so, and
/// why, in the log, and shall have the time to.
const MERCY: Duration = Duration::from_millis(200);

/// Ends the program with `code` a moment after `deadline`, whatever it is stuck in then: a file
/// system that does not answer, a hash that takes too long. A signal does it, since a thread that
/// waits would cost a program that is started for every question more than its question does.
///
/// # Errors
/// When the system has no timer to give.
pub fn exit_after(deadline: Deadline, code: u8) -> io::Result<()> {
    let armed = Arc::new(AtomicBool::new(true));
    signal_hook::flag::register_conditional_shutdown(SIGALRM, code.into(), armed)?;
    let notify = SigevNotify::SigevSignal {
        signal: Signal::SIGALRM,
        si_value: 0,
    };
    let mut timer = Timer::new(ClockId::CLOCK_MONOTONIC, SigEvent::new(notify))?;
    let left = Expiration::OneShot((deadline.remaining() + MERCY).into());
    timer.set(left, TimerSetTimeFlags::empty())?;
    // A timer that is dropped does not go off.
    mem::forget(timer);
    Ok(())
}
