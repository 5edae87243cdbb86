//! Numbers the named parameters of statements, for databases whose parameters have no names.

use super::{Location, Value};
use crate::Unavailable;

/// Whose SQL a statement is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Postgres,
    Mysql,
}

impl Dialect {
    pub(super) fn of(location: &Location) -> Self {
        match location {
            Location::Mysql(_) => Self::Mysql,
            Location::Nowhere | Location::Postgres(_) | Location::Sqlite(_) => Self::Postgres,
        }
    }
}

/// A statement in the form that the database gets.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) text: String,
    /// The names of its parameters with their colons, one for each place, in the order of the
    /// places.
    pub(super) parameters: Vec<String>,
}

impl Statement {
    /// Numbers the parameters of `text`. What looks like one inside of a string, a quoted
    /// identifier or a comment is none, and neither is a cast (`::text`).
    ///
    /// # Errors
    /// [`Unavailable`] when a quote or comment does not end, or a parameter has no name.
    pub(super) fn new(text: &str, dialect: Dialect) -> Result<Self, Unavailable> {
        let mut statement = Self {
            text: String::with_capacity(text.len()),
            parameters: Vec::new(),
        };
        let mut before = '\0';
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let length = match Token::at(rest, before, dialect) {
                Token::Whole(Some(length)) => {
                    statement.copy(rest, length);
                    length
                }
                Token::Whole(None) => {
                    return Err(Unavailable::new(format!(
                        "cannot read a statement: its {first} … does not end"
                    )));
                }
                Token::Parameter(length) => {
                    let name = rest.get(..length).unwrap_or_default();
                    statement.parameters.push(name.to_owned());
                    match dialect {
                        Dialect::Postgres => {
                            let number = statement.parameters.len();
                            statement.text.push_str(&format!("${number}"));
                        }
                        Dialect::Mysql => statement.text.push('?'),
                    }
                    length
                }
                Token::Positional => {
                    return Err(Unavailable::new(format!(
                        "a statement cannot be read: it has a parameter without a name ({first}); \
                         they are written `:name`"
                    )));
                }
            };
            let (token, following) = rest.split_at_checked(length).unwrap_or((rest, ""));
            before = token.chars().next_back().unwrap_or_default();
            rest = following;
        }
        Ok(statement)
    }

    /// Checks that `text` can stand as one expression inside of a statement: that it ends what it
    /// begins, and neither the statement nor a comment.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn is_expression(text: &str, dialect: Dialect) -> Result<(), String> {
        let parameters = Self::new(text, dialect).map_err(|unreadable| unreadable.to_string())?;
        if let Some(parameter) = parameters.parameters.first() {
            return Err(format!(
                "has the parameter {parameter}, and there is none here"
            ));
        }
        if text.trim().is_empty() {
            return Err("is empty".to_owned());
        }
        let (mut open, mut before, mut rest) = (Vec::new(), '\0', text);
        while let Some(first) = rest.chars().next() {
            let length = match Token::at(rest, before, dialect) {
                Token::Whole(Some(length)) => length,
                Token::Whole(None) | Token::Parameter(_) | Token::Positional => first.len_utf8(),
            };
            let (token, following) = rest.split_at_checked(length).unwrap_or((rest, ""));
            match token {
                "(" => open.push(()),
                ")" if open.pop().is_none() => {
                    return Err("closes a parenthesis that it does not open".to_owned());
                }
                ";" => return Err("has a `;`, which ends a statement".to_owned()),
                _ if is_comment(token, dialect) => {
                    return Err("has a comment, which could end anywhere".to_owned());
                }
                _ => {}
            }
            before = token.chars().next_back().unwrap_or_default();
            rest = following;
        }
        match open.is_empty() {
            true => Ok(()),
            false => Err("opens a parenthesis that it does not close".to_owned()),
        }
    }

    fn copy(&mut self, text: &str, length: usize) {
        self.text.push_str(text.get(..length).unwrap_or(text));
    }

    /// The values of its parameters, in the order of the places, from those that are `given`.
    ///
    /// # Errors
    /// [`Unavailable`] for a parameter that nothing is given for.
    pub(super) fn values<'a>(
        &self,
        given: &'a [(&str, Value)],
    ) -> Result<Vec<&'a Value>, Unavailable> {
        let value = |name: &String| {
            let found = given.iter().find(|(given, _)| given == name);
            found.map(|(_, value)| value).ok_or_else(|| {
                let known: Vec<&str> = given.iter().map(|(name, _)| *name).collect();
                Unavailable::new(unknown(name, &known))
            })
        };
        self.parameters.iter().map(value).collect()
    }
}

