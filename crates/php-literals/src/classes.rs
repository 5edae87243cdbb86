//! Classes: the defaults of their properties.

use std::collections::BTreeMap;

use super::expression::{character, literal};
use super::literal::Literal;
use super::mentions::{Mention, Mentioned, anything_after, is_word, mentions};
use super::scanner::{Kind, Symbol, Token};
use super::statements::{Reader, end, equals, split_statement};
use super::{Entry, NotLiteral, SyntaxError};

impl Reader {
    /// A class: its properties with defaults. What a method mentions is no literal, wherever the
    /// method stands.
    pub(super) fn class<'a>(
        &mut self,
        statement: &'a [Token],
        tokens: &'a [Token],
    ) -> Result<&'a [Token], SyntaxError> {
        let [
            Token {
                kind: Kind::Word(class),
                ..
            },
            head @ ..,
        ] = tokens
        else {
            return self.other(statement);
        };
        let class = class.to_ascii_lowercase();
        let (_, rest) = split_statement(statement)?;
        let head_and_body = head.get(..head.len() - rest.len()).unwrap_or_default();
        let open = head_and_body
            .iter()
            .position(|token| token.kind == symbol(b'{'));
        let (head, mut body) = open
            .and_then(|open| head_and_body.split_at_checked(open))
            .unwrap_or_default();
        body = body.get(1..).unwrap_or_default();
        // A parent may have a constructor.
        let mut properties = BTreeMap::new();
        let mut spoilt: Vec<Mention> = anything_after("extends", head).collect();
        while let Some((first, _)) = body.split_first() {
            if first.kind == symbol(b'}') {
                break;
            }
            let (member, rest) = split_statement(body)?;
            if !declare(&mut properties, member) {
                let function = member.iter().any(|token| is_word(token, "function"));
                let mentions = mentions(member).into_iter();
                // A method's variables are its own.
                spoilt.extend(mentions.filter(|mention| {
                    !function || !matches!(mention.what, Mentioned::Variable(_))
                }));
                spoilt.extend(anything_after("use", member.get(..1).unwrap_or_default()));
            }
            body = rest;
        }
        for mention in spoilt {
            let not_literal = NotLiteral { line: mention.line };
            match mention.what {
                Mentioned::Variable(name) | Mentioned::Property(name) => {
                    properties.insert(name, Err(not_literal));
                }
                Mentioned::Anything => {
                    properties.clear();
                    self.found.spoilt_classes.insert(class.clone(), not_literal);
                }
                Mentioned::Constant(_) => {}
            }
        }
        self.found.properties.insert(class, properties);
        Ok(rest)
    }
}

/// `public $name = …, $name;`: whether a member of a class is that, with literals alone.
fn declare(properties: &mut BTreeMap<String, Entry>, member: &[Token]) -> bool {
    let first = member
        .iter()
        .position(|token| matches!(token.kind, Kind::Variable(_)));
    let Some((modifiers, mut tokens)) = first.and_then(|at| member.split_at_checked(at)) else {
        return false;
    };
    let word = |token: &Token| matches!(&token.kind, Kind::Word(_)) || is_type_sign(token);
    let function = modifiers.iter().any(|token| is_word(token, "function"));
    if modifiers.is_empty() || !modifiers.iter().all(word) || function {
        return false;
    }
    let typed = modifiers.iter().any(|token| match &token.kind {
        Kind::Word(word) => !matches!(
            word.to_ascii_lowercase().as_str(),
            "public" | "protected" | "private" | "var" | "static" | "readonly" | "final"
        ),
        _ => true,
    });
    let mut found: Vec<(String, Entry)> = Vec::new();
    loop {
        let [
            Token {
                kind: Kind::Variable(name),
                line,
            },
            rest @ ..,
        ] = tokens
        else {
            return false;
        };
        let (value, rest) = match equals(rest) {
            Some(rest) => match literal(rest) {
                Some((value, rest)) => (Ok(value), rest),
                None => return false,
            },
            None if typed => (Err(NotLiteral { line: *line }), rest),
            None => (Ok(Literal::Null), rest),
        };
        found.push((name.clone(), value));
        match (character(rest, b','), end(rest)) {
            (Some(rest), _) => tokens = rest,
            (None, Some([])) => break,
            _ => return false,
        }
    }
    properties.extend(found);
    true
}

fn symbol(character: u8) -> Kind {
    Kind::Symbol(Symbol::Character(character))
}

/// `?`, `|`, `&` and brackets, as in the type `?string` or `(A&B)|null`.
fn is_type_sign(token: &Token) -> bool {
    matches!(
        token.kind,
        Kind::Symbol(Symbol::Character(b'?' | b'|' | b'&' | b'(' | b')'))
    )
}
