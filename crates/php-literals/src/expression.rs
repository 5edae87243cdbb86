//! Evaluates expressions made of literals, and of names whose values are known.

use super::literal::{Key, Literal, Literals};
use super::scanner::{Kind, Token, first, sign, skip};
use super::surroundings::{MAX_MADE, dirname};

/// The deepest nesting of arrays and brackets that is read.
const MAX_DEPTH: usize = 64;
/// The most keys of an array that is read.
pub(crate) const MAX_ELEMENTS: usize = 1000;

/// The names that an expression may have in it.
#[derive(Clone, Copy)]
pub(crate) enum Scope<'s> {
    /// None: it is made of literals alone.
    Nothing,
    /// Those that have been found so far, in the file at `path`.
    Of { found: &'s Literals, path: &'s str },
}

/// Reads an expression at the beginning of `tokens`, and gives what follows it. `None` when it is
/// not made of literals and names in `scope` alone.
pub(crate) fn literal<'a>(tokens: &'a [Token], scope: Scope<'_>) -> Option<(Literal, &'a [Token])> {
    expression(tokens, scope, MAX_DEPTH)
}

/// Values with `.` between them.
fn expression<'a>(
    tokens: &'a [Token],
    scope: Scope<'_>,
    depth: usize,
) -> Option<(Literal, &'a [Token])> {
    let depth = depth.checked_sub(1)?;
    let (mut value, mut rest) = operand(tokens, scope, depth)?;
    while let Some(after) = sign(rest, b'.') {
        let (right, after) = operand(after, scope, depth)?;
        let mut text = value.into_text()?;
        let right = right.into_text()?;
        // A text that doubles itself would grow without end.
        if matches!(scope, Scope::Of { .. }) && text.len() + right.len() > MAX_MADE {
            return None;
        }
        let mut joined = Vec::with_capacity(text.len() + right.len());
        joined.append(&mut text);
        joined.extend_from_slice(&right);
        value = Literal::text(joined);
        rest = after;
    }
    Some((value, rest))
}

fn operand<'a>(
    tokens: &'a [Token],
    scope: Scope<'_>,
    depth: usize,
) -> Option<(Literal, &'a [Token])> {
    let (kind, rest) = first(tokens)?;
    match kind {
        Kind::Literal(literal) => Some((literal.clone(), rest)),
        Kind::Variable(name) => {
            let Scope::Of { found, .. } = scope else {
                return None;
            };
            let value = found.variables.get(name)?.as_ref().ok()?;
            Some((scalar(value)?, not_followed(rest)?))
        }
        Kind::Word(word) => match word.trim_start_matches('\\').to_ascii_lowercase().as_str() {
            "true" => Some((Literal::Boolean(true), rest)),
            "false" => Some((Literal::Boolean(false), rest)),
            "null" => Some((Literal::Null, rest)),
            "array" => elements(sign(rest, b'(')?, b')', scope, depth),
            lower => named(word, lower, rest, scope, depth),
        },
        Kind::Sign(b'[') => elements(rest, b']', scope, depth),
        Kind::Sign(b'(') => {
            let (value, rest) = expression(rest, scope, depth)?;
            Some((value, sign(rest, b')')?))
        }
        Kind::Sign(operator @ (b'-' | b'+')) => match (operator, first(rest)?) {
            (b'-', (Kind::Literal(Literal::Integer(number)), rest)) => {
                Some((Literal::Integer(-number), rest))
            }
            (b'-', (Kind::Literal(Literal::Float(number)), rest)) => {
                Some((Literal::Float(-number), rest))
            }
            (_, (Kind::Literal(number @ (Literal::Integer(_) | Literal::Float(_))), rest)) => {
                Some((number.clone(), rest))
            }
            _ => None,
        },
        _ => None,
    }
}

/// A constant, or a call of `dirname`.
fn named<'a>(
    word: &str,
    lower: &str,
    rest: &'a [Token],
    scope: Scope<'_>,
    depth: usize,
) -> Option<(Literal, &'a [Token])> {
    let Scope::Of { found, path } = scope else {
        return None;
    };
    let value = match lower {
        "__file__" => Literal::text(path.into()),
        "__dir__" => Literal::text(dirname(path.as_bytes(), 1)),
        "directory_separator" => Literal::text(b"/".into()),
        "dirname" => {
            let (path, rest) = expression(sign(rest, b'(')?, scope, depth)?;
            let (levels, rest) = match sign(rest, b',').map(first) {
                Some(Some((Kind::Literal(Literal::Integer(levels)), rest))) => (*levels, rest),
                Some(_) => return None,
                None => (1, rest),
            };
            let levels = usize::try_from(levels).ok().filter(|levels| *levels > 0)?;
            let Literal::Text(path) = path else {
                return None;
            };
            return Some((Literal::text(dirname(&path, levels)), sign(rest, b')')?));
        }
        _ => scalar(
            found
                .constants
                .get(word.trim_start_matches('\\'))?
                .as_ref()
                .ok()?,
        )?,
    };
    Some((value, not_followed(rest)?))
}

/// `value`, where it cannot hold others: arrays that hold themselves would grow without end.
fn scalar(value: &Literal) -> Option<Literal> {
    match value {
        Literal::Array(_) => None,
        Literal::Text(text) if text.len() > MAX_MADE => None,
        _ => Some(value.clone()),
    }
}

/// `rest`, where it does not make something else of the name before it.
fn not_followed(rest: &[Token]) -> Option<&[Token]> {
    match first(rest) {
        Some((
            Kind::Sign(b'[' | b'(' | b'{') | Kind::Arrow | Kind::DoubleColon | Kind::Equals,
            _,
        )) => None,
        _ => Some(rest),
    }
}

/// The elements of an array up to `end`.
fn elements<'a>(
    mut tokens: &'a [Token],
    end: u8,
    scope: Scope<'_>,
    depth: usize,
) -> Option<(Literal, &'a [Token])> {
    let mut array: Vec<(Key, Literal)> = Vec::new();
    // The key of an element without one: one past the greatest so far.
    let mut next = Some(0_i64);
    loop {
        if let Some(rest) = sign(tokens, end) {
            return Some((Literal::Array(array), rest));
        }
        if array.len() >= MAX_ELEMENTS {
            return None;
        }
        let (mut value, mut rest) = expression(tokens, scope, depth)?;
        let key = if let Some(after) = skip(rest, &Kind::DoubleArrow) {
            let key = value.into_key()?;
            (value, rest) = expression(after, scope, depth)?;
            key
        } else {
            Key::Integer(next?)
        };
        if let Key::Integer(number) = key {
            if number < 0 && next == Some(0) {
                // PHP 8.3 counts on from there, earlier ones from 0.
                next = None;
            } else if next.is_none_or(|next| number >= next) && number >= 0 {
                next = number.checked_add(1);
            }
        }
        match array.iter_mut().find(|(other, _)| *other == key) {
            Some((_, old)) => *old = value,
            None => array.push((key, value)),
        }
        match sign(rest, b',') {
            Some(rest) => tokens = rest,
            None => return Some((Literal::Array(array), sign(rest, end)?)),
        }
    }
}