/// The error of a statement whose parameter `name` is not one of `known`.
pub(super) fn unknown(name: &str, known: &[&str]) -> String {
    let known = if known.is_empty() {
        "there is none here".to_owned()
    } else {
        format!("here there is {}", known.join(", "))
    };
    format!("a statement has the parameter {name}, which nothing is known for; {known}")
}

/// The next token of a statement. Lengths are in bytes.
enum Token {
    /// Something to copy; `None` when it does not end.
    Whole(Option<usize>),
    Parameter(usize),
    Positional,
}

impl Token {
    fn at(rest: &str, before: char, dialect: Dialect) -> Self {
        let postgres = dialect == Dialect::Postgres;
        let mut characters = rest.chars();
        let first = characters.next().unwrap_or_default();
        let second = characters.next().unwrap_or_default();
        match (first, second) {
            ('\'', _) => Self::Whole(quoted(rest, '\'', !postgres)),
            // PostgreSQL's escape strings, where the E is no name's end.
            ('e' | 'E', '\'') if postgres && !is_name(before) => {
                let string = rest.get(1..).unwrap_or_default();
                Self::Whole(quoted(string, '\'', true).map(|length| length + 1))
            }
            ('"', _) => Self::Whole(quoted(rest, '"', false)),
            ('`', _) if !postgres => Self::Whole(quoted(rest, '`', false)),
            ('$', _) if postgres && !is_name(before) => {
                if second.is_ascii_digit() {
                    return Self::Positional;
                }
                Self::Whole(dollar_quoted(rest))
            }
            ('?', _) if !postgres => Self::Positional,
            ('-', '-') if postgres || is_dash_comment(rest) => Self::Whole(Some(line(rest))),
            ('#', _) if !postgres => Self::Whole(Some(line(rest))),
            ('/', '*') => Self::Whole(block_comment(rest, postgres)),
            (':', ':') => Self::Whole(Some(2)),
            (':', letter) if is_name_start(letter) => {
                let name = rest.char_indices().skip(1);
                let end = name.into_iter().find(|(_, letter)| !is_name(*letter));
                Self::Parameter(end.map_or(rest.len(), |(end, _)| end))
            }
            _ => Self::Whole(Some(first.len_utf8())),
        }
    }
}

/// The length of what is quoted at the start of `text`, with its quotes.
fn quoted(text: &str, quote: char, backslash: bool) -> Option<usize> {
    let mut letters = text.char_indices().skip(1).peekable();
    while let Some((place, letter)) = letters.next() {
        if letter == '\\' && backslash {
            letters.next();
        } else if letter == quote {
            if letters.peek().is_none_or(|(_, next)| *next != quote) {
                return Some(place + quote.len_utf8());
            }
            letters.next();
        }
    }
    None
}

/// `$tag$ … $tag$`, or the dollar sign alone where no such thing begins.
fn dollar_quoted(text: &str) -> Option<usize> {
    let tag = text.get(1..).unwrap_or_default();
    let end = tag.find('$').map(|end| end + 2);
    let tag = end.and_then(|end| text.get(..end));
    let is_tag = |tag: &&str| tag.trim_matches('$').chars().all(is_name);
    let Some(tag) = tag.filter(is_tag) else {
        return Some(1);
    };
    let string = text.get(tag.len()..)?;
    string.find(tag).map(|end| tag.len() + end + tag.len())
}

/// Whether a token is a comment, which could hide what comes after it.
fn is_comment(token: &str, dialect: Dialect) -> bool {
    let starts = |with| token.starts_with(with);
    starts("--") || starts("/*") || (dialect == Dialect::Mysql && starts("#"))
}

