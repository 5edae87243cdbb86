//! Follows a path from a session's bytes to a value.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::path::{Key, Path};
use super::serialize;
use super::session::{self, Handler};
use super::symfony;
use super::tree::{Failure, Id, Tree, Value};
use crate::{Invalid, MAX_INPUT};

/// How many texts inside texts are opened.
const MAX_NESTING: u8 = 8;

/// The value at the end of a path.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// A string: bytes in whatever encoding the site uses.
    Text(Vec<u8>),
    /// An integer.
    Integer(i64),
    /// A floating-point number; may be infinite or not a number.
    Float(f64),
    /// A boolean.
    Boolean(bool),
    /// PHP's null: the key is there, and `isset` is false.
    Null,
    /// An array, an object or an enum case.
    Compound {
        /// Whether it is an array without elements. An object never is.
        empty: bool,
    },
}

impl Scalar {
    /// Whether PHP takes the value for true: everything but `false`, null, 0, 0.0, the empty
    /// string, the string `"0"` and the empty array (`zend_is_true` in Zend/zend_operators.c).
    #[must_use]
    pub fn is_true(&self) -> bool {
        match self {
            Self::Text(text) => !matches!(text.as_slice(), b"" | b"0"),
            Self::Integer(number) => *number != 0,
            Self::Float(number) => *number != 0.0,
            Self::Boolean(boolean) => *boolean,
            Self::Null => false,
            Self::Compound { empty } => !empty,
        }
    }
}

/// Follows `path` into a session. `Ok(None)` when the session has no such key, as an empty one.
///
/// - Properties of an object are keys, whatever their visibility.
/// - References are followed.
/// - A string on the way that is itself serialized, or Base64 of such, is opened; so is what an
///   object wrote down itself (`C:`).
/// - A Symfony security token stands for its user: `_sf2_attributes._security_main` is the user's
///   identifier, `_sf2_attributes._security_main.email` a property, and
///   `_sf2_attributes._security_main.authenticated` whether Symfony takes the user for logged in.
///   In the token of a user who is not, nothing else is found. Keys that are integers reach
///   into the token as it is stored: `_sf2_attributes._security_main.2.0.email`.
///
/// Without a `handler`, every one is tried. When several can read the bytes and do not find the
/// same, the session is refused; so is one whose first key does not look like a name.
///
/// # Errors
/// [`Invalid`] when the session cannot be read as a whole (the variables before a broken one do
/// not count: PHP would throw them away), is larger than [`MAX_INPUT`], or the path leads
/// through something whose meaning is not certain.
pub fn find(
    session: &[u8],
    handler: Option<Handler>,
    path: &Path,
) -> Result<Option<Scalar>, Invalid> {
    let found = read(session, handler, |tree| from_root(tree, path));
    found.map(Option::flatten)
}

/// Reads a session and takes `facts` from it: `None` from an empty one, and an error when two
/// handlers read it and the facts are not the same.
pub(super) fn read<T: PartialEq>(
    session: &[u8],
    handler: Option<Handler>,
    facts: impl Fn(&Tree<'_>) -> Result<T, Failure>,
) -> Result<Option<T>, Invalid> {
    if session.len() > MAX_INPUT {
        return Err(Invalid::TooLarge(MAX_INPUT));
    }
    if session.is_empty() {
        return Ok(None);
    }
    let mut answer: Option<T> = None;
    let mut refusal = "no handler of PHP wrote this";
    for one in Handler::ALL {
        if handler.is_some_and(|handler| handler != one) {
            continue;
        }
        let tree = match session::read(session, one) {
            Ok(tree) => tree,
            Err(Failure::Broken(reason)) => {
                if handler.is_some() {
                    refusal = reason;
                }
                continue;
            }
            Err(failure) => return Err(failure.into()),
        };
        if handler.is_none() && !session::is_plausible(session, one, &tree) {
            return Err(Invalid::Format(
                "its first key is not a name; the handler must be given",
            ));
        }
        let found = facts(&tree)?;
        if answer.as_ref().is_some_and(|answer| *answer != found) {
            return Err(Invalid::Format("it can be read in two ways"));
        }
        answer = Some(found);
    }
    answer.map(Some).ok_or(Invalid::Format(refusal))
}

/// Follows a whole path.
pub(super) fn from_root(tree: &Tree<'_>, path: &Path) -> Result<Option<Scalar>, Failure> {
    follow(tree, 0, path.keys(), MAX_NESTING)
}

impl From<Failure> for Invalid {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Broken(reason) | Failure::Limit(reason) => Self::Format(reason),
        }
    }
}

