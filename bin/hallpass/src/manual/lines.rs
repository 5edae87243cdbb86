//! Writes the lines of a page in a form of which `mandoc -Tlint` has nothing to say.

/// The longest line of text, in bytes.
const WIDTH: usize = 80;

/// Breaks long lines of text between words, and takes blanks at their ends away. Lines of a
/// verbatim block stay as they are, and so do requests. Definitions that a page repeats before each
/// section are left at its head alone.
pub fn tidy(page: &str) -> String {
    let mut tidied = String::new();
    let mut verbatim = false;
    // Two backslashes show none outside of a definition.
    let page = page.replace(r"\\", r"\(rs");
    let lines: Vec<&str> = page.lines().collect();
    for (number, &line) in lines.iter().enumerate() {
        verbatim = match line {
            ".nf" => true,
            ".fi" => false,
            _ => verbatim,
        };
        // A blank line breaks the line before it and after it.
        let near = [number.checked_sub(1), number.checked_add(1)];
        let near = near.map(|number| number.and_then(|number| lines.get(number)));
        if line == ".br" && near.into_iter().flatten().any(|near| near.is_empty()) {
            continue;
        }
        if number > 1 && (line.starts_with(".ie ") || line.starts_with(".el ")) {
            continue;
        }
        if verbatim || line.starts_with(['.', '\'']) {
            tidied.push_str(line.trim_end());
            tidied.push('\n');
            continue;
        }
        let mut length = 0;
        for word in line.split(' ').filter(|word| !word.is_empty()) {
            if length > 0 && length + 1 + width(word) > WIDTH {
                tidied.push('\n');
                length = 0;
                // At the beginning of a line, either would be a request.
                if word.starts_with(['.', '\'']) {
                    tidied.push_str("\\&");
                    length = 2;
                }
            } else if length > 0 {
                tidied.push(' ');
                length += 1;
            }
            tidied.push_str(word);
            length += width(word);
        }
        tidied.push('\n');
    }
    tidied
}

/// The bytes that `word` takes. man's preprocessor writes a character beyond ASCII as `\[u2026]`.
fn width(word: &str) -> usize {
    word.chars()
        .map(|it| if it.is_ascii() { 1 } else { 8 })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_broken_between_words_and_no_word_becomes_a_request() {
        let word = "x".repeat(39);
        for (line, expected) in [
            (
                format!("{word} {} … c", "x".repeat(34)),
                format!("{word} {}\n… c\n", "x".repeat(34)),
            ),
            ("a  b ".to_owned(), "a b\n".to_owned()),
            (format!("{word} {word} c"), format!("{word} {word}\nc\n")),
            (
                format!("{word} {word} .c"),
                format!("{word} {word}\n\\&.c\n"),
            ),
            (
                format!("{word} {word} 'c"),
                format!("{word} {word}\n\\&'c\n"),
            ),
            // A backslash, as it is to be seen.
            (r"a\\nb\-c".to_owned(), "a\\(rsnb\\-c\n".to_owned()),
            (
                ".br\n\n.br\na\n.br\nb".to_owned(),
                "\na\n.br\nb\n".to_owned(),
            ),
            (
                format!(".nf\n  {word} {word} {word}\n.fi"),
                format!(".nf\n  {word} {word} {word}\n.fi\n"),
            ),
            (".TP \n\\fBa\\fR".to_owned(), ".TP\n\\fBa\\fR\n".to_owned()),
        ] {
            assert_eq!(tidy(&line), expected);
        }
    }
}
