//! Reads statements: those that give a name a literal, and what the others do to names.

use std::collections::{BTreeMap, BTreeSet};

use super::expression::literal;
use super::literal::{Literal, Literals, NotLiteral, SyntaxError};
use super::mentions::{Mentioned, defined_name, mentions};
use super::scanner::{Kind, Token, first, sign, skip};
use super::surroundings::{Files, Surroundings};

/// Words that begin statements which may be run or not, and end with another word when a colon
/// stands after their condition.
const CONDITIONAL: [&str; 7] = ["if", "elseif", "else", "for", "foreach", "while", "switch"];

/// Reads `tokens`, and what they include of `files` in these `surroundings`.
pub(crate) fn read(
    tokens: &[Token],
    surroundings: Surroundings,
    files: Option<&mut dyn Files>,
) -> Result<Literals, SyntaxError> {
    let set = |values: BTreeMap<String, Literal>| {
        let values = values.into_iter();
        values.map(|(name, value)| (name, Ok(value))).collect()
    };
    let mut reader = Reader {
        found: Literals {
            variables: set(surroundings.variables),
            constants: set(surroundings.constants),
            ..Literals::default()
        },
        branches: 0,
        shared: BTreeSet::new(),
        files,
        included: vec![surroundings.path.clone()],
        paths: vec![surroundings.path],
        depth: 0,
        ended: Ended::Not,
    };
    reader.statements(tokens)?;
    Ok(reader.found)
}

pub(crate) struct Reader<'f> {
    pub(crate) found: Literals,
    /// How many `if (…):` and the like are open.
    pub(crate) branches: usize,
    /// Variables that may change with others from now on.
    shared: BTreeSet<String>,
    /// The files around; `None` where no condition is evaluated, and nothing is included.
    pub(crate) files: Option<&'f mut dyn Files>,
    /// All files that have been read, and those that include each other, the innermost last.
    pub(crate) included: Vec<String>,
    pub(crate) paths: Vec<String>,
    /// How many `if` are open whose statements are read.
    pub(crate) depth: usize,
    pub(crate) ended: Ended,
}

/// Whether a statement has ended what is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Not,
    /// The file.
    File,
    /// Everything.
    All,
}

