//! Reads settings in Ruby files, as far as they are literals: `config.pepper = "…"`. Ruby is not run.

/// The value of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ruby {
    Nil,
    Truth(bool),
    Text(String),
    Symbol(String),
    Number(u64),
    /// `30.minutes`, in seconds.
    Duration(u64),
    List(Vec<Ruby>),
    /// Anything else: Ruby alone can tell.
    Code(String),
}

/// A Ruby file without its comments, each statement in a line of its own.
pub(super) struct Source(Vec<String>);

impl Source {
    pub(super) fn new(text: &str) -> Self {
        let mut statements: Vec<String> = Vec::new();
        let mut goes_on = false;
        let mut commented = false;
        for line in text.lines() {
            commented = (commented || line.starts_with("=begin")) && !line.starts_with("=end");
            let line = uncommented(line).trim();
            if commented || line.is_empty() {
                continue;
            }
            match statements.last_mut().filter(|_| goes_on) {
                Some(statement) => {
                    statement.push(' ');
                    statement.push_str(line);
                }
                None => statements.push(line.to_owned()),
            }
            goes_on = line.ends_with([',', '\\', '(', '[', '{']);
        }
        Self(statements)
    }

    /// The statements, in their order.
    pub(super) fn statements(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// What is assigned last to a setting whose name ends so, as in `config.pepper`.
    pub(super) fn assigned(&self, name: &str) -> Option<Ruby> {
        let value = |statement: &str| {
            let (left, right) = statement.split_once('=')?;
            let left = left.trim_end();
            let behind = left.strip_suffix(name)?;
            // `a.config.pepper`, and not `some_config.pepper`; `==` is not an assignment.
            let whole = behind.is_empty() || behind.ends_with('.');
            (whole && !right.starts_with(['=', '~'])).then(|| read(right))
        };
        self.statements().filter_map(value).last()
    }

    /// The arguments of the last statement that calls `name`.
    pub(super) fn called(&self, name: &str) -> Option<Vec<Argument>> {
        let arguments = |statement: &str| {
            let (before, after) = statement.split_once(name)?;
            let starts = before.is_empty() || before.ends_with(['.', ' ']);
            let after = match after.strip_prefix(['(', ' ']) {
                Some(after) => after.trim().trim_end_matches(')'),
                None => return None,
            };
            (starts && !after.trim_start().starts_with('=')).then(|| arguments(after))
        };
        self.statements().filter_map(arguments).last()
    }

    /// Whether any statement holds `words`.
    pub(super) fn has(&self, words: &str) -> bool {
        self.statements().any(|statement| statement.contains(words))
    }
}

/// An argument of a call, and its name where it has one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Argument {
    pub(super) name: Option<String>,
    pub(super) value: Ruby,
}

/// The argument called `name`.
pub(super) fn named<'a>(arguments: &'a [Argument], name: &str) -> Option<&'a Ruby> {
    let found = arguments.iter().find(|it| it.name.as_deref() == Some(name));
    found.map(|argument| &argument.value)
}

fn arguments(text: &str) -> Vec<Argument> {
    let one = |part: &str| {
        let part = part.trim();
        let arrow = part.split_once("=>").and_then(|(name, value)| {
            let name = name.trim();
            Some((name.strip_prefix(':')?.to_owned(), value))
        });
        let colon = part.split_once(": ").filter(|(name, _)| is_word(name));
        match arrow.or_else(|| colon.map(|(name, value)| (name.to_owned(), value))) {
            Some((name, value)) => Argument {
                name: Some(name),
                value: read(value),
            },
            None => Argument {
                name: None,
                value: read(part),
            },
        }
    };
    parts(text).into_iter().map(one).collect()
}

fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// `text` without a comment at its end.
fn uncommented(line: &str) -> &str {
    let mut quote = None;
    let mut before = ' ';
    for (at, letter) in line.char_indices() {
        match (quote, letter) {
            (Some(open), letter) if letter == open && before != '\\' => quote = None,
            (None, '"' | '\'') => quote = Some(letter),
            // `#{…}` stands in texts alone.
            (None, '#') => return line.get(..at).unwrap_or_default(),
            _ => {}
        }
        before = letter;
    }
    line
}

