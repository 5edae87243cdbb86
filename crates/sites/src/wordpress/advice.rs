//! Advises the operator in WordPress' words.

use hallpass_stores::Unavailable;
use hallpass_stores::sql::Queries;

use super::settings::Wordpress;
use crate::{Overlooked, Problem};

/// What the administrator can do about `problem`.
pub(super) fn advice(problem: Problem<'_>) -> Option<String> {
    let advice = match problem {
        Problem::AlgorithmNotAllowed(_) => {
            "put the site's WordPress into [wordpress] version: before 6.8 it knows other hashes"
        }
        Problem::SignedWithAnotherKey | Problem::SomeSignedWithAnotherKey => {
            "put LOGGED_IN_KEY and LOGGED_IN_SALT of the site's wp-config.php into [wordpress] \
             logged_in_key and logged_in_salt, and its WordPress into version"
        }
        Problem::SessionsUndecodable | Problem::SessionsStale => {
            "put the site's WordPress into [wordpress] version: before 4.0 cookies have no token"
        }
        Problem::SessionsWithoutAccount | Problem::AccountsWithoutName => {
            "put the site's own into [wordpress] table_prefix, or custom_user_table"
        }
        _ => return None,
    };
    Some(advice.to_owned())
}

/// What the database shows, and the configuration does not honour.
pub(super) fn overlooked(
    site: &Wordpress,
    queries: &mut Queries<'_>,
) -> Result<Vec<Overlooked>, Unavailable> {
    let mut overlooked = Vec::new();
    if !site.cookie_unknown && site.salt(queries)?.is_none() {
        overlooked.push(Overlooked {
            check: "keys",
            tried: "found the key and the salt of the site's cookie",
            seen: "LOGGED_IN_KEY or LOGGED_IN_SALT is not one that WordPress takes, and is not in the \
                   site's options"
                .to_owned(),
            mend: "log in to the site once, which makes WordPress choose one, or write both into \
                   wp-config.php"
                .to_owned(),
            problem: true,
        });
    }
    Ok(overlooked)
}
