//! Reads classes: the defaults of their properties.

use std::collections::BTreeMap;

use super::expression::{Scope, literal};
use super::literal::{Entry, Literal, NotLiteral, SyntaxError};
use super::mentions::{Mention, Mentioned, anything_after, mentions};
use super::scanner::{Kind, Token, first, sign, skip};
use super::statements::{Reader, split_statement};

impl Reader<'_> {
    /// Reads a class, whose statement begins at `statement` and whose name stands at `tokens`: its
    /// properties with defaults. Names in a method are not literals, wherever the method is.
    pub(crate) fn class<'a>(
        &mut self,
        statement: &'a [Token],
        tokens: &'a [Token],
    ) -> Result<&'a [Token], SyntaxError> {
        let Some((Kind::Word(class), head)) = first(tokens) else {
            return self.other(statement);
        };
        let class = class.to_ascii_lowercase();
        let (_, rest) = split_statement(statement)?;
        let length = head.len().checked_sub(rest.len());
        let Some(head_and_body) = length.and_then(|length| head.get(..length)) else {
            // `final; class …`: the statement ends before its class.
            return self.other(statement);
        };
        let open = head_and_body
            .iter()
            .position(|token| token.kind == Kind::Sign(b'{'));
        let (head, body) = open
            .and_then(|open| head_and_body.split_at_checked(open))
            .unwrap_or_default();
        let mut body = body.get(1..).unwrap_or_default();
        let mut properties = BTreeMap::new();
        // A parent may have a constructor.
        let mut spoilt: Vec<Mention> = anything_after("extends", head).collect();
        while !body.is_empty() && sign(body, b'}').is_none() {
            let (member, rest) = split_statement(body)?;
            if !declare(&mut properties, member) {
                let function = member.iter().any(|token| token.is_word("function"));
                // A method's variables are its own.
                spoilt.extend(mentions(member).into_iter().filter(|mention| {
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

/// Adds the properties of `public $name = …, $name;`. False, and nothing is added, when a member
/// of a class is anything else.
fn declare(properties: &mut BTreeMap<String, Entry>, member: &[Token]) -> bool {
    let mut typed = false;
    let mut tokens = member;
    while let Some((kind, rest)) = first(tokens) {
        match kind {
            Kind::Variable(_) => break,
            Kind::Word(word) => match word.to_ascii_lowercase().as_str() {
                "function" => return false,
                "public" | "protected" | "private" | "var" | "static" | "readonly" | "final" => {}
                _ => typed = true,
            },
            // Of a type such as `?string` or `(A&B)|null`.
            Kind::Sign(b'?' | b'|' | b'&' | b'(' | b')') => typed = true,
            _ => return false,
        }
        tokens = rest;
    }
    if tokens.len() == member.len() {
        return false;
    }
    let mut found: Vec<(String, Entry)> = Vec::new();
    while let Some((variable, rest)) = tokens.split_first()
        && let Kind::Variable(name) = &variable.kind
    {
        let (value, rest) = match skip(rest, &Kind::Equals) {
            Some(rest) => match literal(rest, Scope::Nothing) {
                Some((value, rest)) => (Ok(value), rest),
                None => return false,
            },
            None if typed => {
                let line = variable.line;
                (Err(NotLiteral { line }), rest)
            }
            None => (Ok(Literal::Null), rest),
        };
        found.push((name.clone(), value));
        match (sign(rest, b','), skip(rest, &Kind::End)) {
            (Some(rest), _) => tokens = rest,
            (None, Some([])) => {
                properties.extend(found);
                return true;
            }
            _ => return false,
        }
    }
    false
}
