//! Lists the names that a statement which is not understood may change.

use super::literal::Literal;
use super::scanner::{Kind, Token, first, sign};

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

/// A name in a statement, and its line.
pub(crate) struct Mention {
    pub(crate) line: usize,
    pub(crate) what: Mentioned,
}

pub(crate) enum Mentioned {
    Variable(String),
    /// `$this->name`, `self::$name`.
    Property(String),
    /// `define('NAME'`.
    Constant(String),
    /// Any name there is.
    Anything,
}

pub(crate) fn mentions(tokens: &[Token]) -> Vec<Mention> {
    let mut found = Vec::new();
    let mut before: Option<&Kind> = None;
    let mut rest = tokens;
    while let Some((token, after)) = rest.split_first() {
        let line = token.line;
        let mut mention = |what| found.push(Mention { line, what });
        match &token.kind {
            Kind::Variable(name) if name == "GLOBALS" => mention(Mentioned::Anything),
            Kind::Variable(name) => {
                mention(match before {
                    Some(Kind::DoubleColon) => Mentioned::Property(name.clone()),
                    _ => Mentioned::Variable(name.clone()),
                });
                if let Some((Kind::Arrow, after)) = first(after) {
                    mention(match first(after) {
                        Some((Kind::Word(property), _)) => Mentioned::Property(property.clone()),
                        _ => Mentioned::Anything,
                    });
                } else if name == "this" {
                    // It is passed to code that may do anything to it.
                    mention(Mentioned::Anything);
                }
            }
            Kind::Computed(names) => {
                for name in names {
                    mention(Mentioned::Variable(name.clone()));
                }
            }
            Kind::Sign(b'$') => mention(Mentioned::Anything),
            Kind::Word(word) => {
                let word = word.trim_start_matches('\\').to_ascii_lowercase();
                if ANYTHING.contains(&word.as_str()) {
                    mention(Mentioned::Anything);
                }
                if let Some((name, _)) = defined_name(rest) {
                    mention(Mentioned::Constant(name));
                }
            }
            _ => {}
        }
        before = Some(&token.kind);
        rest = after;
    }
    found
}

/// A mention of anything for each time that `word` is among `tokens`.
pub(crate) fn anything_after<'a>(
    word: &'a str,
    tokens: &'a [Token],
) -> impl Iterator<Item = Mention> {
    let found = tokens.iter().filter(move |token| token.is_word(word));
    found.map(|token| Mention {
        line: token.line,
        what: Mentioned::Anything,
    })
}

/// `define('NAME'`, and what follows.
pub(crate) fn defined_name(tokens: &[Token]) -> Option<(String, &[Token])> {
    let (Kind::Word(word), rest) = first(tokens)? else {
        return None;
    };
    if !word.trim_start_matches('\\').eq_ignore_ascii_case("define") {
        return None;
    }
    let (Kind::Literal(Literal::Text(name)), rest) = first(sign(rest, b'(')?)? else {
        return None;
    };
    Some((String::from_utf8_lossy(name).into_owned(), rest))
}
