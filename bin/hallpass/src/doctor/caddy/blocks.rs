//! Finds every `forward_auth` of a Caddyfile, and what stands around it.

use super::CLAIMS;
use super::import::Line;

/// Directives that answer a request.
const ANSWERS: [&str; 4] = ["reverse_proxy", "file_server", "php_fastcgi", "respond"];

/// A `forward_auth`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// Where it stands, for messages.
    pub at: String,
    pub line: usize,
    pub address: String,
    /// What is asked for.
    pub uri: Option<String>,
    /// The path to which it is limited.
    pub matcher: Option<String>,
    /// What answers every request before it, and where it stands.
    pub late: Option<(String, String)>,
    /// The headers of the answer that are copied.
    pub copied: Vec<String>,
    /// The headers that are removed from the request before it.
    pub removed: Vec<String>,
    /// Whether it declares that the Basic name is not used.
    pub leaves_basic_unchecked: bool,
    /// Whether `Authorization` is removed around it, before or after.
    pub removes_authorization: bool,
}

/// A block that is open.
#[derive(Default)]
struct Block {
    /// The words before its brace.
    head: Vec<String>,
    /// The headers removed in it so far. Directives keep their order only in a `route`.
    removed: Vec<String>,
    /// Where it is one.
    question: Option<Question>,
    /// What answers every request in it, and where that stands, so far.
    late: Option<(String, String)>,
    /// How many `forward_auth` came before it.
    first: usize,
    /// Whether `Authorization` is removed anywhere in it; of the outermost block alone.
    removes_authorization: bool,
}

impl Block {
    fn is(&self, name: &str) -> bool {
        self.head.first().is_some_and(|it| it == name)
    }
}

/// Every `forward_auth` of a Caddyfile.
pub fn questions(lines: &[Line]) -> Vec<Question> {
    let mut found = Vec::new();
    let mut blocks: Vec<Block> = Vec::new();
    for line in lines {
        let mut words: Vec<&str> = line.words.iter().map(String::as_str).collect();
        let opens = words.last() == Some(&"{");
        if opens {
            words.pop();
        }
        if words.first() == Some(&"}") {
            if let Some(block) = blocks.pop() {
                found.extend(block.question);
                if blocks.is_empty() && block.removes_authorization {
                    let inside = found.iter_mut().skip(block.first);
                    inside.for_each(|question| question.removes_authorization = true);
                }
            }
            continue;
        }
        if let Some(block) = blocks.last_mut()
            && block.is("route")
            && block.late.is_none()
            && words.first().is_some_and(|it| ANSWERS.contains(it))
            && !words.get(1).is_some_and(|it| it.starts_with(['/', '@']))
        {
            let name = words.first().copied().unwrap_or_default().to_owned();
            block.late = Some((name, line.at()));
        }
        let question = || {
            let removed = blocks.iter().flat_map(|block| block.removed.clone());
            Question {
                at: line.at(),
                line: line.number,
                address: address(&words),
                matcher: matcher(&words),
                late: blocks.iter().find_map(|block| block.late.clone()),
                removed: removed.collect(),
                ..Question::default()
            }
        };
        let is_question = words.first() == Some(&"forward_auth");
        if opens {
            let question = is_question.then(question);
            let head = words.iter().map(|word| (*word).to_owned()).collect();
            blocks.push(Block {
                head,
                question,
                first: found.len(),
                ..Block::default()
            });
        } else if is_question {
            found.push(question());
        } else {
            inside(&mut blocks, &words);
        }
    }
    found
}

/// A line within the innermost of these blocks.
fn inside(blocks: &mut [Block], words: &[&str]) {
    let removes = match words {
        ["request_header" | "header_up", name] => name.eq_ignore_ascii_case("-Authorization"),
        // What an import has that was not followed is unknown.
        ["import", ..] => true,
        _ => false,
    };
    if let Some(outermost) = blocks.first_mut() {
        outermost.removes_authorization |= removes;
    }
    let copies = blocks.last().is_some_and(|it| it.is("copy_headers"));
    let (depth, names) = match words {
        ["copy_headers", names @ ..] => (1, names),
        names if copies => (2, names),
        _ => (0, words),
    };
    if depth > 0 {
        let block = blocks.iter_mut().rev().nth(depth - 1);
        if let Some(question) = block.and_then(|block| block.question.as_mut()) {
            // `From>To` renames: nothing is left under the first name.
            let names = names
                .iter()
                .map(|name| name.split('>').next().unwrap_or(name).to_owned());
            question.copied.extend(names);
        }
        return;
    }
    let Some(block) = blocks.last_mut() else {
        return;
    };
    if let (["uri", uri, ..], Some(question)) = (words, block.question.as_mut()) {
        let query = uri.split_once('?').map_or("", |(_, query)| query);
        question.uri = Some((*uri).to_owned());
        question.leaves_basic_unchecked = query.split('&').any(|pair| pair == "basic=0");
    }
    if !block.is("route") {
        return;
    }
    match words {
        // With a matcher, it applies to some requests only.
        ["request_header", name] => block
            .removed
            .extend(name.strip_prefix('-').map(str::to_owned)),
        // What an import has that was not followed is unknown, and may be all headers.
        ["import", ..] => block.removed.extend(CLAIMS.map(str::to_owned)),
        _ => {}
    }
}

/// The path to which a `forward_auth` is limited.
fn matcher(words: &[&str]) -> Option<String> {
    let first = words.get(1)?;
    first.starts_with('/').then(|| (*first).to_owned())
}

/// The first upstream of a `forward_auth`, behind its matcher.
fn address(words: &[&str]) -> String {
    let mut words = words.iter().skip(1);
    let found = words.find(|word| !word.starts_with(['/', '*', '@']));
    found.map(|word| (*word).to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_stand_behind_matchers() {
        for (line, expected) in [
            (
                "forward_auth unix//run/hallpass/http.sock",
                "unix//run/hallpass/http.sock",
            ),
            ("forward_auth /private/* 127.0.0.1:8088", "127.0.0.1:8088"),
            ("forward_auth * a:1 b:2", "a:1"),
            ("forward_auth @m", ""),
        ] {
            let words: Vec<&str> = line.split(' ').collect();
            assert_eq!(address(&words), expected);
        }
    }
}
