//! Reads `if` statements whose condition is known, and the files that a file includes.

use super::expression::literal;
use super::literal::{Literal, SyntaxError};
use super::scanner::{self, Kind, Token, first, sign, skip};
use super::statements::{Ended, Reader, split_statement};
use super::surroundings::{Included, MAX_FILES, MAX_INCLUDED};

/// The deepest nesting of `if`.
const MAX_DEPTH: usize = 32;
/// Words that begin statements whose end another statement may belong to.
const NESTING: [&str; 9] = [
    "if", "for", "foreach", "while", "switch", "do", "try", "declare", "function",
];

/// A statement that is run or not.
struct Body<'a> {
    /// Itself, without its brackets.
    tokens: &'a [Token],
    rest: &'a [Token],
}

impl Reader<'_> {
    /// Reads `if (…) … elseif (…) … else …` after its first word. `None` where its first condition
    /// is not known, or its form is not. Where a later condition is not, what follows from there on
    /// is left.
    pub(crate) fn branches<'a>(
        &mut self,
        tokens: &'a [Token],
    ) -> Result<Option<&'a [Token]>, SyntaxError> {
        if self.files.is_none() || self.depth >= MAX_DEPTH {
            return Ok(None);
        }
        let Some((holds, body)) = self.branch(tokens)? else {
            return Ok(None);
        };
        let mut taken = holds.then_some(body.tokens);
        let mut rest = body.rest;
        while let Some((next, conditional)) = alternative(rest) {
            let (holds, body) = if conditional {
                match self.branch(next)? {
                    Some(branch) => branch,
                    // What was not taken for certain is looked at as any statement is.
                    None if taken.is_none() => return Ok(Some(rest)),
                    None => {
                        let Some((_, body)) = condition(next) else {
                            return Ok(None);
                        };
                        match body_of(body)? {
                            Some(body) => (false, body),
                            None => return Ok(None),
                        }
                    }
                }
            } else {
                match body_of(next)? {
                    Some(body) => (true, body),
                    None => return Ok(None),
                }
            };
            if holds && taken.is_none() {
                taken = Some(body.tokens);
            }
            rest = body.rest;
            if !conditional {
                break;
            }
        }
        if let Some(taken) = taken {
            self.depth += 1;
            let read = self.statements(taken);
            self.depth -= 1;
            read?;
        }
        Ok(Some(rest))
    }

    /// A condition in brackets, and the statement after it.
    fn branch<'a>(&mut self, tokens: &'a [Token]) -> Result<Option<(bool, Body<'a>)>, SyntaxError> {
        let Some((condition, after)) = condition(tokens) else {
            return Ok(None);
        };
        let Some(body) = body_of(after)? else {
            return Ok(None);
        };
        Ok(self.holds(condition).map(|holds| (holds, body)))
    }

    /// Reads `include …;` and its kin after the word. `None` where it cannot be told which file
    /// that is, or the file cannot be read.
    pub(crate) fn include<'a>(
        &mut self,
        word: &str,
        line: usize,
        tokens: &'a [Token],
    ) -> Result<Option<&'a [Token]>, SyntaxError> {
        let path = literal(tokens, self.scope()).and_then(|(path, rest)| {
            let rest = skip(rest, &Kind::End)?;
            let Literal::Text(path) = path else {
                return None;
            };
            let path = String::from_utf8(path.to_vec()).ok()?;
            path.starts_with('/').then_some((path, rest))
        });
        let (Some((path, rest)), Some(files)) = (path, self.files.as_deref_mut()) else {
            return Ok(None);
        };
        if word.ends_with("_once") && self.included.contains(&path) {
            return Ok(Some(rest));
        }
        let source = match files.include(&path) {
            Included::File(source) => source,
            Included::Nothing => return Ok(Some(rest)),
            Included::Unknown => return Ok(None),
        };
        if self.paths.len() > MAX_INCLUDED
            || self.included.len() >= MAX_FILES
            || source.len() > super::MAX_FILE
        {
            return Ok(None);
        }
        let failed = |_| SyntaxError {
            line,
            reason: "the file that is included here is not PHP",
        };
        let mut tokens = scanner::tokens(&source).map_err(failed)?;
        for token in &mut tokens {
            token.line = line;
        }
        self.included.push(path.clone());
        self.paths.push(path);
        let branches = std::mem::take(&mut self.branches);
        let read = self.statements(&tokens);
        self.branches = branches;
        self.paths.pop();
        read?;
        if self.ended == Ended::File {
            self.ended = Ended::Not;
        }
        Ok(Some(rest))
    }
}

/// What follows `else`, `elseif` or `else if`, and whether a condition does.
fn alternative(tokens: &[Token]) -> Option<(&[Token], bool)> {
    let (token, rest) = tokens.split_first()?;
    if token.is_word("elseif") {
        return Some((rest, true));
    }
    if !token.is_word("else") {
        return None;
    }
    match rest.split_first() {
        Some((next, after)) if next.is_word("if") => Some((after, true)),
        _ => Some((rest, false)),
    }
}

/// The tokens between the brackets that `tokens` begin with, and those after.
fn condition(tokens: &[Token]) -> Option<(&[Token], &[Token])> {
    closing(sign(tokens, b'(')?)
}

/// The tokens up to the bracket that closes what is open, and those after it.
fn closing(tokens: &[Token]) -> Option<(&[Token], &[Token])> {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate() {
        match token.kind {
            Kind::Sign(b'(' | b'[' | b'{') => depth += 1,
            Kind::Sign(b')' | b']' | b'}') => match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => {
                    let (inner, rest) = tokens.split_at_checked(index)?;
                    return Some((inner, rest.get(1..)?));
                }
            },
            _ => {}
        }
    }
    None
}

/// The statement that a condition belongs to: a block, or one whose end is certain.
fn body_of(tokens: &[Token]) -> Result<Option<Body<'_>>, SyntaxError> {
    if let Some(inner) = sign(tokens, b'{') {
        return Ok(closing(inner).map(|(tokens, rest)| Body { tokens, rest }));
    }
    match first(tokens) {
        None | Some((Kind::Sign(b':'), _)) => return Ok(None),
        Some((Kind::Word(word), _)) if NESTING.contains(&word.to_ascii_lowercase().as_str()) => {
            return Ok(None);
        }
        _ => {}
    }
    let (tokens, rest) = split_statement(tokens)?;
    Ok(Some(Body { tokens, rest }))
}
