//! What a statement mentions that is not understood.

use super::expression::character;
use super::literal::Literal;
use super::scanner::{Kind, Symbol, Token};

/// Words that may change any variable.
const ANYTHING: [&str; 7] = [
    "include",
    "include_once",
    "require",
    "require_once",
    "eval",
    "extract",
    "parse_str",
];

/// Something that a statement mentions.
pub(super) struct Mention {
    pub(super) line: usize,
    pub(super) what: Mentioned,
}

pub(super) enum Mentioned {
    Variable(String),
    /// `$this->name`, `self::$name`.
    Property(String),
    /// `define('NAME'`.
    Constant(String),
    /// Whatever there is.
    Anything,
}

pub(super) fn mentions(tokens: &[Token]) -> Vec<Mention> {
    let mut found = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        let after = tokens.get(index + 1..).unwrap_or_default();
        let line = token.line;
        let mut mention = |what| found.push(Mention { line, what });
        match &token.kind {
            Kind::Variable(name) if name == "GLOBALS" => mention(Mentioned::Anything),
            Kind::Variable(name) => {
                let before = index.checked_sub(1).and_then(|before| tokens.get(before));
                let property =
                    before.is_some_and(|token| token.kind == Kind::Symbol(Symbol::DoubleColon));
                mention(if property {
                    Mentioned::Property(name.clone())
                } else {
                    Mentioned::Variable(name.clone())
                });
                if let [
                    Token {
                        kind: Kind::Symbol(Symbol::Arrow),
                        ..
                    },
                    after @ ..,
                ] = after
                {
                    mention(match after.first().map(|token| &token.kind) {
                        Some(Kind::Word(property)) => Mentioned::Property(property.clone()),
                        _ => Mentioned::Anything,
                    });
                } else if name == "this" {
                    // Handed to somebody who may do anything to it.
                    mention(Mentioned::Anything);
                }
            }
            Kind::Computed(names) => {
                for name in names {
                    mention(Mentioned::Variable(name.clone()));
                }
            }
            Kind::Symbol(Symbol::Character(b'$')) => mention(Mentioned::Anything),
            Kind::Word(word) => {
                let word = word.trim_start_matches('\\').to_ascii_lowercase();
                if ANYTHING.contains(&word.as_str()) {
                    mention(Mentioned::Anything);
                }
                if let Some((name, _)) = defined_name(tokens.get(index..).unwrap_or_default()) {
                    mention(Mentioned::Constant(name));
                }
            }
            _ => {}
        }
    }
    found
}

/// A mention of anything for each time that `word` is among `tokens`.
pub(super) fn anything_after<'a>(
    word: &'a str,
    tokens: &'a [Token],
) -> impl Iterator<Item = Mention> {
    let found = tokens.iter().filter(move |token| is_word(token, word));
    found.map(|token| Mention {
        line: token.line,
        what: Mentioned::Anything,
    })
}

pub(super) fn is_word(token: &Token, wanted: &str) -> bool {
    matches!(&token.kind, Kind::Word(word) if word.eq_ignore_ascii_case(wanted))
}

/// `define('NAME'`, and what follows.
pub(super) fn defined_name(tokens: &[Token]) -> Option<(String, &[Token])> {
    let (first, rest) = tokens.split_first()?;
    let Kind::Word(word) = &first.kind else {
        return None;
    };
    if !word.trim_start_matches('\\').eq_ignore_ascii_case("define") {
        return None;
    }
    let (name, rest) = character(rest, b'(')?.split_first()?;
    let Kind::Literal(Literal::Text(name)) = &name.kind else {
        return None;
    };
    Some((String::from_utf8_lossy(name).into_owned(), rest))
}
