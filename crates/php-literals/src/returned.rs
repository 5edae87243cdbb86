//! Reads a file that returns an array of settings, as `return ['name' => env('NAME', 'usual')];`.

use super::expression::MAX_ELEMENTS;
use super::literal::{Key, Literal, SyntaxError};
use super::scanner::{Kind, Token, first, sign, skip};
use super::tokens;

/// The deepest nesting of arrays, brackets and calls that is read.
const MAX_DEPTH: usize = 64;

/// A value, as far as it is made of literals and of calls that are known.
#[derive(Clone, Debug, PartialEq)]
pub enum Returned {
    /// A string, a number, a boolean or null.
    Literal(Literal),
    /// An array.
    Array {
        /// Its elements, in their order.
        elements: Vec<(Key, Returned)>,
        /// Whether there are no others.
        complete: bool,
    },
    /// PHP would have to run to tell.
    Unknown {
        /// The line, from 1, that it begins at.
        line: usize,
    },
}

impl Returned {
    /// The value at `path`; `None` where there is none.
    #[must_use]
    pub fn at(&self, path: &[&str]) -> Option<Self> {
        let mut value = self;
        for name in path {
            match value {
                Self::Array { elements, complete } => {
                    let is_it = |(key, _): &&(Key, Self)| match key {
                        Key::Text(text) => text == name.as_bytes(),
                        Key::Integer(number) => number.to_string() == *name,
                    };
                    match (elements.iter().find(is_it), complete) {
                        (Some((_, found)), _) => value = found,
                        (None, true) => return None,
                        (None, false) => return Some(Self::Unknown { line: 0 }),
                    }
                }
                Self::Unknown { .. } => return Some(value.clone()),
                Self::Literal(_) => return None,
            }
        }
        Some(value.clone())
    }
}

/// What a call of the function `name` gives; arguments are `None` where they are not known, or are
/// arrays. `Class::name` for a static method, without a namespace.
pub type Call<'a> = dyn Fn(&str, &[Option<Literal>]) -> Option<Literal> + 'a;

/// Reads the value that the file `source` returns. Before `return`, there may be `use` and `declare`
/// alone: after anything else, the value is not known.
///
/// # Errors
/// As [`read`](crate::read).
pub fn returned(source: &[u8], call: &Call<'_>) -> Result<Returned, SyntaxError> {
    let tokens = tokens(source)?;
    let mut rest = tokens.as_slice();
    let mut reader = Reader {
        call,
        uses: Vec::new(),
        elements: 0,
    };
    while let Some(token) = rest.first() {
        let after = rest.get(1..).unwrap_or_default();
        if token.kind == Kind::End {
            rest = after;
        } else if token.is_word("return") {
            return Ok(reader.whole(after));
        } else if token.is_word("use") || token.is_word("declare") || token.is_word("namespace") {
            let end = after.iter().position(|token| token.kind == Kind::End);
            let (statement, after) = after.split_at(end.unwrap_or(after.len()));
            if token.is_word("use")
                && let [
                    Token {
                        kind: Kind::Word(name),
                        ..
                    },
                ] = statement
            {
                reader.uses.push(name.trim_start_matches('\\').to_owned());
            }
            rest = after;
        } else {
            return Ok(Returned::Unknown { line: token.line });
        }
    }
    Ok(Returned::Unknown { line: 1 })
}

/// The words, variables (`$name`), strings and ends of statements (`;`) of the file `source`, in their
/// order, without comments.
///
/// # Errors
/// As [`read`](crate::read).
pub fn words(source: &[u8]) -> Result<Vec<String>, SyntaxError> {
    let word = |token: Token| match token.kind {
        Kind::Variable(name) => Some(format!("${name}")),
        Kind::Word(word) => Some(word),
        Kind::Literal(Literal::Text(text)) => Some(String::from_utf8_lossy(&text).into_owned()),
        Kind::End => Some(";".to_owned()),
        _ => None,
    };
    Ok(tokens(source)?.into_iter().filter_map(word).collect())
}

struct Reader<'a> {
    call: &'a Call<'a>,
    /// Names of classes that `use` makes short.
    uses: Vec<String>,
    /// How many elements have been read.
    elements: usize,
}

