//! Merges Apache's sections: what holds for a path (`ap_directory_walk`, `ap_location_walk` of
//! server/request.c, 2.4).

use std::path::Path;

use regex::Regex;

use super::require::Rule;
use crate::doctor::directives::{DEEPEST, Directive};

/// Directives of mod_authnz_external in a section: one of them takes the place of all that an outer
/// section has, because the module merges nothing.
const EXTERNAL: [&str; 5] = [
    "AuthExternal",
    "AuthExternalContext",
    "AuthExternalProvideCache",
    "GroupExternal",
    "GroupExternalAuthoritative",
];

/// The server itself or a virtual host, with what it inherits.
pub struct Host<'a> {
    /// Directives outside of any section.
    pub plain: Vec<&'a Directive>,
    /// Sections in the order in which Apache applies them.
    sections: Vec<&'a Directive>,
}

/// What holds for a path.
pub struct Merged<'a> {
    /// The sections that apply, in their order; the last word is the last one's.
    pub sections: Vec<&'a Directive>,
    plain: Vec<&'a Directive>,
}

impl<'a> Host<'a> {
    /// The directives of the main server, and those of each virtual host, with what it inherits.
    pub fn all(directives: &'a [Directive]) -> Vec<Vec<&'a Directive>> {
        let is_host = |it: &&Directive| it.is("VirtualHost");
        let own: Vec<&Directive> = directives.iter().filter(|it| !is_host(it)).collect();
        let mut hosts = vec![own.clone()];
        for host in directives.iter().filter(is_host) {
            let inherited = own.iter().copied();
            hosts.push(inherited.chain(&host.inside).collect());
        }
        hosts
    }

    /// The host of these directives, the last of which are the `.htaccess` files.
    pub fn new(directives: Vec<&'a Directive>) -> Self {
        let (sections, plain): (Vec<_>, Vec<_>) =
            directives.into_iter().partition(|it| order(it).is_some());
        let mut sections: Vec<&Directive> = sections;
        // Directories by their depth, all else as written.
        sections.sort_by_key(|it| {
            let depth = match it.is("Directory") && !is_regex(it) {
                true => text(it).matches('/').count(),
                false => 0,
            };
            (order(it), depth)
        });
        Self { plain, sections }
    }

    /// The sections in which something is said about access.
    pub fn sections(&self) -> &[&'a Directive] {
        &self.sections
    }

    /// What holds where `section` does: for its own path, and all paths below.
    pub fn merged(&self, section: &'a Directive) -> Merged<'a> {
        self.at(&self.place(section), Some(section))
    }

    /// What holds at `place`, which is that of `section`.
    fn at(&self, place: &Place, section: Option<&'a Directive>) -> Merged<'a> {
        let is_own = |it: &Directive| section.is_some_and(|own| std::ptr::eq(it, own));
        let applies = |it: &&&'a Directive| is_own(it) || place.is_under(it);
        let mut sections: Vec<&Directive> = self.sections.iter().filter(applies).copied().collect();
        let inner: Vec<&Directive> = sections.iter().flat_map(|it| always(it)).collect();
        sections.extend(inner);
        Merged {
            sections,
            plain: self.plain.clone(),
        }
    }

    /// The addresses that lead to files, the first that fits counts: what says so, the URL, the
    /// directory.
    fn ways(&self) -> Vec<(&'a Directive, String, String)> {
        let aliases = self.plain.iter().copied().filter(|it| it.is("Alias"));
        let mut ways: Vec<_> = aliases
            .map(|it| (it, trimmed(it.word(0)), trimmed(it.word(1))))
            .collect();
        let root = self.last("DocumentRoot");
        ways.extend(root.map(|it| (it, String::new(), trimmed(it.word(0)))));
        ways
    }

    /// Another address of the files of a `<Location>` than its own: what leads there, the URL, and what
    /// holds there.
    pub fn elsewhere(&self, section: &Directive) -> Option<(&'a Directive, String, Merged<'a>)> {
        if !section.is("Location") {
            return None;
        }
        let Place { url, file } = self.place(section);
        let (own, file) = (url?, file.filter(|it| Path::new(it).is_dir())?);
        self.ways().into_iter().find_map(|(way, url, target)| {
            let (there, file) = if is_below(&file, &target) {
                let rest = file.get(target.len()..).unwrap_or_default();
                (format!("{url}{rest}"), file.clone())
            } else if is_below(&target, &file) {
                (url, target)
            } else {
                return None;
            };
            let place = Place {
                url: Some(there.clone()),
                file: Some(file),
            };
            (!is_below(&there, &own)).then(|| (way, there, self.at(&place, None)))
        })
    }

    /// The `<Files>` sections outside of others, which are applied after a `<Directory>`.
    pub fn files_after(&self, section: &Directive) -> impl Iterator<Item = &'a Directive> {
        let is_directory = section.is("Directory") || section.is("DirectoryMatch");
        let sections = self.sections.iter().copied();
        sections.filter(move |it| is_directory && (it.is("Files") || it.is("FilesMatch")))
    }

    /// Where the files of a section are, and their URL.
    fn place(&self, section: &Directive) -> Place {
        let ways = self.ways();
        if is_regex(section) {
            return Place::default();
        }
        let own = trimmed(text(section));
        if section.is("Location") {
            let way = ways.iter().find(|(_, url, _)| is_below(&own, url));
            let file = way.map(|(_, url, file)| {
                let rest = own.get(url.len()..).unwrap_or_default();
                format!("{file}{rest}")
            });
            return Place {
                url: Some(own),
                file,
            };
        }
        if section.is("Directory") {
            let way = ways.iter().find(|(_, _, file)| is_below(&own, file));
            let url = way.map(|(_, url, file)| {
                let rest = own.get(file.len()..).unwrap_or_default();
                format!("{url}{rest}")
            });
            return Place {
                url,
                file: Some(own),
            };
        }
        Place::default()
    }

    fn last(&self, name: &str) -> Option<&'a Directive> {
        self.plain.iter().rev().find(|it| it.is(name)).copied()
    }
}

#[derive(Default)]
struct Place {
    url: Option<String>,
    file: Option<String>,
}

impl Place {
    /// Whether all of this place is inside `section`.
    fn is_under(&self, section: &Directive) -> bool {
        let own = trimmed(text(section));
        let regex = || Regex::new(text(section)).ok();
        match () {
            () if section.is("Location") && !is_regex(section) => {
                let url = self.url.as_ref();
                own.is_empty() || url.is_some_and(|url| is_below(url, &own))
            }
            () if section.is("Directory") && !is_regex(section) => {
                let file = self.file.as_ref();
                own.is_empty() || file.is_some_and(|file| is_below(file, &own))
            }
            // One that fits the path itself fits all below, unless it looks for an end.
            () if section.is("LocationMatch") || section.is("Location") => {
                let (Some(url), Some(regex)) = (&self.url, regex()) else {
                    return false;
                };
                !text(section).contains('$') && regex.is_match(&format!("{url}/"))
            }
            () => false,
        }
    }
}

impl<'a> Merged<'a> {
    /// The directive `name` that holds, and the section that has it.
    pub fn last(&self, name: &str) -> Option<&'a Directive> {
        let inside = |it: &&'a Directive| it.inside.iter().rev().find(|it| it.is(name));
        let found = self.sections.iter().rev().find_map(inside);
        found.or_else(|| self.plain.iter().rev().find(|it| it.is(name)).copied())
    }

