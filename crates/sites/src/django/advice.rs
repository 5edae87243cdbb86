//! Advises the operator in the words of Django's settings.

use crate::Problem;

/// What the administrator can do about `problem`.
pub(super) fn advice(problem: Problem<'_>) -> String {
    match problem {
        Problem::AlgorithmNotAllowed(algorithm) => {
            return format!("add \"{algorithm}\" to [django] password_hashers");
        }
        Problem::SessionsElsewhere(begin) => {
            let place = begin.strip_suffix(':').and_then(|it| it.rsplit_once(':'));
            let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
            return match place.filter(|(_, version)| !version.is_empty() && digits(version)) {
                Some((prefix, version)) => format!(
                    "write [django] cache_key_prefix = \"{prefix}\" and cache_version = {version}"
                ),
                None => "write the whole key into [django] session_cache_key, with {session_key} \
                         where the session's own is"
                    .to_owned(),
            };
        }
        Problem::SessionsInDatabase(number) => {
            return format!(
                "write the number {number} as the path of [django] cache: `redis://…/{number}`"
            );
        }
        Problem::AccountsWithoutName => {
            "put the column of the user model's USERNAME_FIELD into [django] username_column"
        }
        Problem::SessionsWithoutData => "put the site's cache into [django] cache",
        Problem::SessionStoreTrusted => {
            "give [django] secret_key, and take trust_session_store away"
        }
        Problem::SignedWithAnotherKey => {
            "put the site's SECRET_KEY into [django] secret_key (and its Django into version)"
        }
        Problem::SomeSignedWithAnotherKey => {
            "put the site's older keys into [django] secret_key_fallbacks, if it still accepts them"
        }
        Problem::SessionsStale => {
            "see that secret_key and version are the site's, and that its user model does not make \
             the auth hash in a way of its own"
        }
        Problem::SessionsUndecodable => "put the site's Django into [django] version",
        Problem::SessionsWithoutAccount => "put the site's user table into [django] user_table",
        Problem::BackendNotListed => {
            "put all of the site's AUTHENTICATION_BACKENDS into [django] authentication_backends"
        }
    }
    .to_owned()
}