impl Reader<'_> {
    /// The value up to the end of the statement.
    fn whole(&mut self, tokens: &[Token]) -> Returned {
        let line = line(tokens);
        match self.expression(tokens, MAX_DEPTH) {
            Some((value, rest)) if matches!(first(rest), None | Some((Kind::End, _))) => value,
            _ => Returned::Unknown { line },
        }
    }

    /// Values with `.` between them.
    fn expression<'t>(
        &mut self,
        tokens: &'t [Token],
        depth: usize,
    ) -> Option<(Returned, &'t [Token])> {
        let depth = depth.checked_sub(1)?;
        let line = line(tokens);
        let (mut value, mut rest) = self.operand(tokens, depth)?;
        while let Some(after) = sign(rest, b'.') {
            let (right, after) = self.operand(after, depth)?;
            value = match (text(value), text(right)) {
                (Some(left), Some(right)) => {
                    Returned::Literal(Literal::text([left, right].concat()))
                }
                _ => Returned::Unknown { line },
            };
            rest = after;
        }
        Some((value, rest))
    }

    fn operand<'t>(
        &mut self,
        tokens: &'t [Token],
        depth: usize,
    ) -> Option<(Returned, &'t [Token])> {
        let line = line(tokens);
        let (kind, rest) = first(tokens)?;
        let literal = |literal| Some((Returned::Literal(literal), rest));
        match kind {
            Kind::Literal(value) => literal(value.clone()),
            Kind::Sign(b'[') => self.elements(rest, b']', depth),
            Kind::Sign(b'(') => self.bracket(rest, depth),
            Kind::Sign(b'-') => match first(rest)? {
                (Kind::Literal(Literal::Integer(number)), rest) => {
                    Some((Returned::Literal(Literal::Integer(-number)), rest))
                }
                _ => None,
            },
            Kind::Word(word) => match word.trim_start_matches('\\').to_ascii_lowercase().as_str() {
                "true" => literal(Literal::Boolean(true)),
                "false" => literal(Literal::Boolean(false)),
                "null" => literal(Literal::Null),
                "array" => self.elements(sign(rest, b'(')?, b')', depth),
                _ => self.named(word, rest, depth, line),
            },
            _ => None,
        }
    }

    /// What follows `(`: a cast, or a value in brackets.
    fn bracket<'t>(
        &mut self,
        tokens: &'t [Token],
        depth: usize,
    ) -> Option<(Returned, &'t [Token])> {
        if let Some((Kind::Word(word), rest)) = first(tokens)
            && let Some(rest) = sign(rest, b')')
        {
            let depth = depth.checked_sub(1)?;
            let line = line(tokens);
            let (value, rest) = self.operand(rest, depth)?;
            let cast = match value {
                Returned::Literal(literal) => cast(word, literal),
                _ => None,
            };
            return Some((
                cast.map_or(Returned::Unknown { line }, Returned::Literal),
                rest,
            ));
        }
        let (value, rest) = self.expression(tokens, depth)?;
        Some((value, sign(rest, b')')?))
    }

    /// What follows a name: a call, `::class`, or a call of a static method.
    fn named<'t>(
        &mut self,
        name: &str,
        tokens: &'t [Token],
        depth: usize,
        line: usize,
    ) -> Option<(Returned, &'t [Token])> {
        let depth = depth.checked_sub(1)?;
        let short = name.rsplit('\\').next().unwrap_or(name);
        if let Some(rest) = sign(tokens, b'(') {
            return self.called(short, rest, depth, line);
        }
        let (kind, rest) = skip(tokens, &Kind::DoubleColon).and_then(first)?;
        let Kind::Word(member) = kind else {
            return None;
        };
        if member.eq_ignore_ascii_case("class") {
            let used = self
                .uses
                .iter()
                .find(|used| used.rsplit('\\').next() == Some(name));
            let name = used.map_or(name.trim_start_matches('\\'), String::as_str);
            let name = Literal::text(name.as_bytes().to_vec());
            return Some((Returned::Literal(name), rest));
        }
        match sign(rest, b'(') {
            Some(rest) => self.called(&format!("{short}::{member}"), rest, depth, line),
            None => Some((Returned::Unknown { line }, rest)),
        }
    }

    /// The arguments of a call, and what it gives.
    fn called<'t>(
        &mut self,
        name: &str,
        tokens: &'t [Token],
        depth: usize,
        line: usize,
    ) -> Option<(Returned, &'t [Token])> {
        let (arguments, rest) = self.elements(tokens, b')', depth)?;
        let Returned::Array { elements, complete } = arguments else {
            return None;
        };
        let known = |(_, value)| match value {
            Returned::Literal(literal) => Some(literal),
            _ => None,
        };
        let arguments: Vec<Option<Literal>> = elements.into_iter().map(known).collect();
        let given = (self.call)(name, &arguments).filter(|_| complete);
        Some((
            given.map_or(Returned::Unknown { line }, Returned::Literal),
            rest,
        ))
    }

    /// Elements up to `end`. One that is not understood is not known, and those after it are read.
    fn elements<'t>(
        &mut self,
        mut tokens: &'t [Token],
        end: u8,
        depth: usize,
    ) -> Option<(Returned, &'t [Token])> {
        let mut elements: Vec<(Key, Returned)> = Vec::new();
        let mut complete = true;
        let mut next = Some(0_i64);
        loop {
            if let Some(rest) = sign(tokens, end) {
                return Some((Returned::Array { elements, complete }, rest));
            }
            self.elements += 1;
            if self.elements > MAX_ELEMENTS {
                return None;
            }
            let line = line(tokens);
            let mut value = self.expression(tokens, depth);
            let mut key = None;
            if let Some((found, rest)) = &value
                && let Some(after) = skip(rest, &Kind::DoubleArrow)
            {
                key = match found.clone() {
                    Returned::Literal(literal) => literal.into_key(),
                    _ => None,
                };
                // The keys that it stands for are not known.
                complete &= key.is_some();
                tokens = after;
                value = self.expression(after, depth);
                if key.is_none() {
                    tokens = past(tokens, end)?;
                    tokens = sign(tokens, b',').unwrap_or(tokens);
                    continue;
                }
            }
            let ends = |rest: &[Token]| sign(rest, b',').is_some() || sign(rest, end).is_some();
            let (value, rest) = match value {
                Some((value, rest)) if ends(rest) => (value, rest),
                _ => {
                    let rest = past(tokens, end)?;
                    let skipped = tokens.len().saturating_sub(rest.len());
                    let mut skipped = tokens.iter().take(skipped);
                    // It may have a key of its own, which is not known either.
                    complete &= key.is_some() || !skipped.any(|it| it.kind == Kind::DoubleArrow);
                    (Returned::Unknown { line }, rest)
                }
            };
            let key = match key {
                Some(key) => key,
                None => {
                    // `...$more` may be any number of elements.
                    complete &= sign(tokens, b'.').is_none();
                    Key::Integer(next?)
                }
            };
            if let Key::Integer(number) = key {
                next = next
                    .max(Some(number))
                    .and_then(|number| number.checked_add(1));
            }
            match elements.iter_mut().find(|(other, _)| *other == key) {
                Some((_, old)) => *old = value,
                None => elements.push((key, value)),
            }
            tokens = sign(rest, b',').unwrap_or(rest);
        }
    }
}

