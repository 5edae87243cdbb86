//! Evaluates the conditions of `if`: what is defined, set, or there as a file.

use super::expression::{Scope, literal};
use super::literal::Literal;
use super::scanner::{Kind, Token, first, sign};
use super::statements::Reader;
use super::surroundings::MAX_MADE;

/// The deepest nesting of brackets and `!`.
const MAX_DEPTH: usize = 32;

impl Reader<'_> {
    /// Whether the condition that all of `tokens` are holds; `None` where PHP would have to run to
    /// tell.
    pub(crate) fn holds(&mut self, tokens: &[Token]) -> Option<bool> {
        let (holds, rest) = self.any(tokens, MAX_DEPTH)?;
        rest.is_empty().then_some(holds)
    }

    /// Conditions with `||` between them. Each must be understood, though one may decide.
    fn any<'a>(&mut self, tokens: &'a [Token], depth: usize) -> Option<(bool, &'a [Token])> {
        let depth = depth.checked_sub(1)?;
        let (mut holds, mut rest) = self.all(tokens, depth)?;
        while let Some(after) = doubled(rest, b'|') {
            let (right, after) = self.all(after, depth)?;
            holds |= right;
            rest = after;
        }
        Some((holds, rest))
    }

    /// Conditions with `&&` between them.
    fn all<'a>(&mut self, tokens: &'a [Token], depth: usize) -> Option<(bool, &'a [Token])> {
        let (mut holds, mut rest) = self.one(tokens, depth)?;
        while let Some(after) = doubled(rest, b'&') {
            let (right, after) = self.one(after, depth)?;
            holds &= right;
            rest = after;
        }
        Some((holds, rest))
    }

    fn one<'a>(&mut self, tokens: &'a [Token], depth: usize) -> Option<(bool, &'a [Token])> {
        let depth = depth.checked_sub(1)?;
        if let Some(rest) = sign(tokens, b'!') {
            let (holds, rest) = self.one(rest, depth)?;
            return Some((!holds, rest));
        }
        if let Some(rest) = sign(tokens, b'(') {
            let (holds, rest) = self.any(rest, depth)?;
            return Some((holds, sign(rest, b')')?));
        }
        let (Kind::Word(word), rest) = first(tokens)? else {
            return self.value(tokens);
        };
        let word = word.trim_start_matches('\\').to_ascii_lowercase();
        match (word.as_str(), sign(rest, b'(')) {
            ("isset", Some(rest)) => {
                let (Kind::Variable(name), rest) = first(rest)? else {
                    return None;
                };
                let rest = sign(rest, b')')?;
                let is_set = match self.found.variables.get(name) {
                    Some(Ok(value)) => *value != Literal::Null,
                    Some(Err(_)) => return None,
                    None if self.found.spoilt.is_some() || is_global(name) => return None,
                    None => false,
                };
                Some((is_set, rest))
            }
            ("defined", Some(rest)) => {
                let (name, rest) = self.text(rest)?;
                let is_defined = match self.found.constants.get(&name) {
                    Some(Ok(_)) => true,
                    Some(Err(_)) => return None,
                    None if self.found.spoilt.is_some() => return None,
                    None => false,
                };
                Some((is_defined, rest))
            }
            (word @ ("file_exists" | "is_readable" | "is_file"), Some(rest)) => {
                let (path, rest) = self.text(rest)?;
                // A relative path is one from where PHP was started.
                let path = path.starts_with('/').then_some(path)?;
                let files = self.files.as_deref_mut()?;
                let there = match word {
                    "is_file" => files.is_file(&path),
                    _ => files.exists(&path),
                };
                Some((there?, rest))
            }
            _ => self.value(tokens),
        }
    }

    /// A value that is true or false by itself.
    fn value<'a>(&self, tokens: &'a [Token]) -> Option<(bool, &'a [Token])> {
        let (value, rest) = literal(tokens, self.scope())?;
        let holds = match value {
            Literal::Boolean(boolean) => boolean,
            Literal::Null => false,
            Literal::Integer(number) => number != 0,
            Literal::Text(text) => !matches!(&**text, b"" | b"0"),
            Literal::Float(_) | Literal::Array(_) => return None,
        };
        Some((holds, rest))
    }

    /// The one argument of a function, up to its bracket.
    fn text<'a>(&self, tokens: &'a [Token]) -> Option<(String, &'a [Token])> {
        let (value, rest) = literal(tokens, self.scope())?;
        let text = match value {
            Literal::Text(text) if text.len() <= MAX_MADE => text,
            _ => return None,
        };
        let text = String::from_utf8(text.to_vec()).ok()?;
        Some((text, sign(rest, b')')?))
    }

    pub(crate) fn scope(&self) -> Scope<'_> {
        match &self.files {
            Some(_) => Scope::Of {
                found: &self.found,
                path: self.paths.last().map_or("", |path| path.as_str()),
            },
            None => Scope::Nothing,
        }
    }
}

/// The tokens after `&&` or `||`.
fn doubled(tokens: &[Token], character: u8) -> Option<&[Token]> {
    sign(sign(tokens, character)?, character)
}

/// Whether PHP itself sets the variable.
fn is_global(name: &str) -> bool {
    name.starts_with('_') || matches!(name, "GLOBALS" | "argv" | "argc" | "this")
}
