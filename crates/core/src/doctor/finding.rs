//! Defines a finding of the doctor.

/// One thing that the doctor examined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The stable name of what is checked.
    pub check: &'static str,
    /// Its status.
    pub status: Status,
    /// What was tried.
    pub tried: String,
    /// What was seen.
    pub seen: String,
    /// The fix; `None` where nothing is wrong.
    pub mend: Option<String>,
    /// Whether a store could not be reached.
    pub unreachable: bool,
}

/// The status of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// As it should be.
    Ok,
    /// It works, but not as well or as safely as it could.
    Warning,
    /// A client is or will be wrongly locked out, or let in.
    Problem,
}

impl Status {
    /// The stable word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

impl Finding {
    /// All is well.
    #[must_use]
    pub fn ok(check: &'static str, tried: impl Into<String>, seen: impl Into<String>) -> Self {
        Self {
            check,
            status: Status::Ok,
            tried: tried.into(),
            seen: seen.into(),
            mend: None,
            unreachable: false,
        }
    }

    /// Something could be better.
    #[must_use]
    pub fn warning(
        check: &'static str,
        tried: impl Into<String>,
        seen: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self {
            status: Status::Warning,
            mend: Some(mend.into()),
            ..Self::ok(check, tried, seen)
        }
    }

    /// Something is wrong.
    #[must_use]
    pub fn problem(
        check: &'static str,
        tried: impl Into<String>,
        seen: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self {
            status: Status::Problem,
            ..Self::warning(check, tried, seen, mend)
        }
    }

    /// The same, because a store could not be reached.
    #[must_use]
    pub fn unreachable(self) -> Self {
        Self {
            unreachable: true,
            ..self
        }
    }
}
