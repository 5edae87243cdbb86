//! Finds the location that answers a URI, as nginx does (`ngx_http_core_find_location`, 1.22).

use regex::bytes::{Regex, RegexBuilder};

use crate::doctor::directives::Directive;

/// A `server`, and all locations in it.
pub struct Server<'a> {
    pub directive: &'a Directive,
    /// The blocks `http` and `server`, from the outside.
    pub chain: Vec<&'a Directive>,
    pub locations: Vec<Location<'a>>,
}

/// A `location`.
pub struct Location<'a> {
    pub directive: &'a Directive,
    /// The blocks from `http` to the location itself.
    pub chain: Vec<&'a Directive>,
    /// The location that it is nested in, as an index.
    pub parent: Option<usize>,
    pub pattern: Pattern,
    /// The URI, the regular expression or the name.
    pub text: &'a str,
}

/// Which URIs a location answers.
#[derive(Debug)]
pub enum Pattern {
    Exact,
    /// `^~` keeps regular expressions from being tried.
    Prefix {
        no_regex: bool,
    },
    /// `None` where it is not understood here.
    Regex(Option<Regex>),
    Named,
}

/// A location that cannot be found, because a regular expression before it is not understood.
pub struct NotUnderstood<'a>(pub &'a Directive);

impl<'a> Server<'a> {
    /// All servers in `directives`.
    pub fn all(directives: &'a [Directive]) -> Vec<Self> {
        let mut servers = Vec::new();
        for http in directives.iter().filter(|it| it.is("http")) {
            for directive in http.inside.iter().filter(|it| it.is("server")) {
                let chain = vec![http, directive];
                let mut server = Self {
                    directive,
                    chain,
                    locations: Vec::new(),
                };
                server.add(None, &[http, directive]);
                servers.push(server);
            }
        }
        servers
    }

    fn add(&mut self, parent: Option<usize>, chain: &[&'a Directive]) {
        let Some(block) = chain.last() else { return };
        for directive in block.inside.iter().filter(|it| it.is("location")) {
            let (pattern, text) = pattern(directive);
            let mut chain = chain.to_vec();
            chain.push(directive);
            let index = self.locations.len();
            self.locations.push(Location {
                directive,
                chain: chain.clone(),
                parent,
                pattern,
                text,
            });
            self.add(Some(index), &chain);
        }
    }

    /// The location that answers `uri`; `None` where the server itself does.
    pub fn find(&self, uri: &str) -> Result<Option<usize>, NotUnderstood<'a>> {
        self.search(None, uri).map(|(found, _)| found)
    }

    /// The location called `name`, with its `@`.
    pub fn named(&self, name: &str) -> Option<usize> {
        let is = |it: &Location<'_>| matches!(it.pattern, Pattern::Named) && it.text == name;
        self.locations.iter().position(is)
    }

    /// The location inside `parent`, and whether the search ends with it.
    fn search(
        &self,
        parent: Option<usize>,
        uri: &str,
    ) -> Result<(Option<usize>, bool), NotUnderstood<'a>> {
        let here = || {
            let all = self.locations.iter().enumerate();
            all.filter(move |(_, it)| it.parent == parent)
        };
        let exact = here().find(|(_, it)| matches!(it.pattern, Pattern::Exact) && it.text == uri);
        if let Some((index, _)) = exact {
            return Ok((Some(index), true));
        }
        let mut best = None;
        let mut tries_regex = true;
        let longest = here()
            .filter_map(|(index, it)| match it.pattern {
                Pattern::Prefix { no_regex } if uri.starts_with(it.text) => {
                    Some((it.text.len(), index, no_regex))
                }
                _ => None,
            })
            .max_by_key(|(length, ..)| *length);
        if let Some((_, index, no_regex)) = longest {
            let (inner, ends) = self.search(Some(index), uri)?;
            best = inner.or(Some(index));
            if ends {
                return Ok((best, true));
            }
            tries_regex = !no_regex;
        }
        for (index, it) in here().filter(|_| tries_regex) {
            let Pattern::Regex(regex) = &it.pattern else {
                continue;
            };
            let regex = regex.as_ref().ok_or(NotUnderstood(it.directive))?;
            if regex.is_match(uri.as_bytes()) {
                let (inner, _) = self.search(Some(index), uri)?;
                return Ok((inner.or(Some(index)), true));
            }
        }
        Ok((best, false))
    }
}

