//! Reads `[jwt]`: which tokens of the site's are believed, and how they come.

use std::sync::Arc;
use std::time::Duration;

use hallpass_settings::{Error, Memory, SecretSource, Table};
use hallpass_stores::Secret;
use serde::Deserialize;

use crate::cookie::{Cookie, Reader};
use crate::jwt::{Algorithm, InvalidKey, Keys, Rules, SubjectClaim};

/// The longest leeway: clocks that differ by more want to be set.
const LONGEST_LEEWAY: Duration = Duration::from_secs(600);

/// The table.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub(super) struct JwtTable {
    /// Which signatures count: `"HS256"`, `"RS256"`, `"ES256"`, `"EdDSA"`. A key of the right kind is
    /// needed for each.
    algorithms: Vec<Algorithm>,
    /// For HS256: the secret, of at least 32 bytes, that the site signs with.
    key: Option<SecretSource>,
    /// For the others: the public key, in PEM (`BEGIN PUBLIC KEY`).
    public_key: Option<SecretSource>,
    /// For the others: a JWK Set, of which the key counts that the token names (`kid`).
    jwks: Option<SecretSource>,
    /// What the claim `iss` must be.
    issuer: Option<String>,
    /// What the claim `aud` must be, or hold. Without it, tokens that have an `aud` are refused.
    audience: Option<String>,
    /// The claim that has the account's name.
    user: Option<String>,
    /// The claim that has the account's primary key, in place of `user`.
    user_id: Option<String>,
    /// By how much the clocks may differ, in whole seconds.
    leeway: Memory,
    /// The cookie that holds the token. Without it, tokens come in `Authorization: Bearer`.
    cookie: Option<String>,
}

impl Default for JwtTable {
    fn default() -> Self {
        Self {
            algorithms: vec![Algorithm::Rs256],
            key: None,
            public_key: None,
            jwks: None,
            issuer: None,
            audience: None,
            user: None,
            user_id: None,
            leeway: Memory::seconds(30),
            cookie: None,
        }
    }
}

/// Which tokens are believed, and how they come.
#[derive(Clone, Debug)]
pub struct Jwt {
    /// Which tokens are believed.
    pub rules: Arc<Rules>,
    /// The cookie that holds them; `None` where they come in `Authorization: Bearer`.
    pub cookie: Option<String>,
}

impl Jwt {
    /// The cookie that holds the token. Of two of one name the first counts, as most libraries have
    /// it.
    #[must_use]
    pub fn cookie(&self) -> Option<Cookie<'_>> {
        let name = self.cookie.as_deref()?;
        let reader = Reader::First;
        Some(Cookie { name, reader })
    }
}

impl JwtTable {
    pub(super) fn resolve(self, table: &Table<'_>) -> Result<Jwt, Error> {
        let public = |key, source: Option<_>| match source {
            Some(source) => table.public(key, source),
            None => Ok(None),
        };
        let secret = match self.key {
            Some(source) => table.secret("key", source)?,
            None => None,
        };
        let keys = [
            ("key", secret),
            ("public_key", public("public_key", self.public_key)?),
            ("jwks", public("jwks", self.jwks)?),
        ];
        let mut given = keys
            .into_iter()
            .filter_map(|(name, key)| Some((name, key?)));
        let Some((name, mut material)) = given.next() else {
            let message = "is missing: one of `key`, `public_key` and `jwks` verifies signatures";
            return Err(table.wrong("key", message));
        };
        if let Some((other, _)) = given.next() {
            let message = format!("has no effect beside `{name}`: there is one key, or one set");
            return Err(table.wrong(other, &message));
        }
        let keys = match name {
            "key" => Keys::secret(Secret::new(std::mem::take(&mut *material))),
            "public_key" => Keys::public(&material),
            _ => Keys::set(&material),
        };
        let keys = keys.map_err(|InvalidKey(message)| table.wrong(name, message))?;
        if self.algorithms.is_empty() {
            return Err(table.wrong("algorithms", "is empty: no token would be believed"));
        }
        if let Some(unfit) = self.algorithms.iter().find(|it| !keys.fit(**it)) {
            let message = format!("has {:?}, and `{name}` is not a key for it", unfit.name());
            return Err(table.wrong("algorithms", &message));
        }
        let subject = match (self.user, self.user_id) {
            (Some(claim), None) if !claim.is_empty() => SubjectClaim::Name(claim),
            (None, Some(claim)) if !claim.is_empty() => SubjectClaim::Key(claim),
            (Some(_), Some(_)) => {
                return Err(table.wrong("user_id", "has no effect beside `user`"));
            }
            _ => {
                let message = "is missing: `user` or `user_id` says which claim names the account";
                return Err(table.wrong("user", message));
            }
        };
        for (name, value) in [("issuer", &self.issuer), ("audience", &self.audience)] {
            if value.as_deref() == Some("") {
                return Err(table.wrong(name, "is empty; leave it out if it is not to be checked"));
            }
        }
        let leeway = self.leeway.get();
        if leeway > LONGEST_LEEWAY {
            return Err(table.wrong("leeway", "is longer than \"10m\""));
        }
        if let Some(cookie) = &self.cookie
            && !is_token(cookie)
        {
            return Err(table.wrong("cookie", "is not a valid cookie name"));
        }
        Ok(Jwt {
            rules: Arc::new(Rules {
                algorithms: self.algorithms,
                keys,
                issuer: self.issuer,
                audience: self.audience,
                subject,
                leeway,
            }),
            cookie: self.cookie,
        })
    }
}

/// Whether a cookie can be called so.
fn is_token(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(plain)
}
