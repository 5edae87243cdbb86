//! Advises the operator in the words of Rails' and Devise's settings.

use crate::Problem;

/// What the administrator can do about `problem`.
pub(super) fn advice(problem: Problem<'_>) -> Option<String> {
    let text = match problem {
        Problem::SessionsElsewhere(begin) => {
            return Some(format!("write [rails] session_prefix = \"{begin}\""));
        }
        Problem::SessionsInDatabase(number) => {
            return Some(format!(
                "write the number {number} as the path of [rails] cache: `redis://…/{number}`"
            ));
        }
        Problem::AccountsWithoutName => {
            "put the column that people log in with into [rails] username_column"
        }
        Problem::SignedWithAnotherKey => {
            "put the site's secret_key_base into [rails] secret_key_base (and its Rails into version)"
        }
        Problem::SomeSignedWithAnotherKey => {
            "put the site's older ones into [rails] secret_key_bases, if it still accepts them"
        }
        Problem::SessionsStale => "see that [rails] password_column is the site's",
        Problem::SessionsUndecodable => {
            "see that [rails] session_store is the site's, and that its sessions are Marshal or JSON"
        }
        Problem::SessionsWithoutAccount => "put the site's table into [rails] user_table",
        _ => return None,
    };
    Some(text.to_owned())
}