    /// The section whose directives of mod_authnz_external hold.
    pub fn external(&self) -> Option<&'a Directive> {
        let has = |it: &&&Directive| {
            let mut inside = it.inside.iter();
            inside.any(|it| EXTERNAL.iter().any(|name| it.is(name)))
        };
        self.sections.iter().rev().find(has).copied()
    }

    /// The rule for `method`, and the section that it comes from: a section's own takes the place
    /// of the outer ones, unless `AuthMerging` joins them.
    pub fn rule(&self, method: &str) -> Option<(Rule<'a>, &'a Directive)> {
        let mut rule: Option<(Rule<'a>, &'a Directive)> = None;
        for section in self.sections.iter().copied() {
            let Some(own) = Rule::of(&section.inside, method) else {
                continue;
            };
            let merging = section.inside.iter().rev().find(|it| it.is("AuthMerging"));
            let merging = merging.map_or("Off", |it| it.word(0)).to_ascii_lowercase();
            let own = match (&*merging, rule) {
                ("and", Some((outer, _))) => Rule::All(vec![outer, own]),
                ("or", Some((outer, _))) => Rule::Any(vec![outer, own]),
                _ => own,
            };
            rule = Some((own, section));
        }
        rule
    }
}

/// When a kind of section is applied; `None` if it is not a section.
fn order(directive: &Directive) -> Option<u8> {
    let kinds = [
        ("Directory", 0),
        ("DirectoryMatch", 1),
        ("Files", 2),
        ("FilesMatch", 2),
        ("Location", 3),
        ("LocationMatch", 3),
    ];
    let (_, mut order) = kinds.into_iter().find(|(name, _)| directive.is(name))?;
    if directive.is("Directory") && is_regex(directive) {
        order = 1;
    }
    Some(order)
}

