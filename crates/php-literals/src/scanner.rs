//! A PHP file as tokens.

use super::SyntaxError;
use super::literal::Literal;
use super::numbers::number;
use super::strings;

/// A token and the line that it begins on.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) line: usize,
    pub(super) kind: Kind,
}

#[derive(Debug, PartialEq)]
pub(super) enum Kind {
    /// `$name`.
    Variable(String),
    /// A word: a keyword, a constant, a name with or without a namespace.
    Word(String),
    /// A string or a number.
    Literal(Literal),
    /// A string with variables or a command in it, and the variables.
    Computed(Vec<String>),
    /// One character of anything else; `==`, `=>`, `->` and `::` are told from `=` and `:`.
    Symbol(Symbol),
    /// The end of a statement: `;` or `?>`.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Symbol {
    Character(u8),
    Equal,
    DoubleArrow,
    Arrow,
    DoubleColon,
    /// A comparison or an assignment that also computes: `==`, `.=`, …
    Operator,
}

/// Splits a file; what is outside `<?php` and `?>` is left out.
pub(super) fn tokens(source: &[u8]) -> Result<Vec<Token>, SyntaxError> {
    let mut scanner = Scanner {
        source,
        at: 0,
        line: 1,
    };
    let mut tokens = Vec::new();
    while scanner.open_tag() {
        while let Some(token) = scanner.token()? {
            let closed = token.kind == Kind::End
                && scanner.source.get(..scanner.at).is_some_and(|read| {
                    read.ends_with(b"?>") || read.ends_with(b"?>\n") || read.ends_with(b"?>\r\n")
                });
            tokens.push(token);
            if closed {
                break;
            }
        }
    }
    Ok(tokens)
}

pub(super) struct Scanner<'a> {
    source: &'a [u8],
    at: usize,
    line: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn rest(&self) -> &'a [u8] {
        self.source.get(self.at..).unwrap_or_default()
    }

    pub(super) fn take(&mut self, count: usize) -> &'a [u8] {
        let count = count.min(self.rest().len());
        let taken = self.rest().get(..count).unwrap_or_default();
        self.at += count;
        self.line += taken.iter().filter(|byte| **byte == b'\n').count();
        taken
    }

    pub(super) fn fail<T>(&self, reason: &'static str) -> Result<T, SyntaxError> {
        let line = self.line;
        Err(SyntaxError { line, reason })
    }

    /// How far away `needle` is.
    pub(super) fn find(&self, needle: &[u8]) -> Option<usize> {
        self.rest()
            .windows(needle.len())
            .position(|window| window == needle)
    }

    /// Goes past the next `<?php`, if there is one. What `<?=` shows is no statement of interest,
    /// but may change variables.
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
                Kind::End
            }
            b'$' => {
                self.take(1);
                match self.word() {
                    name if name.is_empty() => Kind::Symbol(Symbol::Character(b'$')),
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
            _ if is_letter(first) || first == b'\\' => Kind::Word(self.qualified_name()),
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

    /// Letters, digits and underscores from here on, if they begin with no digit.
    pub(super) fn word(&mut self) -> String {
        let rest = self.rest();
        if !rest.first().copied().is_some_and(is_letter) {
            return String::new();
        }
        let count = rest
            .iter()
            .take_while(|byte| is_letter(**byte) || byte.is_ascii_digit());
        String::from_utf8_lossy(self.take(count.count())).into_owned()
    }

    fn qualified_name(&mut self) -> String {
        let rest = self.rest();
        let part = |byte: &&u8| is_letter(**byte) || byte.is_ascii_digit() || **byte == b'\\';
        let count = rest.iter().take_while(part).count();
        String::from_utf8_lossy(self.take(count)).into_owned()
    }

    fn symbol(&mut self) -> Kind {
        const SYMBOLS: [(&[u8], Symbol); 8] = [
            (b"===", Symbol::Operator),
            (b"!==", Symbol::Operator),
            (b"==", Symbol::Operator),
            (b"!=", Symbol::Operator),
            (b"=>", Symbol::DoubleArrow),
            (b"->", Symbol::Arrow),
            (b"::", Symbol::DoubleColon),
            (b"=", Symbol::Equal),
        ];
        for (text, symbol) in SYMBOLS {
            if self.rest().starts_with(text) {
                self.take(text.len());
                return Kind::Symbol(symbol);
            }
        }
        // `<=`, `.=`, `+=`, `??=`: whatever ends with an equals sign.
        let signs = |byte: &&u8| b"<>.+-*/%&|^?!".contains(byte);
        let count = self.rest().iter().take(3).take_while(signs).count();
        if count > 0 && self.rest().get(count) == Some(&b'=') && count <= 2 {
            self.take(count + 1);
            return Kind::Symbol(Symbol::Operator);
        }
        let character = self.take(1).first().copied().unwrap_or_default();
        Kind::Symbol(Symbol::Character(character))
    }

    /// `LNUM`, `DNUM`, `HNUM`, `BNUM` and `ONUM` of the scanner. A number with more letters than
    /// it may have becomes a word, which is no literal.
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

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}
