//! Evaluates expressions made of literals alone.

use super::literal::{Key, Literal};
use super::scanner::{Kind, Token, first, sign, skip};

/// The deepest nesting of arrays and brackets that is read.
const MAX_DEPTH: usize = 64;
/// The most keys of an array that is read.
pub(crate) const MAX_ELEMENTS: usize = 1000;

/// Reads an expression at the beginning of `tokens`, and gives what follows it. `None` when it is
/// not made of literals alone.
pub(crate) fn literal(tokens: &[Token]) -> Option<(Literal, &[Token])> {
    expression(tokens, MAX_DEPTH)
}

/// Values with `.` between them.
fn expression(tokens: &[Token], depth: usize) -> Option<(Literal, &[Token])> {
    let depth = depth.checked_sub(1)?;
    let (mut value, mut rest) = operand(tokens, depth)?;
    while let Some(after) = sign(rest, b'.') {
        let (right, after) = operand(after, depth)?;
        let mut text = value.into_text()?;
        let right = right.into_text()?;
        let mut joined = Vec::with_capacity(text.len() + right.len());
        joined.append(&mut text);
        joined.extend_from_slice(&right);
        value = Literal::text(joined);
        rest = after;
    }
    Some((value, rest))
}

fn operand(tokens: &[Token], depth: usize) -> Option<(Literal, &[Token])> {
    let (kind, rest) = first(tokens)?;
    match kind {
        Kind::Literal(literal) => Some((literal.clone(), rest)),
        Kind::Word(word) => match word.trim_start_matches('\\').to_ascii_lowercase().as_str() {
            "true" => Some((Literal::Boolean(true), rest)),
            "false" => Some((Literal::Boolean(false), rest)),
            "null" => Some((Literal::Null, rest)),
            "array" => elements(sign(rest, b'(')?, b')', depth),
            _ => None,
        },
        Kind::Sign(b'[') => elements(rest, b']', depth),
        Kind::Sign(b'(') => {
            let (value, rest) = expression(rest, depth)?;
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

/// The elements of an array up to `end`.
fn elements(mut tokens: &[Token], end: u8, depth: usize) -> Option<(Literal, &[Token])> {
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
        let (mut value, mut rest) = expression(tokens, depth)?;
        let key = if let Some(after) = skip(rest, &Kind::DoubleArrow) {
            let key = value.into_key()?;
            (value, rest) = expression(after, depth)?;
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