/// What stands at the end of the element that `tokens` begin with: a comma, or `end`.
fn past(tokens: &[Token], end: u8) -> Option<&[Token]> {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        match token.kind {
            Kind::Sign(b'(' | b'[' | b'{') => depth += 1,
            Kind::Sign(b',') if depth == 0 => return tokens.get(at..),
            Kind::Sign(sign) if depth == 0 && sign == end => return tokens.get(at..),
            Kind::Sign(b')' | b']' | b'}') => depth = depth.checked_sub(1)?,
            _ => {}
        }
    }
    None
}

fn line(tokens: &[Token]) -> usize {
    tokens.first().map_or(0, |token| token.line)
}

fn text(value: Returned) -> Option<Vec<u8>> {
    match value {
        Returned::Literal(literal) => literal.into_text().map(|text| text.to_vec()),
        _ => None,
    }
}

/// A scalar under a cast, where PHP makes nothing unexpected of it.
fn cast(word: &str, literal: Literal) -> Option<Literal> {
    match word.to_ascii_lowercase().as_str() {
        "string" => literal.into_text().map(Literal::Text),
        "int" | "integer" => match literal {
            Literal::Integer(number) => Some(Literal::Integer(number)),
            Literal::Boolean(boolean) => Some(Literal::Integer(boolean.into())),
            Literal::Null => Some(Literal::Integer(0)),
            Literal::Text(text) => {
                let number = std::str::from_utf8(&text).ok()?.trim().parse().ok()?;
                Some(Literal::Integer(number))
            }
            Literal::Float(_) | Literal::Array(_) => None,
        },
        "bool" | "boolean" => match literal {
            Literal::Boolean(boolean) => Some(Literal::Boolean(boolean)),
            Literal::Integer(number) => Some(Literal::Boolean(number != 0)),
            Literal::Null => Some(Literal::Boolean(false)),
            Literal::Text(text) => Some(Literal::Boolean(!matches!(text.as_slice(), b"" | b"0"))),
            Literal::Float(_) | Literal::Array(_) => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str, arguments: &[Option<Literal>]) -> Option<Literal> {
        match (name, arguments) {
            ("env", [Some(Literal::Text(name)), ..]) if ***name == *b"KNOWN" => {
                Some(Literal::text(b"given".to_vec()))
            }
            ("env", [_, usual]) => usual.clone(),
            ("env", [_]) => Some(Literal::Null),
            ("Str::slug", [Some(Literal::Text(text)), ..]) => {
                Some(Literal::text(text.to_ascii_lowercase()))
            }
            _ => None,
        }
    }

    fn at(source: &str, path: &[&str]) -> Option<Returned> {
        returned(format!("<?php\n{source}").as_bytes(), &call)
            .unwrap()
            .at(path)
    }

    fn literal(text: &str) -> Option<Returned> {
        Some(Returned::Literal(Literal::text(text.as_bytes().to_vec())))
    }

    #[test]
    fn settings_are_read_as_far_as_they_are_known() {
        for (value, expected) in [
            ("'a'", literal("a")),
            ("env('KNOWN')", literal("given")),
            ("env('KNOWN', storage_path('x'))", literal("given")),
            ("env('OTHER', 'usual')", literal("usual")),
            ("env('OTHER', 'a') . '_b'", literal("a_b")),
            ("Str::slug('SHOP', '_').'_session'", literal("shop_session")),
            (
                "\\Illuminate\\Support\\Str::slug((string) env('A', 'B'))",
                literal("b"),
            ),
            ("User::class", literal("App\\Models\\User")),
            ("\\App\\User::class", literal("App\\User")),
            ("App\\Models\\Member::class", literal("App\\Models\\Member")),
            (
                "(int) env('A', '120')",
                Some(Returned::Literal(Literal::Integer(120))),
            ),
            (
                "(bool) '0'",
                Some(Returned::Literal(Literal::Boolean(false))),
            ),
            ("env('A')", Some(Returned::Literal(Literal::Null))),
            ("-1", Some(Returned::Literal(Literal::Integer(-1)))),
            ("('a')", literal("a")),
        ] {
            let source =
                format!("use App\\Models\\User;\nreturn ['x' => ['y' => {value}, 'z' => 1]];");
            assert_eq!(at(&source, &["x", "y"]), expected, "{value}");
            assert_eq!(at(&source, &["x", "no"]), None);
        }
    }

    #[test]
    fn what_php_would_have_to_compute_is_unknown() {
        for value in [
            "storage_path('x')",
            "env('KNOWN') ?: 'b'",
            "$x",
            "\"a$b\"",
            "1 + 2",
            "fn () => 'a'",
            "function () { return ['a', 'b']; }",
            "new Foo(['a' => 1])",
            "Foo::BAR",
            "Foo::$bar",
            "config('a')['b']",
            "PHP_VERSION_ID >= 80500 ? 'a' : 'b'",
            "(float) '1'",
            "'a' . foo()",
        ] {
            let source = format!("return ['y' => {value}, 'z' => 'known'];");
            let found = at(&source, &["y"]);
            assert_eq!(found, Some(Returned::Unknown { line: 2 }), "{value}");
            assert_eq!(at(&source, &["z"]), literal("known"), "{value}");
        }
        for source in [
            "return [...$more, 'y' => 1];",
            "return [FOO => 1];",
            "$x = 1; return ['y' => 1];",
            "return foo();",
            "return ['y' => 1] + foo();",
            "return array_merge(['y' => 1], foo());",
            "",
            "return ['y' => [",
        ] {
            let found = at(source, &["z"]);
            assert!(
                matches!(found, Some(Returned::Unknown { .. })),
                "{source}: {found:?}"
            );
        }
    }

    #[test]
    fn nesting_and_size_are_limited() {
        let deep = format!("return {}1{};", "[".repeat(2000), "]".repeat(2000));
        let found = at(&deep, &["0", "0"]);
        assert!(matches!(found, Some(Returned::Array { .. })), "{found:?}");
        let path = ["0"; 100];
        assert!(matches!(at(&deep, &path), Some(Returned::Unknown { .. })));
        let calls = format!("return {}1{};", "f(".repeat(2000), ")".repeat(2000));
        assert!(matches!(at(&calls, &[]), Some(Returned::Unknown { .. })));
        let casts = format!("return {}1;", "(int) ".repeat(2000));
        assert!(matches!(at(&casts, &[]), Some(Returned::Unknown { .. })));
        let long = format!("return [{}];", "1,".repeat(2000));
        assert!(matches!(at(&long, &[]), Some(Returned::Unknown { .. })));
        assert!(returned(&vec![b' '; 200 << 10], &call).is_err());
    }

    #[test]
    fn words_are_without_comments() {
        let source =
            b"<?php /* addGlobalScope */ use SoftDeletes; // x\n protected $table = 'people';";
        let found = words(source).unwrap();
        assert_eq!(
            found,
            [
                "use",
                "SoftDeletes",
                ";",
                "protected",
                "$table",
                "people",
                ";"
            ]
        );
    }
}
