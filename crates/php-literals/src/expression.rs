//! Expressions that are literals.

use super::literal::{Key, Literal};
use super::scanner::{Kind, Symbol, Token};

/// How deep arrays and brackets lie in each other.
const MAX_DEPTH: usize = 64;
/// How many keys an array has that is read.
const MAX_ELEMENTS: usize = 1000;

/// Reads an expression at the beginning of `tokens`, and gives what follows it. `None` when it is
/// no literal.
pub(super) fn literal(tokens: &[Token]) -> Option<(Literal, &[Token])> {
    expression(tokens, MAX_DEPTH)
}

/// Values with `.` between them.
fn expression(tokens: &[Token], depth: usize) -> Option<(Literal, &[Token])> {
    let depth = depth.checked_sub(1)?;
    let (mut value, mut rest) = operand(tokens, depth)?;
    while let Some(after) = character(rest, b'.') {
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
    let (first, rest) = tokens.split_first()?;
    match &first.kind {
        Kind::Literal(literal) => Some((copy(literal)?, rest)),
        Kind::Word(word) => match word.trim_start_matches('\\').to_ascii_lowercase().as_str() {
            "true" => Some((Literal::Boolean(true), rest)),
            "false" => Some((Literal::Boolean(false), rest)),
            "null" => Some((Literal::Null, rest)),
            "array" => elements(character(rest, b'(')?, b')', depth),
            _ => None,
        },
        Kind::Symbol(Symbol::Character(b'[')) => elements(rest, b']', depth),
        Kind::Symbol(Symbol::Character(b'(')) => {
            let (value, rest) = expression(rest, depth)?;
            Some((value, character(rest, b')')?))
        }
        Kind::Symbol(Symbol::Character(sign @ (b'-' | b'+'))) => signed(*sign, rest),
        _ => None,
    }
}

/// A number after a sign.
fn signed(sign: u8, tokens: &[Token]) -> Option<(Literal, &[Token])> {
    let (first, rest) = tokens.split_first()?;
    let Kind::Literal(number) = &first.kind else {
        return None;
    };
    let value = match (number, sign) {
        (Literal::Integer(number), b'-') => Literal::Integer(-number),
        (Literal::Float(number), b'-') => Literal::Float(-number),
        (Literal::Integer(number), _) => Literal::Integer(*number),
        (Literal::Float(number), _) => Literal::Float(*number),
        _ => return None,
    };
    Some((value, rest))
}

/// The elements of an array up to `end`.
fn elements(mut tokens: &[Token], end: u8, depth: usize) -> Option<(Literal, &[Token])> {
    let mut array: Vec<(Key, Literal)> = Vec::new();
    // The key of an element without one: one past the greatest so far.
    let mut next = Some(0_i64);
    loop {
        if let Some(rest) = character(tokens, end) {
            return Some((Literal::Array(array), rest));
        }
        if array.len() >= MAX_ELEMENTS {
            return None;
        }
        let (mut value, mut rest) = expression(tokens, depth)?;
        let key = if let [
            Token {
                kind: Kind::Symbol(Symbol::DoubleArrow),
                ..
            },
            after @ ..,
        ] = rest
        {
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
        tokens = match character(rest, b',') {
            Some(rest) => rest,
            None => {
                let rest = character(rest, end)?;
                return Some((Literal::Array(array), rest));
            }
        };
    }
}

pub(super) fn character(tokens: &[Token], wanted: u8) -> Option<&[Token]> {
    let (first, rest) = tokens.split_first()?;
    (first.kind == Kind::Symbol(Symbol::Character(wanted))).then_some(rest)
}

/// A scalar of the scanner's.
fn copy(literal: &Literal) -> Option<Literal> {
    match literal {
        Literal::Text(text) => Some(Literal::Text(text.clone())),
        Literal::Integer(number) => Some(Literal::Integer(*number)),
        Literal::Float(number) => Some(Literal::Float(*number)),
        _ => None,
    }
}
