//! Protects the memory of the process, and ends it by a signal or at a deadline.

use std::io;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use hallpass_core::Deadline;
use nix::sys::signal::{SigEvent, SigevNotify, Signal};
use nix::sys::timer::{Expiration, Timer, TimerSetTimeFlags};
use nix::time::ClockId;
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit,
};
use signal_hook::consts::{SIGALRM, SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// How long after the deadline the alarm goes off: code that keeps the deadline by itself has this
/// long to log why it gave up.
const GRACE: Duration = Duration::from_millis(200);

/// Switches core dumps off, and keeps processes of the same user from reading this one's memory
/// (`ptrace`, `/proc/PID/mem`). Every program does so before anything else.
///
/// A limit of no bytes does not bind a core handler that is a program (core(5)), but a process that
/// is not dumpable leaves nothing to it. After an exec only the limit is left.
pub fn harden() {
    let none = Rlimit {
        current: Some(0),
        maximum: getrlimit(Resource::Core).maximum,
    };
    // The program answers even if the system refuses either.
    let _ = setrlimit(Resource::Core, none);
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// Runs `then` on a thread of its own at the first SIGTERM or SIGINT; the second one ends the
/// program at once.
///
/// # Errors
/// When the signals cannot be caught.
pub fn on_terminate(then: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            let mut received = signals.forever();
            if received.next().is_some() {
                then();
            }
            if received.next().is_some() {
                std::process::exit(128 + SIGTERM);
            }
        })?;
    Ok(())
}

/// Runs `reload` at each SIGHUP, and `terminate` as [`on_terminate`] does, on one thread.
///
/// # Errors
/// When the signals cannot be caught.
pub fn on_signals(
    mut reload: impl FnMut() + Send + 'static,
    terminate: impl FnOnce() + Send + 'static,
) -> io::Result<()> {
    let mut signals = Signals::new([SIGHUP, SIGTERM, SIGINT])?;
    let mut terminate = Some(terminate);
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for signal in signals.forever() {
                if signal == SIGHUP {
                    reload();
                } else if let Some(terminate) = terminate.take() {
                    terminate();
                } else {
                    std::process::exit(128 + SIGTERM);
                }
            }
        })?;
    Ok(())
}

/// Ends the program with `code` a moment after `deadline`, even if it is stuck: in a file system
/// that does not answer, or a hash that takes too long. A signal does it, because a waiting thread
/// would cost a one-shot program more than its request does.
///
/// # Errors
/// When the system gives no timer.
pub fn exit_after(deadline: Deadline, code: u8) -> io::Result<()> {
    let armed = Arc::new(AtomicBool::new(true));
    signal_hook::flag::register_conditional_shutdown(SIGALRM, code.into(), armed)?;
    let notify = SigEvent::new(SigevNotify::SigevSignal {
        signal: Signal::SIGALRM,
        si_value: 0,
    });
    let mut timer = Timer::new(ClockId::CLOCK_MONOTONIC, notify)?;
    let left = Expiration::OneShot((deadline.remaining() + GRACE).into());
    timer.set(left, TimerSetTimeFlags::empty())?;
    // A timer that is dropped does not go off.
    mem::forget(timer);
    Ok(())
}