/// The parts between commas that are in no text and no brackets.
fn parts(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut depth, mut quote, mut before) = (0, 0u32, None, ' ');
    for (at, letter) in text.char_indices() {
        match (quote, letter) {
            (Some(open), letter) if letter == open && before != '\\' => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(letter),
            (None, '[' | '(' | '{') => depth += 1,
            (None, ']' | ')' | '}') => depth = depth.saturating_sub(1),
            (None, ',') if depth == 0 => {
                parts.push(text.get(start..at).unwrap_or_default());
                start = at + 1;
            }
            _ => {}
        }
        before = letter;
    }
    parts.push(text.get(start..).unwrap_or_default());
    parts.retain(|part| !part.trim().is_empty());
    parts
}

/// The value that `text` is.
pub(super) fn read(text: &str) -> Ruby {
    let text = text.trim().trim_end_matches(".freeze").trim_end();
    let code = || Ruby::Code(text.to_owned());
    match text {
        "nil" => return Ruby::Nil,
        "true" => return Ruby::Truth(true),
        "false" => return Ruby::Truth(false),
        _ => {}
    }
    if let Some(name) = text.strip_prefix(':').filter(|name| is_word(name)) {
        return Ruby::Symbol(name.to_owned());
    }
    for quote in ['"', '\''] {
        let inner = text
            .strip_prefix(quote)
            .and_then(|it| it.strip_suffix(quote));
        if let Some(inner) = inner {
            // Escapes and interpolation are for Ruby to make.
            return match inner.contains(['\\', quote]) || (quote == '"' && inner.contains("#{")) {
                true => code(),
                false => Ruby::Text(inner.to_owned()),
            };
        }
    }
    if let Some(inner) = text.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
        return Ruby::List(parts(inner).into_iter().map(read).collect());
    }
    if let Some(inner) = text.strip_prefix("%i[").and_then(|it| it.strip_suffix(']')) {
        let symbol = |word: &str| Ruby::Symbol(word.to_owned());
        return Ruby::List(inner.split_whitespace().map(symbol).collect());
    }
    let (number, unit) = text.split_once('.').unwrap_or((text, ""));
    let Ok(number) = number.replace('_', "").parse::<u64>() else {
        return code();
    };
    let seconds = match unit {
        "" if !text.contains('.') => return Ruby::Number(number),
        "second" | "seconds" => 1,
        "minute" | "minutes" => 60,
        "hour" | "hours" => 3_600,
        "day" | "days" => 86_400,
        "week" | "weeks" => 604_800,
        _ => return code(),
    };
    number
        .checked_mul(seconds)
        .map_or_else(code, Ruby::Duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_read_and_code_is_not() {
        let text = |text: &str| Ruby::Text(text.to_owned());
        for (source, expected) in [
            ("'a'", text("a")),
            ("\"a b\".freeze", text("a b")),
            (":both", Ruby::Symbol("both".to_owned())),
            ("30.minutes", Ruby::Duration(1800)),
            ("2.weeks", Ruby::Duration(1_209_600)),
            ("1_000", Ruby::Number(1000)),
            ("nil", Ruby::Nil),
            ("true", Ruby::Truth(true)),
            (
                "[:email]",
                Ruby::List(vec![Ruby::Symbol("email".to_owned())]),
            ),
            ("[]", Ruby::List(Vec::new())),
            (
                "%i[email]",
                Ruby::List(vec![Ruby::Symbol("email".to_owned())]),
            ),
        ] {
            assert_eq!(read(source), expected, "{source}");
        }
        for code in [
            "ENV['A']",
            "\"#{a}\"",
            "'a' + 'b'",
            "\"a\\n\"",
            "1.5",
            "2.fortnights",
            "Foo.bar",
            "",
        ] {
            assert_eq!(read(code), Ruby::Code(code.to_owned()), "{code}");
        }
    }

    #[test]
    fn settings_are_found_without_comments() {
        let source = Source::new(
            "# config.pepper = 'no'\nDevise.setup do |config|\n  config.pepper = 'x#y' # why\n  \
             other_config.timeout_in = 5.minutes\n=begin\nconfig.unlock_in = 1.hour\n=end\n  \
             config.session_store :cookie_store,\n    key: '_a', same_site: :lax\nend\n",
        );
        assert_eq!(
            source.assigned("pepper"),
            Some(Ruby::Text("x#y".to_owned()))
        );
        assert_eq!(source.assigned("unlock_in"), None);
        assert_eq!(source.assigned("config.timeout_in"), None);
        let arguments = source.called("session_store").unwrap();
        assert_eq!(arguments.len(), 3);
        assert_eq!(arguments[0].value, Ruby::Symbol("cookie_store".to_owned()));
        assert_eq!(named(&arguments, "key"), Some(&Ruby::Text("_a".to_owned())));
        assert_eq!(named(&arguments, "domain"), None);
    }
}