/// How a location's words name it: the modifier may be a word of its own, or begin the other
/// (`ngx_http_core_location`).
fn pattern(directive: &Directive) -> (Pattern, &str) {
    let (first, second) = (directive.word(0), directive.word(1));
    let regex = |text: &str, any_case: bool| Pattern::Regex(compile(text, any_case));
    let prefix = |no_regex| Pattern::Prefix { no_regex };
    if directive.words.len() > 1 {
        return match first {
            "=" => (Pattern::Exact, second),
            "^~" => (prefix(true), second),
            "~" => (regex(second, false), second),
            "~*" => (regex(second, true), second),
            _ => (Pattern::Regex(None), second),
        };
    }
    if let Some(text) = first.strip_prefix('=') {
        (Pattern::Exact, text)
    } else if let Some(text) = first.strip_prefix("^~") {
        (prefix(true), text)
    } else if let Some(text) = first.strip_prefix("~*") {
        (regex(text, true), text)
    } else if let Some(text) = first.strip_prefix('~') {
        (regex(text, false), text)
    } else if first.starts_with('@') {
        (Pattern::Named, first)
    } else {
        (prefix(false), first)
    }
}

/// A regular expression of nginx's; `None` for one that only PCRE understands.
pub fn compile(text: &str, any_case: bool) -> Option<Regex> {
    let mut builder = RegexBuilder::new(text);
    let built = builder.case_insensitive(any_case).unicode(false).build();
    built.ok()
}

/// The directive `name` that holds in the innermost of `chain`: the last of the innermost block
/// that has one.
pub fn effective<'a>(chain: &[&'a Directive], name: &str) -> Option<&'a Directive> {
    level(chain, name).last().copied()
}

/// All directives `name` of the innermost block that has any: nginx takes those of the outer
/// blocks only where the inner one has none.
pub fn level<'a>(chain: &[&'a Directive], name: &str) -> Vec<&'a Directive> {
    let of = |block: &&'a Directive| -> Vec<&'a Directive> {
        block.inside.iter().filter(|it| it.is(name)).collect()
    };
    let mut levels = chain.iter().rev().map(of);
    levels.find(|level| !level.is_empty()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::nginx::file::parse;

    /// The location of each URI, as its words.
    fn found(locations: &str, uri: &str) -> String {
        let directives = parse(&format!("http {{ server {{ {locations} }} }}")).unwrap();
        let servers = Server::all(&directives);
        let server = servers.first().unwrap();
        match server.find(uri) {
            Ok(Some(index)) => server.locations[index].directive.words.join(" "),
            Ok(None) => "server".to_owned(),
            Err(NotUnderstood(at)) => format!("not understood: {}", at.words.join(" ")),
        }
    }

    #[test]
    fn the_location_of_a_uri_is_nginxs() {
        let all = "location / {} location /a {} location = /a {} location ^~ /b/ {} \
                   location ~ \\.php$ {} location ~* \\.PNG$ {} location @n {} \
                   location /c/ { location /c/d/ {} location ~ \\.php$ { } location = /c/e {} } \
                   location =/f {} location ^~/g {} location ~^/h {}";
        for (uri, expected) in [
            ("/", "/"),
            ("/a", "= /a"),
            ("/ab", "/a"),
            ("/a?x=1", "/a"),
            ("/a.php", "~ \\.php$"),
            ("/b/x.php", "^~ /b/"),
            ("/x.png", "~* \\.PNG$"),
            ("/x.PHP", "/"),
            ("/c/x", "/c/"),
            ("/c/d/x", "/c/d/"),
            ("/c/x.php", "~ \\.php$"),
            ("/c/e", "= /c/e"),
            ("/c/x.png", "~* \\.PNG$"),
            ("/f", "=/f"),
            ("/g/x.php", "^~/g"),
            ("/hi", "~^/h"),
            ("@n", "server"),
        ] {
            assert_eq!(found(all, uri), expected, "{uri}");
        }
    }

    #[test]
    fn what_only_pcre_understands_is_not_guessed() {
        let all = "location / {} location ~ (?=x)x {} location = /a {} location ^~ /b {}";
        assert_eq!(found(all, "/a"), "= /a");
        assert_eq!(found(all, "/b"), "^~ /b");
        assert_eq!(found(all, "/x"), "not understood: ~ (?=x)x");
    }
}
