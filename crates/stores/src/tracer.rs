//! Traces what is read and decided while a request is answered.

use std::fmt;
use std::sync::Arc;

/// One thing that was read or decided on the way to an answer. No secret is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceEvent {
    /// What it is about, in a stable word: `database`, `signature`, `password`.
    pub subject: &'static str,
    /// Whether it speaks for letting somebody in; `None` where it decides nothing.
    pub holds: Option<bool>,
    /// What was done and what came of it, in words for the administrator.
    pub said: String,
}

/// Takes note of steps, on whatever thread they are taken.
pub trait Trace: Send + Sync {
    /// Takes note of one.
    fn step(&self, step: TraceEvent);
}

/// An observer, or none. Without one nothing is put into words.
#[derive(Clone, Default)]
pub struct Tracer(Option<Arc<dyn Trace>>);

impl Tracer {
    /// Tells `observer` of every step.
    #[must_use]
    pub fn new(observer: Arc<dyn Trace>) -> Self {
        Self(Some(observer))
    }

    /// Whether anybody looks on.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.0.is_some()
    }

    /// Tells of a step that decides nothing.
    pub fn read(&self, subject: &'static str, said: impl FnOnce() -> String) {
        self.tell(subject, None, said);
    }

    /// Tells of a decision, and gives it back.
    pub fn decided(
        &self,
        subject: &'static str,
        holds: bool,
        said: impl FnOnce() -> String,
    ) -> bool {
        self.tell(subject, Some(holds), said);
        holds
    }

    fn tell(&self, subject: &'static str, holds: Option<bool>, said: impl FnOnce() -> String) {
        if let Some(observer) = &self.0 {
            observer.step(TraceEvent {
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