/// `<If>` sections that always apply.
fn always(section: &Directive) -> impl Iterator<Item = &Directive> {
    let words = |it: &&Directive| it.words.len() == 1 && it.word(0).eq_ignore_ascii_case("true");
    section.inside.iter().filter(|it| it.is("If")).filter(words)
}

fn is_regex(section: &Directive) -> bool {
    section.word(0) == "~" || section.name.to_ascii_lowercase().ends_with("match")
}

/// The path or regular expression of a section.
pub fn text(section: &Directive) -> &str {
    match section.word(0) {
        "~" => section.word(1),
        text => text,
    }
}

/// A path without the slash at its end; that of the root is empty.
fn trimmed(path: &str) -> String {
    path.trim_end_matches('/').to_owned()
}

fn is_below(path: &str, above: &str) -> bool {
    let rest = path.strip_prefix(above);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The directives, with each `Use` of mod_macro replaced by what its macro holds.
pub fn expanded(directives: &[Directive]) -> Vec<Directive> {
    let mut macros: Vec<&Directive> = Vec::new();
    collect(directives, &mut macros);
    expand(directives, &macros, 0)
}

fn collect<'a>(directives: &'a [Directive], macros: &mut Vec<&'a Directive>) {
    for it in directives {
        if it.is("Macro") {
            macros.push(it);
        } else {
            collect(&it.inside, macros);
        }
    }
}

fn expand(directives: &[Directive], macros: &[&Directive], depth: usize) -> Vec<Directive> {
    let mut expanded = Vec::new();
    for it in directives {
        if it.is("Macro") || depth > DEEPEST {
            continue;
        }
        let named = |other: &&&Directive| other.word(0).eq_ignore_ascii_case(it.word(0));
        if it.is("Use")
            && let Some(named) = macros.iter().find(named)
        {
            let names = named.words.iter().skip(1);
            let given: Vec<(&String, &String)> = names.zip(it.words.iter().skip(1)).collect();
            let inside: Vec<Directive> = named.inside.iter().map(|it| fill(it, &given)).collect();
            expanded.extend(expand(&inside, macros, depth + 1));
            continue;
        }
        expanded.push(Directive {
            inside: expand(&it.inside, macros, depth + 1),
            ..it.clone()
        });
    }
    expanded
}

/// A directive of a macro, its parameters replaced by what is given for them.
fn fill(directive: &Directive, given: &[(&String, &String)]) -> Directive {
    let word = |word: &String| {
        let replace = |word: String, (name, value): &(&String, &String)| word.replace(*name, value);
        given.iter().fold(word.clone(), replace)
    };
    Directive {
        words: directive.words.iter().map(word).collect(),
        inside: directive.inside.iter().map(|it| fill(it, given)).collect(),
        ..directive.clone()
    }
}
