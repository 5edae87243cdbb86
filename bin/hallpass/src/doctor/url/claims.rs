//! Makes the headers by which a client claims an identity, each with a value that is found again.

use zeroize::Zeroizing;

use crate::doctor::directives::IDENTITY;

/// Headers that other software reads an identity from. Hallpass's recipes leave them alone.
const OTHERS: [&str; 4] = [
    "X-Remote-User",
    "X-Forwarded-User",
    "X-WEBAUTH-USER",
    "X-Authenticated-User",
];

/// Headers that say where a client wants to be led back to.
const PLACES: [&str; 4] = [
    "X-Forwarded-Host",
    "X-Original-URI",
    "X-Original-URL",
    "X-Forwarded-Uri",
];

/// A header that a client has made up.
#[derive(Debug)]
pub struct Claim {
    pub name: String,
    /// The value, which no account has as its name.
    pub value: String,
    /// Whether it is one of Hallpass's own.
    pub ours: bool,
}

/// All spellings of all headers; values begin with `seed`.
pub fn identity(seed: &str) -> Vec<Claim> {
    let spelt = IDENTITY.iter().flat_map(|name| {
        let underscored = name.replace('-', "_");
        let mut dashes = name.splitn(2, '-');
        let mixed = [dashes.next(), dashes.next()]
            .map(Option::unwrap_or_default)
            .join("_");
        let mut spellings = vec![
            (*name).to_owned(),
            underscored,
            mixed,
            name.to_ascii_uppercase(),
        ];
        spellings.dedup();
        spellings
    });
    let ours = spelt.map(|name| (name, true));
    let others = OTHERS.iter().map(|name| ((*name).to_owned(), false));
    let numbered = ours.chain(others).enumerate();
    let claim = |(number, (name, ours))| Claim {
        name,
        value: format!("{seed}-{number}-end"),
        ours,
    };
    numbered.map(claim).collect()
}

/// An address to be redirected to, at a host name that is reserved (RFC 6761).
pub const ELSEWHERE: &str = "hallpass-doctor.invalid";

/// The headers of `claims`.
pub fn headers(claims: &[Claim]) -> impl Iterator<Item = (&str, Zeroizing<Vec<u8>>)> {
    let claims = claims.iter();
    claims.map(|claim| (claim.name.as_str(), claim.value.clone().into_bytes().into()))
}

/// The headers of the place that the client chooses.
pub fn places<'a>() -> impl Iterator<Item = (&'a str, Zeroizing<Vec<u8>>)> {
    PLACES.iter().map(|name| {
        let value = match *name {
            "X-Forwarded-Host" => ELSEWHERE.to_owned(),
            _ => format!("https://{ELSEWHERE}/"),
        };
        (*name, value.into_bytes().into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_have_all_spellings_and_their_own_values() {
        let claims = identity("x");
        let names: Vec<&str> = claims.iter().map(|it| it.name.as_str()).collect();
        for name in [
            "Remote-User",
            "Remote_User",
            "REMOTE-USER",
            "Remote-Session-Expires",
            "Remote_Session_Expires",
            "Remote_Session-Expires",
            "X-Remote-User",
        ] {
            assert!(names.contains(&name), "{name}");
        }
        let mut values: Vec<&str> = claims.iter().map(|it| it.value.as_str()).collect();
        values.sort_unstable();
        values.dedup();
        assert_eq!(values.len(), claims.len());
        assert!(!"x-10-end".contains("x-1-end"));
    }
}
