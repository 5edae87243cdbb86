//! A name and a password in the header `Authorization` of a request.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use crate::{Credential, Secret};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The name and the password in the value `authorization` of the header, if it is one of Basic
/// authentication (RFC 7617), in UTF-8.
#[must_use]
pub fn credential(authorization: &[u8]) -> Option<Credential> {
    let (scheme, encoded) = authorization.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let decoded = BASE64
        .decode(encoded.trim_ascii())
        .map(Zeroizing::new)
        .ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let (name, password) = decoded.split_at_checked(colon)?;
    let name = std::str::from_utf8(name).ok()?.to_owned();
    Some(Credential::Password {
        name,
        password: Secret::new(password.get(1..)?),
    })
}
