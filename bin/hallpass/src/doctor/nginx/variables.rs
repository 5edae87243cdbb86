//! Expands nginx's variables, where their values follow from the configuration.

use std::collections::BTreeMap;

use crate::doctor::directives::Directive;

/// How often a value may refer to another.
const DEEPEST: usize = 8;

/// The variables that `set` gives a value, whatever is asked for.
#[derive(Clone, Debug, Default)]
pub struct Variables(BTreeMap<String, String>);

impl Variables {
    /// Those of the `set` directives of `blocks`; a later block counts first.
    pub fn of<'a>(blocks: impl IntoIterator<Item = &'a Directive>) -> Self {
        let sets = blocks.into_iter().flat_map(|block| &block.inside);
        let sets = sets.filter(|it| it.is("set"));
        let value = |it: &Directive| {
            let name = it.word(0).trim_start_matches('$').to_owned();
            (name, it.word(1).to_owned())
        };
        Self(sets.map(value).collect())
    }

    /// These, and those of `others` that are not among them.
    pub fn or(mut self, others: &Self) -> Self {
        for (name, value) in &others.0 {
            self.0.entry(name.clone()).or_insert_with(|| value.clone());
        }
        self
    }

    /// `text` with each known variable replaced by its value. The query of the client's request
    /// is not the sub-request's, for which `$args` is empty.
    pub fn expand(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for _ in 0..DEEPEST {
            let expanded = self.once(&text);
            if expanded == text {
                break;
            }
            text = expanded;
        }
        text
    }

    fn once(&self, text: &str) -> String {
        let mut expanded = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            expanded.push_str(before);
            let (name, written, after) = split_name(after);
            let empty = ["args", "is_args", "query_string"].contains(&name);
            if let Some(value) = self.0.get(name) {
                expanded.push_str(value);
            } else if !empty && !name.starts_with("arg_") {
                expanded.push('$');
                expanded.push_str(written);
            }
            rest = after;
        }
        expanded + rest
    }
}

/// The name of a variable at the beginning of `text`, as written, and what follows.
fn split_name(text: &str) -> (&str, &str, &str) {
    if let Some((name, after)) = text.strip_prefix('{').and_then(|it| it.split_once('}')) {
        let written = text.get(..name.len() + 2).unwrap_or(text);
        return (name, written, after);
    }
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let end = text.find(|letter| !is_part(letter)).unwrap_or(text.len());
    let (name, after) = text.split_at(end);
    (name, name, after)
}

/// The variables in `text`, without `$`.
pub fn names(text: &str) -> Vec<&str> {
    let mut parts = text.split('$');
    let _ = parts.next();
    parts.map(|part| split_name(part).0).collect()
}

/// Whether `value` contains anything that the client chooses.
pub fn is_the_clients(value: &str) -> bool {
    let chosen = ["http_", "arg_", "cookie_"];
    let whole = ["request_uri", "args", "query_string", "request", "uri"];
    names(value).into_iter().any(|name| {
        let name = name.to_ascii_lowercase();
        chosen.iter().any(|it| name.starts_with(it)) || whole.contains(&&*name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_known() {
        let sets = BTreeMap::from([
            ("a".to_owned(), "127.0.0.1".to_owned()),
            ("b".to_owned(), "http://$a:80".to_owned()),
            ("c".to_owned(), "$c$c".to_owned()),
        ]);
        let variables = Variables(sets);
        for (text, expected) in [
            ("$b/auth", "http://127.0.0.1:80/auth"),
            ("${a}x", "127.0.0.1x"),
            ("$ab", "$ab"),
            ("${ab}x$", "${ab}x$"),
            ("/auth?g=x&$args$is_args$arg_basic", "/auth?g=x&"),
            ("/auth?$request_uri", "/auth?$request_uri"),
        ] {
            assert_eq!(variables.expand(text), expected, "{text}");
        }
        assert!(variables.expand("$c").len() <= 1024);
        assert_eq!(names("a$b-${c}d$e"), ["b", "c", "e"]);
        assert!(is_the_clients("x${http_cookie}"));
        assert!(!is_the_clients("x$scheme$host$remote_addr"));
    }
}