impl Reader<'_> {
    /// Reads `tokens` to their end, or to where PHP ends.
    pub(crate) fn statements(&mut self, tokens: &[Token]) -> Result<(), SyntaxError> {
        let mut rest = tokens;
        while !rest.is_empty() && self.ended == Ended::Not {
            rest = self.statement(rest)?;
        }
        Ok(())
    }

    /// Reads one statement and gives what follows it.
    fn statement<'a>(&mut self, tokens: &'a [Token]) -> Result<&'a [Token], SyntaxError> {
        let understood = match first(tokens) {
            Some((kind, rest)) if self.branches == 0 => match kind {
                Kind::End => Some(rest),
                Kind::Variable(name) => self
                    .assignment(name, rest)
                    .or_else(|| self.element(name, rest)),
                Kind::Sign(b'@') => self.definition(rest),
                Kind::Word(word) => match word.to_ascii_lowercase().as_str() {
                    "return" | "__halt_compiler" => {
                        self.ended = Ended::File;
                        return Ok(&[]);
                    }
                    "exit" | "die" => {
                        self.ended = Ended::All;
                        return Ok(&[]);
                    }
                    "if" => self.branches(rest)?,
                    word @ ("include" | "include_once" | "require" | "require_once") => {
                        let line = tokens.first().map_or(0, |token| token.line);
                        self.include(word, line, rest)?
                    }
                    "const" => self.constants(rest),
                    "define" | "\\define" => self.definition(tokens),
                    "class" => return self.class(tokens, rest),
                    "final" | "abstract" | "readonly" => {
                        let mut words = rest.iter().take(3);
                        match words.position(|token| token.is_word("class")) {
                            Some(at) => {
                                let name = rest.get(at + 1..).unwrap_or_default();
                                return self.class(tokens, name);
                            }
                            None => None,
                        }
                    }
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        };
        match understood {
            Some(rest) => Ok(rest),
            None => self.other(tokens),
        }
    }

    /// `= …;` after a variable.
    fn assignment<'a>(&mut self, name: &str, tokens: &'a [Token]) -> Option<&'a [Token]> {
        let (value, rest) = literal(skip(tokens, &Kind::Equals)?, self.scope())?;
        let rest = skip(rest, &Kind::End)?;
        if self.shared.contains(name) {
            return None;
        }
        self.found.variables.insert(name.to_owned(), Ok(value));
        self.found.holes.remove(name);
        Some(rest)
    }

    /// Whether the variable `name` may change with another one.
    pub(crate) fn is_shared(&self, name: &str) -> bool {
        self.shared.contains(name)
    }

    /// `define('NAME', …);`. The first definition of a name counts.
    fn definition<'a>(&mut self, tokens: &'a [Token]) -> Option<&'a [Token]> {
        let (name, rest) = defined_name(tokens)?;
        let (value, rest) = literal(sign(rest, b',')?, self.scope())?;
        let rest = skip(sign(rest, b')')?, &Kind::End)?;
        self.found.constants.entry(name).or_insert(Ok(value));
        Some(rest)
    }

    /// `NAME = …, NAME = …;` after `const`.
    fn constants<'a>(&mut self, mut tokens: &'a [Token]) -> Option<&'a [Token]> {
        let mut found = Vec::new();
        loop {
            let (Kind::Word(name), rest) = first(tokens)? else {
                return None;
            };
            let (value, rest) = literal(skip(rest, &Kind::Equals)?, self.scope())?;
            found.push((name.clone(), value));
            if let Some(rest) = sign(rest, b',') {
                tokens = rest;
                continue;
            }
            let rest = skip(rest, &Kind::End)?;
            for (name, value) in found {
                self.found.constants.entry(name).or_insert(Ok(value));
            }
            return Some(rest);
        }
    }

    /// A statement of any other kind: what it mentions is not a literal any more.
    pub(crate) fn other<'a>(&mut self, tokens: &'a [Token]) -> Result<&'a [Token], SyntaxError> {
        let (statement, rest) = split_statement(tokens)?;
        self.count_branches(statement);
        let by_reference = statement.windows(2).any(|pair| match pair {
            [sign, variable] => {
                sign.kind == Kind::Sign(b'&') && matches!(variable.kind, Kind::Variable(_))
            }
            _ => false,
        });
        for mention in mentions(statement) {
            let not_literal = NotLiteral { line: mention.line };
            match mention.what {
                Mentioned::Variable(name) => {
                    if by_reference {
                        self.shared.insert(name.clone());
                    }
                    self.found.variables.insert(name, Err(not_literal));
                }
                Mentioned::Constant(name) => {
                    self.found.constants.entry(name).or_insert(Err(not_literal));
                }
                Mentioned::Anything => {
                    self.found.variables.clear();
                    self.found.spoilt = Some(not_literal);
                }
                Mentioned::Property(_) => {}
            }
        }
        Ok(rest)
    }

    /// Follows `if (…):` to its `endif`, and so on.
    fn count_branches(&mut self, statement: &[Token]) {
        let mut depth = 0_usize;
        let mut keyword = String::new();
        // Whether a colon would open a branch here.
        let mut at_colon = false;
        for token in statement {
            let was_at_colon = std::mem::take(&mut at_colon);
            match &token.kind {
                Kind::Word(word) if depth == 0 => {
                    let word = word.to_ascii_lowercase();
                    let ended = word.strip_prefix("end").unwrap_or_default();
                    if CONDITIONAL.contains(&ended) {
                        self.branches = self.branches.saturating_sub(1);
                    }
                    at_colon = word == "else";
                    keyword = word;
                }
                Kind::Sign(b'(' | b'[' | b'{') => depth += 1,
                Kind::Sign(b')' | b']' | b'}') => {
                    depth = depth.saturating_sub(1);
                    at_colon = depth == 0 && CONDITIONAL.contains(&keyword.as_str());
                }
                Kind::Sign(b':') if was_at_colon => {
                    // `else:` and `elseif (…):` close the branch before them.
                    let another = !matches!(keyword.as_str(), "else" | "elseif");
                    self.branches += usize::from(another);
                }
                _ => {}
            }
        }
    }
}

/// The tokens up to the end of a statement or of its block, and the others.
pub(crate) fn split_statement(tokens: &[Token]) -> Result<(&[Token], &[Token]), SyntaxError> {
    let mut open: Vec<u8> = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        let done = match token.kind {
            Kind::End => open.is_empty(),
            Kind::Sign(bracket @ (b'(' | b'[' | b'{')) => {
                open.push(bracket);
                false
            }
            Kind::Sign(bracket @ (b')' | b']' | b'}')) => {
                let expected = match bracket {
                    b')' => b'(',
                    b']' => b'[',
                    _ => b'{',
                };
                if open.pop() != Some(expected) {
                    return Err(SyntaxError {
                        line: token.line,
                        reason: "a bracket closes nothing",
                    });
                }
                // A closure or a match is an expression: its statement ends later.
                open.is_empty() && bracket == b'}' && !is_expression(tokens)
            }
            _ => false,
        };
        if done {
            return Ok(tokens.split_at_checked(index + 1).unwrap_or((tokens, &[])));
        }
    }
    match (tokens.last(), open.is_empty()) {
        (Some(last), false) => Err(SyntaxError {
            line: last.line,
            reason: "a bracket is not closed",
        }),
        _ => Ok((tokens, &[])),
    }
}

/// Whether a statement that began like this goes on after a block: `$x = function () { … };`.
fn is_expression(statement: &[Token]) -> bool {
    match first(statement) {
        Some((Kind::Variable(_) | Kind::Literal(_) | Kind::Computed(_), _)) => true,
        Some((Kind::Sign(first), _)) => !matches!(first, b'{' | b'#'),
        Some((Kind::Word(word), _)) => matches!(
            word.to_ascii_lowercase().as_str(),
            "return" | "echo" | "print" | "define" | "const" | "new" | "throw" | "yield"
        ),
        _ => false,
    }
}
