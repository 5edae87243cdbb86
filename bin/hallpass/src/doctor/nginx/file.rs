//! Reads nginx's configuration, with the files that it includes.

use std::path::{Path, PathBuf};

use crate::doctor::directives::{DEEPEST, Directive, MOST_FILES, included};

/// The directives of the file at `path` and of all that it includes.
///
/// # Errors
/// What cannot be read.
pub fn read(path: &Path) -> Result<Vec<Directive>, String> {
    let directory = path.parent().unwrap_or(Path::new("/")).to_path_buf();
    let mut files = 0;
    file(path, &directory, &mut files, 0)
}

/// The directives of `text`, a whole file that includes none.
#[cfg(test)]
pub fn parse(text: &str) -> Result<Vec<Directive>, String> {
    let path = Path::new("/etc/nginx/nginx.conf");
    let mut tokens = tokens(text)?.into_iter();
    block(&mut tokens, path, &PathBuf::from("/etc/nginx"), &mut 0, 0)
}

fn file(
    path: &Path,
    directory: &PathBuf,
    files: &mut usize,
    depth: usize,
) -> Result<Vec<Directive>, String> {
    *files += 1;
    if *files > MOST_FILES {
        return Err("it includes too many files".to_owned());
    }
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let text = String::from_utf8_lossy(&bytes);
    let mut tokens = tokens(&text)
        .map_err(|error| format!("{}: {error}", path.display()))?
        .into_iter();
    block(&mut tokens, path, directory, files, depth)
}

fn block(
    tokens: &mut dyn Iterator<Item = (Token, usize)>,
    path: &Path,
    directory: &PathBuf,
    files: &mut usize,
    depth: usize,
) -> Result<Vec<Directive>, String> {
    if depth > DEEPEST {
        return Err("it is nested too deeply".to_owned());
    }
    let mut directives = Vec::new();
    let mut words: Vec<String> = Vec::new();
    let mut begun = 0;
    while let Some((token, line)) = tokens.next() {
        match token {
            Token::Word(word) => {
                if words.is_empty() {
                    begun = line;
                }
                words.push(word);
            }
            Token::End | Token::Open if !words.is_empty() => {
                let inside = match token {
                    Token::Open => block(tokens, path, directory, files, depth + 1)?,
                    _ => Vec::new(),
                };
                let mut said = std::mem::take(&mut words).into_iter();
                let directive = Directive {
                    name: said.next().unwrap_or_default(),
                    words: said.collect(),
                    file: path.to_path_buf(),
                    line: begun,
                    inside,
                };
                if directive.is("include") {
                    for path in included(directory, directive.word(0)) {
                        directives.extend(file(&path, directory, files, depth + 1)?);
                    }
                } else {
                    directives.push(directive);
                }
            }
            Token::Close => return Ok(directives),
            Token::End | Token::Open => {}
        }
    }
    Ok(directives)
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    End,
    Open,
    Close,
}

/// Words, `;`, `{` and `}`, with their lines (`ngx_conf_read_token` in core/ngx_conf_file.c, 1.22).
fn tokens(text: &str) -> Result<Vec<(Token, usize)>, String> {
    let mut tokens = Vec::new();
    let mut letters = text.chars().peekable();
    let mut line = 1;
    while let Some(letter) = letters.next() {
        match letter {
            '\n' => line += 1,
            letter if letter.is_whitespace() => {}
            '#' => while letters.next_if(|it| *it != '\n').is_some() {},
            ';' => tokens.push((Token::End, line)),
            '{' => tokens.push((Token::Open, line)),
            '}' => tokens.push((Token::Close, line)),
            quote @ ('"' | '\'') => {
                let (begun, mut word) = (line, String::new());
                loop {
                    match letters.next() {
                        None => return Err(format!("a quote of line {begun} does not end")),
                        Some(it) if it == quote => break,
                        Some('\\') => word.extend(letters.next()),
                        Some(it) => {
                            line += usize::from(it == '\n');
                            word.push(it);
                        }
                    }
                }
                tokens.push((Token::Word(word), begun));
            }
            first => {
                let mut word = String::from(first);
                let mut variable = false;
                while let Some(next) = letters.peek().copied() {
                    // `${name}` is a part of a word.
                    variable = (next == '{' && word.ends_with('$')) || (variable && next != '}');
                    let ends = next.is_whitespace() || next == ';' || next == '{' || next == '}';
                    if ends && !variable && !(next == '}' && word.contains("${")) {
                        break;
                    }
                    word.push(next);
                    letters.next();
                    if next == '\\' {
                        word.extend(letters.next());
                    }
                }
                tokens.push((Token::Word(word), line));
            }
        }
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let tokens = tokens(text).unwrap().into_iter();
        tokens
            .map(|(token, line)| match token {
                Token::Word(word) => format!("{word}@{line}"),
                Token::End => ";".to_owned(),
                Token::Open => "{".to_owned(),
                Token::Close => "}".to_owned(),
            })
            .collect()
    }

    #[test]
    fn tokens_are_nginxs() {
        let text = "a b;\nc {# d\n e \"f g\" 'h;i';\n}\n";
        let expected = [
            "a@1", "b@1", ";", "c@2", "{", "e@3", "f g@3", "h;i@3", ";", "}",
        ];
        assert_eq!(words(text), expected);
        assert_eq!(words("set $a ${b}c;"), ["set@1", "$a@1", "${b}c@1", ";"]);
        assert_eq!(words("x \"\";"), ["x@1", "@1", ";"]);
        assert!(tokens("a \"b").is_err());
    }
}
