//! Splits a PHP file into tokens.

use super::literal::{Literal, SyntaxError};
use super::strings;

/// A token and the line that it begins on.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) line: usize,
    pub(crate) kind: Kind,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Kind {
    /// `$name`.
    Variable(String),
    /// A word: a keyword, a constant, a name with or without a namespace.
    Word(String),
    /// A string or a number.
    Literal(Literal),
    /// A string with variables or a command in it, and the variables.
    Computed(Vec<String>),
    /// One character of anything else.
    Sign(u8),
    /// `=`
    Equals,
    /// `=>`
    DoubleArrow,
    /// `->`
    Arrow,
    /// `::`
    DoubleColon,
    /// A comparison or an assignment that also computes: `==`, `.=`, …
    Operator,
    /// The end of a statement: `;` or `?>`.
    End,
}

impl Token {
    /// Whether it is the word `wanted`, ignoring case.
    pub(crate) fn is_word(&self, wanted: &str) -> bool {
        matches!(&self.kind, Kind::Word(word) if word.eq_ignore_ascii_case(wanted))
    }
}

/// The kind of the first token, and the tokens after it.
pub(crate) fn first(tokens: &[Token]) -> Option<(&Kind, &[Token])> {
    tokens
        .split_first()
        .map(|(token, rest)| (&token.kind, rest))
}

/// The tokens after the first, if that is of this `kind`. A file's end does not end a statement:
/// PHP sees it so.
pub(crate) fn skip<'a>(tokens: &'a [Token], kind: &Kind) -> Option<&'a [Token]> {
    first(tokens).and_then(|(first, rest)| (first == kind).then_some(rest))
}

/// The tokens after the first, if that is this `character`.
pub(crate) fn sign(tokens: &[Token], character: u8) -> Option<&[Token]> {
    skip(tokens, &Kind::Sign(character))
}

/// Splits a file; what is outside `<?php` and `?>` is left out.
pub(crate) fn tokens(source: &[u8]) -> Result<Vec<Token>, SyntaxError> {
    let mut scanner = Scanner {
        source,
        at: 0,
        line: 1,
        in_php: false,
    };
    let mut tokens = Vec::new();
    while scanner.open_tag() {
        scanner.in_php = true;
        while scanner.in_php
            && let Some(token) = scanner.token()?
        {
            tokens.push(token);
        }
    }
    Ok(tokens)
}

pub(crate) struct Scanner<'a> {
    source: &'a [u8],
    at: usize,
    line: usize,
    /// Whether a tag has been opened and not closed.
    in_php: bool,
}

