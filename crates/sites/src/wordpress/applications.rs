//! Checks application passwords, at one cost for every account.
//!
//! WordPress before 6.8 hashes them slowly, and checks one after the other (`wp_authenticate_application_password`
//! in `wp-includes/user.php`), so that time would tell which names have some. Here every denial costs what the
//! account with the most of them costs.

use hallpass_passwords::{ApplicationPassword, Limits};
use hallpass_sessions::wordpress::{Version, application_passwords};
use hallpass_stores::Unavailable;
use hallpass_stores::sql::Queries;

use super::settings::Wordpress;

/// What the hashes of 6.8 and later begin with, which cost next to nothing.
const FAST: &str = "$generic$";
/// The most hashes of one account that a password is compared with.
const MOST: usize = 16;
/// How many accounts are looked at to learn what a check costs.
const SOME: usize = 64;
/// What one hash may cost: more than WordPress, and plug-ins that take bcrypt, ever ask for.
const LIMITS: Limits = Limits {
    max_iterations: 200_000,
    max_memory: 64 << 20,
    max_cost: 12,
};

/// The application passwords of a site.
#[derive(Debug, Default)]
pub(super) struct Applications {
    /// The slow hashes of the account that has the most; `None` until accounts were looked at.
    costliest: Option<Vec<String>>,
}

impl Applications {
    /// Whether `password` is one of those that are `stored` beside an account; of a name without an account,
    /// nothing is stored.
    ///
    /// # Errors
    /// [`Unavailable`] when the database cannot be asked, or the deadline passes.
    pub(super) fn has(
        &mut self,
        site: &Wordpress,
        queries: &mut Queries<'_>,
        stored: &str,
        password: &ApplicationPassword,
    ) -> Result<bool, Unavailable> {
        let mut slow = Vec::new();
        for hash in application_passwords(stored).into_iter().take(MOST) {
            if hash.starts_with(FAST) && site.version < Version::BCRYPT {
                continue;
            }
            if matches(password, &hash, queries)? {
                return Ok(true);
            }
            if !hash.starts_with(FAST) {
                slow.push(hash);
            }
        }
        let costliest = match &mut self.costliest {
            Some(costliest) => costliest,
            none => none.insert(costliest(site, queries)?),
        };
        if slow.len() > costliest.len() {
            *costliest = slow;
            return Ok(false);
        }
        for hash in costliest.iter().skip(slow.len()) {
            matches(password, hash, queries)?;
        }
        Ok(false)
    }
}

/// Whether `password` is that of `hash`, within the deadline of the request.
fn matches(
    password: &ApplicationPassword,
    hash: &str,
    queries: &Queries<'_>,
) -> Result<bool, Unavailable> {
    if queries.deadline().passed() {
        return Err(Unavailable::new(
            "the account's application passwords take longer to check than the deadline allows",
        ));
    }
    Ok(password.is(hash, &LIMITS))
}

/// The slow hashes of the account that has the most of them, among those that got some last.
fn costliest(site: &Wordpress, queries: &mut Queries<'_>) -> Result<Vec<String>, Unavailable> {
    let (_, usermeta) = site.tables();
    let statement = format!(
        "SELECT \"meta_value\" FROM {usermeta} WHERE \"meta_key\" = '_application_passwords' ORDER BY \
         \"umeta_id\" DESC LIMIT {SOME}"
    );
    let rows = queries.rows(&statement, &[], SOME)?;
    let slow = rows.into_iter().map(|mut row| {
        let stored = row.words(0).unwrap_or_default();
        let hashes = application_passwords(&stored).into_iter().take(MOST);
        hashes
            .filter(|hash| !hash.starts_with(FAST))
            .collect::<Vec<_>>()
    });
    Ok(slow.max_by_key(Vec::len).unwrap_or_default())
}
