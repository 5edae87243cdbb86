//! Reads Symfony's security tokens: who is logged in, as `ContextListener` leaves it in the session.
//!
//! Under `_security_` and the name of the firewall's context lies a string with the serialized
//! token. Every token class ends with what its parent class wrote, so that the last element of
//! the last element … is the state of `AbstractToken`: user, authenticated, roles, attributes
//! (and role names, since 4.4). Up to 4.2 tokens write themselves down (`C:`), the parent's part
//! as a string (until 3.4.20) or an array; from 4.3 on they are ordinary objects with integer keys
//! (`Security/Core/Authentication/Token`, 2.3 to 7.1).
//!
//! A token is known by its form, not by its class: applications have their own. Tokens of
//! another form (of a second factor that is still to come, for one) name no user.

use super::find::{Scalar, follow as follow_keys, open, scalar};
use super::path::Key;
use super::tree::{self, Failure, Id, Tree, Value};

/// How many token classes may lie over each other.
const MAX_PARENTS: u8 = 6;

/// The properties that a user's identifier is kept in, as Symfony names them.
const IDENTIFIERS: [&[u8]; 2] = [b"userIdentifier", b"username"];

/// The texts that a user object may hold beside its e-mail address so that this must be the
/// identifier: any other could be it as well.
const NO_IDENTIFIERS: [&[u8]; 4] = [b"email", b"password", b"plainPassword", b"salt"];

/// Whether Symfony keeps a token under this key of the session.
pub(super) fn holds_a_token(key: &Key) -> bool {
    key.text.starts_with(b"_security_")
}

/// Follows `keys` into the token that `at` is. `None` when it is not a token.
#[expect(clippy::option_option, reason = "no token, or nothing in a token")]
pub(super) fn follow(
    tree: &Tree<'_>,
    at: Id,
    keys: &[Key],
    nesting: u8,
) -> Result<Option<Option<Scalar>>, Failure> {
    let class = match tree.node(at).map(|node| node.value) {
        Some(Value::Object(class) | Value::Custom(class)) => tree.bytes(class),
        _ => return Ok(None),
    };
    if !class.ends_with(b"Token") {
        return Ok(None);
    }
    let anonymous = class.ends_with(b"AnonymousToken");
    let inside = |tree: &Tree<'_>, state, nesting| in_state(tree, state, anonymous, keys, nesting);
    in_last(tree, at, nesting, MAX_PARENTS, &inside).map(Option::flatten)
}

/// The value of the string under a key of Symfony's: the identifier of the user in its token, or
/// the string itself when it holds no object.
pub(super) fn follow_string(
    tree: &Tree<'_>,
    at: Id,
    nesting: u8,
) -> Result<Option<Scalar>, Failure> {
    let found = open(tree, at, nesting, |inner, nesting| {
        match inner.node(0).map(|node| node.value) {
            Some(Value::Object(_) | Value::Custom(_)) => {}
            _ => return Ok(None),
        }
        let found = follow(inner, 0, &[], nesting)?;
        found
            .map(Some)
            .ok_or(Failure::Broken("a security token of another form"))
    })?;
    match found.flatten() {
        Some(found) => Ok(found),
        None => scalar(tree, at).map(Some),
    }
}