/// Follows `keys` from the value `at`, through `nesting` more texts at most.
pub(super) fn follow(
    tree: &Tree<'_>,
    mut at: Id,
    mut keys: &[Key],
    nesting: u8,
) -> Result<Option<Scalar>, Failure> {
    let mut token_here = false;
    loop {
        at = tree.resolve(at)?;
        if let Some(found) = symfony::follow(tree, at, keys, nesting)? {
            return Ok(found);
        }
        let value = tree.node(at).map_or(Value::Lost, |node| node.value);
        let Some((key, rest)) = keys.split_first() else {
            if token_here && let Value::Text(_) = value {
                return symfony::follow_string(tree, at, nesting);
            }
            return scalar(tree, at).map(Some);
        };
        let next = match value {
            Value::Array => tree.element(at, key),
            Value::Object(_) => tree.property(at, key)?,
            Value::Text(_) | Value::Custom(_) => {
                let inside = |inner: &Tree<'_>, nesting| follow(inner, 0, keys, nesting);
                return open(tree, at, nesting, inside).map(Option::flatten);
            }
            _ => None,
        };
        let Some(next) = next else {
            return Ok(None);
        };
        token_here = symfony::holds_a_token(key);
        (at, keys) = (next, rest);
    }
}

/// Reads the text that a string holds, or that an object wrote down itself, and gives it to
/// `inside`. `None` when it is not a serialized value.
pub(super) fn open<T>(
    tree: &Tree<'_>,
    at: Id,
    nesting: u8,
    inside: impl FnOnce(&Tree<'_>, u8) -> Result<T, Failure>,
) -> Result<Option<T>, Failure> {
    let nesting = nesting.checked_sub(1);
    let nesting = nesting.ok_or(Failure::Limit("too many texts inside texts"))?;
    let text = match tree.node(at).map(|node| node.value) {
        Some(Value::Custom(_)) => tree.children(at).next().map(|(_, body)| body.value),
        value => value,
    };
    let Some(Value::Text(text)) = text else {
        return Ok(None);
    };
    let text = tree.bytes(text);
    match serialize::read(text, tree.numbering_in(at)) {
        Ok(inner) => return inside(&inner, nesting).map(Some),
        Err(failure @ Failure::Limit(_)) => return Err(failure),
        Err(Failure::Broken(_)) => {}
    }
    let Ok(decoded) = STANDARD.decode(text) else {
        return Ok(None);
    };
    match serialize::read(&decoded, tree.numbering_in(at)) {
        Ok(inner) => inside(&inner, nesting).map(Some),
        Err(Failure::Broken(_)) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// The value itself, where a path ends.
pub(super) fn scalar(tree: &Tree<'_>, at: Id) -> Result<Scalar, Failure> {
    Ok(match tree.node(at).map_or(Value::Lost, |node| node.value) {
        Value::Null => Scalar::Null,
        Value::Boolean(boolean) => Scalar::Boolean(boolean),
        Value::Integer(number) => Scalar::Integer(number.integer()),
        Value::Float(number) => Scalar::Float(number.float()),
        Value::Text(text) => Scalar::Text(tree.bytes(text).to_vec()),
        Value::Array => Scalar::Compound {
            empty: tree.children(at).next().is_none(),
        },
        Value::Object(_) | Value::Custom(_) | Value::Enumeration => {
            Scalar::Compound { empty: false }
        }
        Value::Reference(_) | Value::Lost => {
            return Err(Failure::Broken("a reference cannot be followed"));
        }
    })
}