impl<'a> Scanner<'a> {
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.source.get(self.at..).unwrap_or_default()
    }

    pub(crate) fn take(&mut self, count: usize) -> &'a [u8] {
        let count = count.min(self.rest().len());
        let taken = self.rest().get(..count).unwrap_or_default();
        self.at += count;
        self.line += taken.iter().filter(|byte| **byte == b'\n').count();
        taken
    }

    pub(crate) fn fail<T>(&self, reason: &'static str) -> Result<T, SyntaxError> {
        let line = self.line;
        Err(SyntaxError { line, reason })
    }

    /// How far away `needle` is.
    pub(crate) fn find(&self, needle: &[u8]) -> Option<usize> {
        self.rest()
            .windows(needle.len())
            .position(|window| window == needle)
    }

    /// Goes past the next `<?php`, if there is one. `<?=` opens one, too: what it prints
    /// may change variables.
    fn open_tag(&mut self) -> bool {
        while let Some(distance) = self.find(b"<?") {
            self.take(distance + 2);
            let rest = self.rest();
            if rest.starts_with(b"=") {
                return true;
            }
            let php = rest
                .get(..3)
                .is_some_and(|word| word.eq_ignore_ascii_case(b"php"));
            if php && rest.get(3).is_none_or(u8::is_ascii_whitespace) {
                self.take(3);
                return true;
            }
        }
        false
    }

    fn token(&mut self) -> Result<Option<Token>, SyntaxError> {
        self.space()?;
        let line = self.line;
        let Some(first) = self.rest().first().copied() else {
            return Ok(None);
        };
        let kind = match first {
            b';' => {
                self.take(1);
                Kind::End
            }
            b'?' if self.rest().starts_with(b"?>") => {
                self.take(2);
                // PHP takes one line end after the tag for a part of it.
                let line_end = match self.rest() {
                    [b'\n', ..] => 1,
                    [b'\r', b'\n', ..] => 2,
                    _ => 0,
                };
                self.take(line_end);
                self.in_php = false;
                Kind::End
            }
            b'$' => {
                self.take(1);
                match self.word() {
                    name if name.is_empty() => Kind::Sign(b'$'),
                    name => Kind::Variable(name),
                }
            }
            b'\'' => Kind::Literal(Literal::text(strings::single_quoted(self)?)),
            b'"' => strings::double_quoted(self)?,
            b'`' => strings::command(self)?,
            b'b' | b'B' if matches!(self.rest().get(1), Some(b'\'' | b'"')) => {
                self.take(1);
                return self.token();
            }
            b'<' if self.rest().starts_with(b"<<<") => match strings::heredoc(self)? {
                Some(kind) => kind,
                None => self.symbol(),
            },
            b'0'..=b'9' => self.number(),
            b'.' if self.rest().get(1).is_some_and(u8::is_ascii_digit) => self.number(),
            _ if is_letter(&first) || first == b'\\' => Kind::Word(self.qualified_name()),
            _ => self.symbol(),
        };
        Ok(Some(Token { line, kind }))
    }

    /// Goes past white space and comments.
    fn space(&mut self) -> Result<(), SyntaxError> {
        loop {
            let rest = self.rest();
            match rest {
                [b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c, ..] => {
                    self.take(1);
                }
                [b'/', b'*', body @ ..] => {
                    let Some(end) = body.windows(2).position(|end| end == b"*/") else {
                        return self.fail("a comment does not end");
                    };
                    self.take(2 + end + 2);
                }
                // From PHP 8 on, `#[` begins an attribute.
                [b'#', b'[', ..] => return Ok(()),
                [b'#', ..] | [b'/', b'/', ..] => {
                    let line = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
                    let tag = self.find(b"?>");
                    let end = [line, tag].into_iter().flatten().min();
                    self.take(end.unwrap_or(rest.len()));
                }
                _ => return Ok(()),
            }
        }
    }

    /// Letters, digits and underscores from here on, if they do not begin with a digit.
    pub(crate) fn word(&mut self) -> String {
        let rest = self.rest();
        if !rest.first().is_some_and(is_letter) {
            return String::new();
        }
        let count = rest.iter().take_while(|byte| is_name(byte)).count();
        String::from_utf8_lossy(self.take(count)).into_owned()
    }

    fn qualified_name(&mut self) -> String {
        let rest = self.rest();
        let part = |byte: &&u8| is_name(byte) || **byte == b'\\';
        let count = rest.iter().take_while(part).count();
        String::from_utf8_lossy(self.take(count)).into_owned()
    }

    fn symbol(&mut self) -> Kind {
        const SYMBOLS: [(&[u8], Kind); 8] = [
            (b"===", Kind::Operator),
            (b"!==", Kind::Operator),
            (b"==", Kind::Operator),
            (b"!=", Kind::Operator),
            (b"=>", Kind::DoubleArrow),
            (b"->", Kind::Arrow),
            (b"::", Kind::DoubleColon),
            (b"=", Kind::Equals),
        ];
        for (text, kind) in SYMBOLS {
            if self.rest().starts_with(text) {
                self.take(text.len());
                return kind;
            }
        }
        // `<=`, `.=`, `+=`, `??=`: whatever ends with an equals sign.
        let signs = |byte: &&u8| b"<>.+-*/%&|^?!".contains(byte);
        let count = self.rest().iter().take(3).take_while(signs).count();
        if count > 0 && self.rest().get(count) == Some(&b'=') && count <= 2 {
            self.take(count + 1);
            return Kind::Operator;
        }
        let character = self.take(1).first().copied().unwrap_or_default();
        Kind::Sign(character)
    }

    /// `LNUM`, `DNUM`, `HNUM`, `BNUM` and `ONUM` of the scanner. A number with more letters than
    /// it may have becomes a word, which is not a literal.
    fn number(&mut self) -> Kind {
        let rest = self.rest();
        let mut count = 0;
        while let Some(byte) = rest.get(count) {
            let exponent = count > 0
                && !rest.starts_with(b"0x")
                && !rest.starts_with(b"0X")
                && matches!(rest.get(count - 1), Some(b'e' | b'E'))
                && matches!(byte, b'+' | b'-')
                && rest.get(count + 1).is_some_and(u8::is_ascii_digit);
            // `1..2` is `1.` beside `.2`.
            let second_point =
                *byte == b'.' && rest.get(..count).is_some_and(|n| n.contains(&b'.'));
            if second_point
                || !(byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.') || exponent)
            {
                break;
            }
            count += 1;
        }
        let text = String::from_utf8_lossy(self.take(count)).into_owned();
        match number(&text) {
            Some(literal) => Kind::Literal(literal),
            None => Kind::Word(text),
        }
    }
}

/// Whether a name may begin with `byte`.
fn is_letter(byte: &u8) -> bool {
    byte.is_ascii_alphabetic() || *byte == b'_' || *byte >= 0x80
}

/// Whether `byte` may be in a name.
pub(crate) fn is_name(byte: &u8) -> bool {
    is_letter(byte) || byte.is_ascii_digit()
}

/// The value of a number's text (`LNUM`, `HNUM`, `BNUM`, `ONUM` and `DNUM` of the scanner).
fn number(text: &str) -> Option<Literal> {
    // An underscore stands between two digits.
    let bytes = text.as_bytes();
    let misplaced = |index: usize| {
        let digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
        !digit(index.checked_sub(1).and_then(|before| bytes.get(before)))
            || !digit(bytes.get(index + 1))
    };
    if bytes
        .iter()
        .enumerate()
        .any(|(index, byte)| *byte == b'_' && misplaced(index))
    {
        return None;
    }
    let text = text.replace('_', "").to_ascii_lowercase();
    let (digits, radix) = match text.as_bytes() {
        [b'0', b'x', ..] => (text.get(2..)?, 16),
        [b'0', b'b', ..] => (text.get(2..)?, 2),
        [b'0', b'o', ..] => (text.get(2..)?, 8),
        [b'0', rest @ ..] if !rest.is_empty() && rest.iter().all(u8::is_ascii_digit) => {
            (text.get(1..)?, 8)
        }
        _ if text.bytes().all(|byte| byte.is_ascii_digit()) => (text.as_str(), 10),
        _ => {
            let decimal = text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || b".e+-".contains(&byte));
            return text.parse().ok().filter(|_| decimal).map(Literal::Float);
        }
    };
    let valid = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
    match i64::from_str_radix(digits, radix) {
        Ok(integer) if valid => Some(Literal::Integer(integer)),
        // A number that does not fit is a float to PHP; only a decimal one is worth reading.
        Err(_) if valid && radix == 10 => text.parse().ok().map(Literal::Float),
        _ => None,
    }
}
