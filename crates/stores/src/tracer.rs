//! Traces what is read and decided while a request is answered.

use std::fmt;
use std::sync::Arc;

/// One thing that was read or decided on the way to an answer. No secret is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceEvent {
    /// Its subject, a stable word: `database`, `signature`, `password`.
    pub subject: &'static str,
    /// Whether it speaks for granting access; `None` where it decides nothing.
    pub holds: Option<bool>,
    /// The action and its result, in words for the operator.
    pub said: String,
}

/// Receives trace events, on any thread.
pub trait Trace: Send + Sync {
    /// Receives one.
    fn step(&self, step: TraceEvent);
}

/// Passes events on to a [`Trace`], if there is one; without one, no text is made.
#[derive(Clone, Default)]
pub struct Tracer(Option<Arc<dyn Trace>>);

impl Tracer {
    /// Passes every event on to `trace`.
    #[must_use]
    pub fn new(trace: Arc<dyn Trace>) -> Self {
        Self(Some(trace))
    }

    /// Whether there is a [`Trace`].
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.0.is_some()
    }

    /// Traces a step that decides nothing.
    pub fn read(&self, subject: &'static str, said: impl FnOnce() -> String) {
        self.trace(subject, None, said);
    }

    /// Traces a decision, and returns it.
    pub fn decided(
        &self,
        subject: &'static str,
        holds: bool,
        said: impl FnOnce() -> String,
    ) -> bool {
        self.trace(subject, Some(holds), said);
        holds
    }

    fn trace(&self, subject: &'static str, holds: Option<bool>, said: impl FnOnce() -> String) {
        if let Some(trace) = &self.0 {
            trace.step(TraceEvent {
                subject,
                holds,
                said: said(),
            });
        }
    }
}

impl fmt::Debug for Tracer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.0.is_some() {
            "Tracer"
        } else {
            "no tracer"
        })
    }
}
