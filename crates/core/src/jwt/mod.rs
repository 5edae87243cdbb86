//! Verifies JSON Web Tokens that the site signs: RFC 7515 (JWS, compact), 7518 (algorithms), 7519
//! (claims), 8037 (EdDSA), and what RFC 8725 advises.
//!
//! A token is believed where all of this holds, in this order: it is three parts of Base64url with
//! nothing around; its header is an object that names an algorithm which is allowed, and asks for
//! no extension (`crit`); a key of the configuration, of the kind that the algorithm is for, made
//! its signature; its claims are an object with an `exp` that is not over, no `nbf` or `iat` in the
//! future, the configured issuer and audience; and the claim that names the account does so. A key
//! that stands in a token, or to which one points, is never looked at.
//!
//! Nothing here reads a file or a clock.

mod claims;
mod json;
mod keys;

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use self::json::Json;
pub use self::keys::{InvalidKey, Keys};
use crate::Reason;

/// The longest token that is looked at, in bytes. Headers of HTTP are about as long at most.
const LONGEST: usize = 16 << 10;

/// An algorithm of signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema, serde::Serialize),
    schemars(inline)
)]
pub enum Algorithm {
    /// HMAC with SHA-256, under a secret that both sides know.
    #[serde(rename = "HS256")]
    Hs256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// ECDSA on the curve P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl Algorithm {
    /// What a header calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

/// What a claim says of the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Its name.
    Name(String),
    /// Its primary key.
    Key(String),
}

/// Which claim names the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubjectClaim {
    /// The claim so called has the name.
    Name(String),
    /// The claim so called has the primary key.
    Key(String),
}

/// Which tokens are believed.
#[derive(Debug)]
pub struct Rules {
    /// The algorithms that are allowed.
    pub algorithms: Vec<Algorithm>,
    /// The keys that may have made a signature.
    pub keys: Keys,
    /// What `iss` must be.
    pub issuer: Option<String>,
    /// What `aud` must be, or hold.
    pub audience: Option<String>,
    /// The claim that names the account.
    pub subject: SubjectClaim,
    /// By how much the clocks may differ.
    pub leeway: Duration,
}

/// A token that was believed.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified {
    /// The account.
    pub subject: Subject,
    /// When it ends; `None` past what the clock can hold.
    pub expires: Option<SystemTime>,
    /// How it is signed.
    pub algorithm: Algorithm,
}

/// Why a token is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is over.
    Expired,
    /// Anything else, in words for the administrator.
    Invalid(&'static str),
}

impl Refusal {
    /// The reason of the verdict.
    #[must_use]
    pub fn reason(self) -> Reason {
        match self {
            Self::Expired => Reason::ExpiredSession,
            Self::Invalid(_) => Reason::InvalidSession,
        }
    }

    /// In words.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Expired => "it has ended",
            Self::Invalid(why) => why,
        }
    }
}

impl Rules {
    /// Verifies `token`, which is shown at the time `now`.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn verify(&self, token: &[u8], now: SystemTime) -> Result<Verified, Refusal> {
        let parts = Parts::split(token).ok_or(Refusal::Invalid("it is not a JWT"))?;
        let (algorithm, key_id) = self.header(&parts)?;
        self.keys
            .verify(algorithm, key_id.as_deref(), parts.signed, &parts.signature)
            .map_err(Refusal::Invalid)?;
        let payload = parts
            .payload()
            .ok_or(Refusal::Invalid("its claims are not an object"))?;
        claims::check(&payload, self, now).map(|(subject, expires)| Verified {
            subject,
            expires,
            algorithm,
        })
    }

    /// The algorithm and the key that the header names.
    fn header(&self, parts: &Parts<'_>) -> Result<(Algorithm, Option<String>), Refusal> {
        let header = &parts.header;
        let text = |name| header.member(name).map(Json::text);
        for extension in ["crit", "b64", "zip", "enc", "cty"] {
            if header.member(extension).is_some() {
                return Err(Refusal::Invalid("its header asks for an extension"));
            }
        }
        match text("typ") {
            None => {}
            Some(Some(typ)) => {
                let typ = typ.to_ascii_lowercase();
                let typ = typ.strip_prefix("application/").unwrap_or(&typ);
                if !matches!(typ, "jwt" | "at+jwt") {
                    return Err(Refusal::Invalid(
                        "it is a token for something else: see its typ",
                    ));
                }
            }
            Some(None) => return Err(Refusal::Invalid("its typ is not text")),
        }
        let alg = text("alg").flatten();
        let allowed = self.algorithms.iter().find(|it| Some(it.name()) == alg);
        let algorithm =
            allowed.ok_or(Refusal::Invalid("its algorithm is not among `algorithms`"))?;
        match text("kid") {
            None => Ok((*algorithm, None)),
            Some(Some(kid)) => Ok((*algorithm, Some(kid.to_owned()))),
            Some(None) => Err(Refusal::Invalid("its kid is not text")),
        }
    }
}

/// Whether `token` has the form of a JWT: three parts, the first of which is the header of a signed
/// one. Nothing else that a site gives out has it, tickets included.
#[must_use]
pub fn has_form(token: &[u8]) -> bool {
    Parts::split(token).is_some_and(|parts| {
        let alg = parts.header.member("alg");
        alg.is_some_and(|alg| alg.text().is_some())
    })
}

/// The parts of a token.
struct Parts<'a> {
    header: Json,
    payload: &'a [u8],
    signature: Vec<u8>,
    /// What is signed: header and payload as they are encoded.
    signed: &'a [u8],
}

impl<'a> Parts<'a> {
    /// `None` unless `token` is three parts of Base64url, without padding or stray bits, and the first
    /// part is an object.
    fn split(token: &'a [u8]) -> Option<Self> {
        if token.len() > LONGEST {
            return None;
        }
        let last = token.iter().rposition(|byte| *byte == b'.')?;
        let (signed, signature) = token.split_at_checked(last)?;
        let mut parts = signed.split(|byte| *byte == b'.');
        let (header, payload) = (parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let header = Json::object(&URL_SAFE_NO_PAD.decode(header).ok()?)?;
        let signature = URL_SAFE_NO_PAD.decode(signature.get(1..)?).ok()?;
        Some(Self {
            header,
            payload,
            signature,
            signed,
        })
    }

    /// The claims.
    fn payload(&self) -> Option<Json> {
        Json::object(&URL_SAFE_NO_PAD.decode(self.payload).ok()?)
    }
}

#[cfg(test)]
mod tests;
