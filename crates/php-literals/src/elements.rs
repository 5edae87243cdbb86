//! Reads assignments to the elements of an array: `$databases['default']['default'] = [ … ];`.

use super::expression::{MAX_ELEMENTS, Scope, literal};
use super::literal::{Hole, Key, Literal, NotLiteral};
use super::mentions::{Mentioned, mentions};
use super::scanner::{Kind, Token, sign, skip};
use super::statements::{Reader, split_statement};

/// The most indices of an assignment that is read.
const MAX_INDICES: usize = 16;

/// What stands between the variable and its `=`.
struct Place<'a> {
    /// The indices, as far as they are literals.
    keys: Vec<Key>,
    /// Whether an index follows that is not a literal, or none (`[]`).
    open: bool,
    /// The indices that are not literals.
    computed: Vec<&'a [Token]>,
    /// What follows the `=`.
    value: &'a [Token],
}

impl Reader<'_> {
    /// `['key']… = …;` after a variable, whatever the value. An element whose value is not a literal
    /// is known not to be one, and the others of its array stay as they are. `None` when the
    /// statement is anything else, or may change more than the element.
    pub(crate) fn element<'a>(&mut self, name: &str, tokens: &'a [Token]) -> Option<&'a [Token]> {
        let place = place(tokens, self.scope())?;
        let line = tokens.first()?.line;
        let known = match self.found.variables.get(name) {
            None => self.found.spoilt.is_none(),
            Some(entry) => matches!(entry, Ok(Literal::Array(_) | Literal::Null)),
        };
        if !known || name == "GLOBALS" || self.is_shared(name) {
            return None;
        }
        let whole = literal(place.value, self.scope())
            .and_then(|(value, after)| Some((value, skip(after, &Kind::End)?)));
        let (value, rest) = match whole {
            Some((value, rest)) if !place.open => (Some(value), rest),
            whole => {
                // A value that is a literal changes nothing, wherever it is put.
                let (statement, rest) = match whole {
                    Some((_, rest)) => (None, rest),
                    None => {
                        let (statement, rest) = split_statement(place.value).ok()?;
                        (Some(statement), rest)
                    }
                };
                let mut parts = place.computed.iter().copied().chain(statement);
                let harmless = parts.all(|part| self.is_harmless(name, part));
                (None, harmless.then_some(rest)?)
            }
        };
        let not_literal = NotLiteral { line };
        let holes = self.found.holes.entry(name.to_owned()).or_default();
        // Where its value comes from an array around it, that array is set, too.
        holes.retain(|hole| !hole.path.starts_with(&place.keys));
        let within = |hole: &Hole| place.keys.starts_with(&hole.path);
        if holes.iter().any(within) {
            // The whole array around it is unknown already.
            return Some(rest);
        }
        let array = self.found.variables.entry(name.to_owned());
        let array = array.or_insert(Ok(Literal::Null));
        let placed = match (array, value) {
            (Ok(array), Some(value)) => put(array, &place.keys, value).is_some(),
            (Ok(array), None) => {
                holes.push(Hole {
                    path: place.keys.clone(),
                    not_literal,
                });
                holes.len() <= MAX_ELEMENTS && put(array, &[], Literal::Array(Vec::new())).is_some()
            }
            (Err(_), _) => false,
        };
        if !placed {
            self.found
                .variables
                .insert(name.to_owned(), Err(not_literal));
        }
        Some(rest)
    }

    /// Whether the statement whose value is at `tokens` changes nothing but the element of `name`
    /// that it is assigned to. Variables in it are marked, as those of any other statement are.
    fn is_harmless(&mut self, name: &str, tokens: &[Token]) -> bool {
        if tokens.iter().any(|token| token.kind == Kind::Sign(b'&')) {
            return false;
        }
        let mentioned = mentions(tokens);
        let harmless = mentioned.iter().all(|mention| match &mention.what {
            Mentioned::Variable(other) => other != name,
            Mentioned::Property(_) => true,
            Mentioned::Constant(_) | Mentioned::Anything => false,
        });
        if harmless {
            for mention in mentioned {
                if let Mentioned::Variable(other) = mention.what {
                    let not_literal = NotLiteral { line: mention.line };
                    self.found.variables.insert(other, Err(not_literal));
                }
            }
        }
        harmless
    }
}

/// `['a']['b'] =`. `None` without an index or an `=`.
fn place<'a>(mut tokens: &'a [Token], scope: Scope<'_>) -> Option<Place<'a>> {
    let mut keys = Vec::new();
    let mut computed = Vec::new();
    let mut open = false;
    let mut count = 0_usize;
    while let Some(rest) = sign(tokens, b'[') {
        count += 1;
        if count > MAX_INDICES {
            return None;
        }
        let key = literal(rest, scope)
            .and_then(|(key, after)| Some((key.into_key()?, sign(after, b']')?)));
        match key {
            Some((key, after)) => {
                if !open {
                    keys.push(key);
                }
                tokens = after;
            }
            None => {
                open = true;
                let (index, after) = up_to_bracket(rest)?;
                computed.push(index);
                tokens = after;
            }
        }
    }
    (count > 0).then_some(())?;
    let value = skip(tokens, &Kind::Equals)?;
    Some(Place {
        keys,
        open,
        computed,
        value,
    })
}

/// What stands before the bracket that closes an index, and what follows it.
fn up_to_bracket(tokens: &[Token]) -> Option<(&[Token], &[Token])> {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        match token.kind {
            Kind::Sign(b'[' | b'(' | b'{') => depth += 1,
            Kind::Sign(b']') if depth == 0 => {
                return Some((tokens.get(..at)?, tokens.get(at + 1..)?));
            }
            Kind::Sign(b']' | b')' | b'}') => depth = depth.checked_sub(1)?,
            Kind::End => return None,
            _ => {}
        }
    }
    None
}

/// Puts `value` at `keys` in `array`, with the arrays on the way, as PHP makes them. `None` where
/// something else than an array is in the way, or an array has too many elements. Without keys an
/// array stays as it is.
fn put(array: &mut Literal, keys: &[Key], value: Literal) -> Option<()> {
    let mut place = array;
    for key in keys {
        if *place == Literal::Null {
            *place = Literal::Array(Vec::new());
        }
        let Literal::Array(elements) = place else {
            return None;
        };
        let at = match elements.iter().position(|(other, _)| other == key) {
            Some(at) => at,
            None if elements.len() < MAX_ELEMENTS => {
                elements.push((key.clone(), Literal::Null));
                elements.len() - 1
            }
            None => return None,
        };
        place = &mut elements.get_mut(at)?.1;
    }
    if !keys.is_empty() || *place == Literal::Null {
        *place = value;
    }
    Some(())
}