/// In MySQL a white space must follow the dashes, so that `5--3` is eight.
fn is_dash_comment(text: &str) -> bool {
    let third = text.chars().nth(2);
    third.is_none_or(|third| third.is_whitespace() || third.is_control())
}

fn line(text: &str) -> usize {
    text.find('\n').unwrap_or(text.len())
}

fn block_comment(text: &str, nests: bool) -> Option<usize> {
    let mut depth = 0_usize;
    let mut place = 0;
    while let Some(pair) = text.as_bytes().get(place..place + 2) {
        place += match pair {
            b"/*" if nests || depth == 0 => {
                depth += 1;
                2
            }
            b"*/" => {
                depth -= 1;
                if depth == 0 {
                    return Some(place + 2);
                }
                2
            }
            _ => 1,
        };
    }
    None
}

fn is_name_start(letter: char) -> bool {
    letter.is_ascii_alphabetic() || letter == '_'
}

fn is_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn postgres(text: &str) -> (String, Vec<String>) {
        let statement = Statement::new(text, Dialect::Postgres).unwrap();
        (statement.text, statement.parameters)
    }

    fn mysql(text: &str) -> (String, Vec<String>) {
        let statement = Statement::new(text, Dialect::Mysql).unwrap();
        (statement.text, statement.parameters)
    }

    #[test]
    fn parameters_are_numbered() {
        let text = "SELECT a FROM t WHERE a=:a AND(b=:b_2)OR c=:a";
        let names = [":a", ":b_2", ":a"].map(str::to_owned).to_vec();
        let numbered = "SELECT a FROM t WHERE a=$1 AND(b=$2)OR c=$3".to_owned();
        assert_eq!(postgres(text), (numbered, names.clone()));
        let marked = "SELECT a FROM t WHERE a=? AND(b=?)OR c=?".to_owned();
        assert_eq!(mysql(text), (marked, names));
        assert_eq!(postgres(":é").0, ":é");
        assert_eq!(postgres(":aé").1, [":aé"]);
    }

    #[test]
    fn nothing_is_bound_in_postgresql_where_nothing_is_meant() {
        for text in [
            "SELECT ':name'",
            "SELECT ''':name'",
            "SELECT 'a\\', ':name' /* :x */",
            "SELECT E'\\':name'",
            "SELECT e'\\\\', ':name'",
            "SELECT \":name\", \"a\"\":name\"",
            "SELECT 1 -- :name",
            "SELECT 1 --:name\n",
            "SELECT 1 /* :name /* */ :name */",
            "SELECT $$:name$$, $a$ :name $$ :name $a$",
            "SELECT 'x'::text, a::int::text",
            "SELECT a[1:2]",
            "SELECT a $ b",
            "SELECT a$1",
            "SELECT a @> '{}' ? 'b'",
            "SELECT :1, : a, a:=b",
        ] {
            assert_eq!(postgres(text), (text.to_owned(), Vec::new()), "{text}");
        }
        assert_eq!(postgres("SELECT :a::text").0, "SELECT $1::text");
        assert_eq!(postgres("SELECT '\\':a").0, "SELECT '\\'$1");
        assert_eq!(postgres("SELECT 5--3\n,:a").0, "SELECT 5--3\n,$1");
        // A name's end is no escape string's beginning.
        assert_eq!(postgres("SELECT date'\\' , :a").0, "SELECT date'\\' , $1");
        assert_eq!(postgres("SELECT 1 # :a").0, "SELECT 1 # $1");
    }

    #[test]
    fn nothing_is_bound_in_mysql_where_nothing_is_meant() {
        for text in [
            "SELECT ':name'",
            "SELECT 'a\\':name'",
            "SELECT `:name`, `a``:name`",
            "SELECT \":name\"",
            "SELECT 1 -- :name",
            "SELECT 1 # :name",
            "SELECT 1 /* /* :name */",
            "SELECT @a:=1",
            "SELECT '?', `?`, \"?\" -- ?",
        ] {
            assert_eq!(mysql(text), (text.to_owned(), Vec::new()), "{text}");
        }
        assert_eq!(mysql("SELECT 5--:a").0, "SELECT 5--?");
        assert_eq!(mysql("SELECT $$, :a").0, "SELECT $$, ?");
        assert_eq!(mysql("SELECT /* /* */ :a").0, "SELECT /* /* */ ?");
    }

    #[test]
    fn what_does_not_end_is_refused() {
        for text in [
            "'", "'a''", "\"", "/*", "/* /* */", "$$", "$a$ $b$", "E'\\'",
        ] {
            assert!(Statement::new(text, Dialect::Postgres).is_err(), "{text}");
        }
        for text in ["'", "'\\'", "\"a", "`", "/* /*"] {
            assert!(Statement::new(text, Dialect::Mysql).is_err(), "{text}");
        }
    }

    #[test]
    fn conditions_are_one_expression() {
        for text in [
            "date_deleted IS NULL",
            "(a = ')' OR \"b;\" > 1) AND NOT c",
            "EXISTS (SELECT 1 FROM t WHERE t.id = account.id AND (x = '--' OR y = '/*'))",
            "a - -1 > 0",
            "kind = 'it''s'",
        ] {
            for dialect in [Dialect::Postgres, Dialect::Mysql] {
                assert_eq!(Statement::is_expression(text, dialect), Ok(()), "{text}");
            }
        }
        for text in [
            "",
            " ",
            "a;",
            "1 = 1; DROP TABLE auth_user",
            "a) OR (1 = 1",
            ")(",
            "(a",
            "a))",
            "a = '",
            "a = 'b' -- c",
            "a --",
            "a /* b */",
            "a /*! ) OR (1 = 1 */",
            "/*",
            "\"a",
            "a = :name",
        ] {
            for dialect in [Dialect::Postgres, Dialect::Mysql] {
                assert!(Statement::is_expression(text, dialect).is_err(), "{text}");
            }
        }
        // In PostgreSQL it is an operator, and a quote like any letter.
        for text in ["a # 1 = 2", "a #"] {
            assert!(Statement::is_expression(text, Dialect::Mysql).is_err());
        }
        assert_eq!(
            Statement::is_expression("a # 1 = 2", Dialect::Postgres),
            Ok(())
        );
        assert!(Statement::is_expression("`a) OR (b` = 1", Dialect::Postgres).is_err());
        assert_eq!(
            Statement::is_expression("`a) OR (b` = 1", Dialect::Mysql),
            Ok(())
        );
        assert!(Statement::is_expression("$$a", Dialect::Postgres).is_err());
    }

    #[test]
    fn parameters_have_names() {
        assert!(Statement::new("SELECT $1", Dialect::Postgres).is_err());
        assert!(Statement::new("SELECT ?", Dialect::Mysql).is_err());
    }

    #[test]
    fn values_are_given_to_each_place() {
        let statement = Statement::new(":a :b :a", Dialect::Mysql).unwrap();
        let given = [(":b", Value::Null), (":a", 1.into()), (":c", 2.into())];
        let values = statement.values(&given).unwrap();
        assert_eq!(values, [&1.into(), &Value::Null, &1.into()]);
        let error = statement.values(&[(":a", 1.into())]).unwrap_err();
        assert!(error.to_string().contains(":b"), "{error}");
    }

    /// Whatever the statement, it is read to its end or refused.
    #[test]
    fn any_statement_is_read() {
        let parts = [
            "'", "\"", "`", "\\", "$", "a", ":", "-", "/", "*", "\n", "é", "?", "1",
        ];
        let mut state = 1_u64;
        for _ in 0..20_000 {
            let mut text = String::new();
            for _ in 0..12 {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                text.push_str(parts[usize::try_from(state >> 40).unwrap() % parts.len()]);
            }
            for dialect in [Dialect::Postgres, Dialect::Mysql] {
                if let Ok(statement) = Statement::new(&text, dialect)
                    && statement.parameters.is_empty()
                {
                    assert_eq!(statement.text, text);
                }
            }
        }
    }
}