/// Goes to the last element of the last element until that is a token's state, and `inside` it.
fn in_last<T>(
    tree: &Tree<'_>,
    at: Id,
    nesting: u8,
    parents: u8,
    inside: &dyn Fn(&Tree<'_>, Id, u8) -> Result<T, Failure>,
) -> Result<Option<T>, Failure> {
    let mut at = at;
    for parents in (0..parents).rev() {
        if is_state(tree, at) {
            return inside(tree, at, nesting).map(Some);
        }
        match tree.node(at).map(|node| node.value) {
            Some(Value::Array | Value::Object(_)) => {
                let Some((last, _)) = tree.children(at).last() else {
                    return Ok(None);
                };
                at = tree.resolve(last)?;
            }
            Some(Value::Text(_) | Value::Custom(_)) => {
                let in_text =
                    |inner: &Tree<'_>, nesting| in_last(inner, 0, nesting, parents, inside);
                return open(tree, at, nesting, in_text).map(Option::flatten);
            }
            _ => return Ok(None),
        }
    }
    Ok(None)
}

/// Whether a value is what `AbstractToken` writes: user, authenticated, roles, attributes.
fn is_state(tree: &Tree<'_>, at: Id) -> bool {
    let Some(Value::Array) = tree.node(at).map(|node| node.value) else {
        return false;
    };
    let mut elements = [const { None }; 5];
    let mut count = 0;
    for (_, node) in tree.children(at).take(6) {
        let expected = matches!(node.key, tree::Key::Integer(key) if key.integer() == count);
        if let Some(element) = usize::try_from(count)
            .ok()
            .and_then(|n| elements.get_mut(n))
        {
            *element = Some(node.value).filter(|_| expected);
        }
        count += 1;
    }
    let fits = matches!(
        elements,
        [
            Some(_),
            Some(Value::Boolean(_)),
            Some(Value::Array | Value::Null),
            Some(Value::Array),
            None | Some(Value::Array),
        ]
    );
    fits && (4..=5).contains(&count)
}

/// Follows `keys` into the user of a token with this state. `None` when they are meant for the
/// token as it is stored.
#[expect(clippy::option_option, reason = "not here, or nothing here")]
fn in_state(
    tree: &Tree<'_>,
    state: Id,
    anonymous: bool,
    keys: &[Key],
    nesting: u8,
) -> Result<Option<Option<Scalar>>, Failure> {
    let mut elements = tree.children(state);
    let (Some((user, _)), Some((_, authenticated))) = (elements.next(), elements.next()) else {
        return Ok(None);
    };
    let user = tree.resolve(user)?;
    let named = match tree.node(user).map(|node| node.value) {
        Some(Value::Text(name)) => !matches!(tree.bytes(name), b"" | b"anon."),
        Some(Value::Object(_) | Value::Custom(_)) => true,
        _ => false,
    };
    let authenticated = authenticated.value == Value::Boolean(true) && named && !anonymous;
    match keys {
        [key] if key.text == b"authenticated" => {
            return Ok(Some(Some(Scalar::Boolean(authenticated))));
        }
        _ if !authenticated => return Ok(Some(None)),
        [key, ..] if key.integer.is_some() => return Ok(None),
        _ => {}
    }
    let keys = match keys {
        [key, rest @ ..] if key.text == b"user" => rest,
        keys => keys,
    };
    match (tree.node(user).map(|node| node.value), keys) {
        (Some(Value::Text(_)), []) => scalar(tree, user).map(|name| Some(Some(name))),
        (Some(Value::Text(_)), [key])
            if key.text == b"username" || key.text == b"userIdentifier" =>
        {
            scalar(tree, user).map(|name| Some(Some(name)))
        }
        (Some(Value::Text(_)), _) => Ok(Some(None)),
        (_, []) => identifier(tree, user).map(|name| Some(Some(name))),
        (_, keys) => {
            // A user that claims to be a token of itself must come to an end.
            let nesting = nesting.checked_sub(1);
            let nesting = nesting.ok_or(Failure::Limit("too many tokens inside tokens"))?;
            follow_keys(tree, user, keys, nesting).map(Some)
        }
    }
}

/// The identifier of a user object, where only one property can be it.
fn identifier(tree: &Tree<'_>, user: Id) -> Result<Scalar, Failure> {
    let unknown = Failure::Broken(
        "the user object does not tell which property is its identifier; the path must",
    );
    let mut email = None;
    let mut identifiers = Vec::new();
    let mut others = false;
    for (id, node) in tree.children(user) {
        let id = tree.resolve(id)?;
        let tree::Key::Text(name) = node.key else {
            // The class has a form of its own for what it keeps.
            return Err(unknown);
        };
        let Some(Value::Text(text)) = tree.node(id).map(|node| node.value) else {
            continue;
        };
        let (name, text) = (tree::unmangled(tree.bytes(name)), tree.bytes(text));
        if IDENTIFIERS.contains(&name) {
            identifiers.push(text);
        }
        if name == b"email" {
            email = Some(text);
        }
        others |= !NO_IDENTIFIERS.contains(&name) && !IDENTIFIERS.contains(&name);
    }
    let found = match (identifiers.as_slice(), email) {
        ([identifier, rest @ ..], None) if rest.iter().all(|other| other == identifier) => {
            Some(*identifier)
        }
        ([], email) if !others => email,
        _ => None,
    };
    let found = found
        .filter(|identifier| !identifier.is_empty())
        .ok_or(unknown)?;
    Ok(Scalar::Text(found.to_vec()))
}
