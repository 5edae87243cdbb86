//! Reads a Cookie header as Werkzeug does.

/// The value of the first cookie called `name` in `header`.
pub(super) fn first(header: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    let mut rest = header;
    loop {
        let Some((key, value, after)) = pair(rest) else {
            // What cannot be read is passed over.
            let end = rest.iter().position(|byte| *byte == b';')?;
            rest = rest.get(end + 1..)?;
            continue;
        };
        if key == name {
            return Some(value);
        }
        rest = after?;
    }
}

/// A name, a value, and what follows the semicolon behind them; `None` there where none follows.
type Pair<'a> = (&'a [u8], Vec<u8>, Option<&'a [u8]>);

fn pair(text: &[u8]) -> Option<Pair<'_>> {
    let rest = after_blanks(text);
    let length = rest
        .iter()
        .take_while(|byte| !b" \t=\";".contains(byte))
        .count();
    let (key, rest) = rest.split_at_checked(length)?;
    if key.is_empty() {
        return None;
    }
    let Some(value) = after_blanks(rest).strip_prefix(b"=") else {
        return Some((key, Vec::new(), end(rest)?));
    };
    let value = after_blanks(value);
    if let Some(inside) = value.strip_prefix(b"\"")
        && let Some((unquoted, rest)) = quoted(inside)
        && let Some(after) = end(rest)
    {
        return Some((key, unquoted, after));
    }
    let length = value
        .iter()
        .take_while(|byte| !b" \t\";".contains(byte))
        .count();
    let (token, rest) = value.split_at_checked(length)?;
    Some((key, token.to_vec(), end(rest)?))
}

/// What follows the semicolon that `rest` begins with but for blanks; an inner `None` at the end of
/// the header.
fn end(rest: &[u8]) -> Option<Option<&[u8]>> {
    match after_blanks(rest) {
        [] => Some(None),
        [b';', after @ ..] => Some(Some(after)),
        _ => None,
    }
}

fn after_blanks(text: &[u8]) -> &[u8] {
    let blanks = text.iter().take_while(|byte| b" \t".contains(byte)).count();
    text.get(blanks..).unwrap_or_default()
}

/// The text in double quotes with its escapes undone, and what follows the closing one.
fn quoted(inside: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut text = Vec::new();
    let mut rest = inside;
    loop {
        let (byte, after) = rest.split_first()?;
        rest = after;
        match byte {
            b'"' => return Some((text, rest)),
            // As Python's `.`, which does not match a line feed.
            b'\\' => match rest {
                [
                    a @ b'0'..=b'3',
                    b @ b'0'..=b'7',
                    c @ b'0'..=b'7',
                    after @ ..,
                ] => {
                    text.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                    rest = after;
                }
                [escaped, after @ ..] if *escaped != b'\n' => {
                    text.push(*escaped);
                    rest = after;
                }
                _ => return None,
            },
            byte => text.push(*byte),
        }
    }
}
