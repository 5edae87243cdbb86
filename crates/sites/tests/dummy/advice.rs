//! Advises about what the doctor found, where only the dummy's own words help.

use crate::Problem;

/// What the administrator can do about `problem`.
pub(super) fn advice(problem: Problem<'_>) -> Option<String> {
    let advice = match problem {
        Problem::SessionsStale => "see that [dummy] table_prefix is not that of a copy of the site",
        _ => return None,
    };
    Some(advice.to_owned())
}
