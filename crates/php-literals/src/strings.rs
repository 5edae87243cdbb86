//! Reads strings of PHP in every notation.

use super::literal::{Literal, SyntaxError};
use super::scanner::{Kind, Scanner, is_name};

/// `'…'`, from the quote on: only the quote and the backslash are escaped.
pub(crate) fn single_quoted(scanner: &mut Scanner<'_>) -> Result<Vec<u8>, SyntaxError> {
    scanner.take(1);
    let body = quoted(scanner, b'\'')?;
    let mut text = Vec::with_capacity(body.len());
    let mut bytes = body.iter();
    while let Some(byte) = bytes.next() {
        match (byte, bytes.as_slice().first()) {
            (b'\\', Some(next @ (b'\'' | b'\\'))) => {
                text.push(*next);
                bytes.next();
            }
            _ => text.push(*byte),
        }
    }
    Ok(text)
}

/// `"…"`, from the quote on.
pub(crate) fn double_quoted(scanner: &mut Scanner<'_>) -> Result<Kind, SyntaxError> {
    scanner.take(1);
    let body = quoted(scanner, b'"')?;
    Ok(interpolated(body, Some(b'"')))
}

/// A command between backticks, which is not run here.
pub(crate) fn command(scanner: &mut Scanner<'_>) -> Result<Kind, SyntaxError> {
    scanner.take(1);
    let body = quoted(scanner, b'`')?;
    Ok(Kind::Computed(variables(body)))
}

/// `<<<NAME`, `<<<"NAME"` and `<<<'NAME'`, from the first `<` on; `None` when it is none of them.
///
/// Since PHP 7.3 the closing name may be indented, and every line loses as much white space.
pub(crate) fn heredoc(scanner: &mut Scanner<'_>) -> Result<Option<Kind>, SyntaxError> {
    let Some((name, raw, head)) = opening(scanner.rest()) else {
        return Ok(None);
    };
    scanner.take(head);
    let rest = scanner.rest();
    let mut start = 0;
    loop {
        let line = rest.get(start..).unwrap_or_default();
        let indentation = line
            .iter()
            .take_while(|byte| matches!(byte, b' ' | b'\t'))
            .count();
        let word = line.get(indentation..).unwrap_or_default();
        let ends = word
            .strip_prefix(name)
            .is_some_and(|after| !after.first().is_some_and(is_name));
        if ends {
            let body = rest.get(..start).unwrap_or_default();
            let indent = line.get(..indentation).unwrap_or_default();
            let lines = without_indentation(body, indent);
            scanner.take(start + indentation + name.len());
            return match lines {
                Some(text) if raw => Ok(Some(Kind::Literal(Literal::text(text)))),
                Some(text) => Ok(Some(interpolated(&text, None))),
                None => scanner.fail("a line of a heredoc is indented less than its end"),
            };
        }
        match line.iter().position(|byte| *byte == b'\n') {
            Some(end) => start += end + 1,
            None => return scanner.fail("a heredoc does not end"),
        }
    }
}

/// The name of a heredoc, whether it is raw, and how long its first line is.
fn opening(text: &[u8]) -> Option<(&[u8], bool, usize)> {
    let rest = text.strip_prefix(b"<<<")?;
    let spaces = rest
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count();
    let rest = rest.get(spaces..)?;
    let quote = rest
        .first()
        .copied()
        .filter(|byte| matches!(byte, b'\'' | b'"'));
    let rest = rest.get(usize::from(quote.is_some())..)?;
    let length = rest.iter().take_while(|byte| is_name(byte)).count();
    let (name, after) = rest.split_at_checked(length)?;
    if name.first().is_none_or(u8::is_ascii_digit) {
        return None;
    }
    let after = match quote {
        Some(quote) => after.strip_prefix(&[quote])?,
        None => after,
    };
    let after = after
        .strip_prefix(b"\r\n")
        .or_else(|| after.strip_prefix(b"\n"))?;
    Some((name, quote == Some(b'\''), text.len() - after.len()))
}

/// The lines of a body without the indentation of its end and without its last line end.
fn without_indentation(body: &[u8], indentation: &[u8]) -> Option<Vec<u8>> {
    let body = body.strip_suffix(b"\n").unwrap_or(body);
    let body = body.strip_suffix(b"\r").unwrap_or(body);
    if indentation.is_empty() {
        return Some(body.to_vec());
    }
    let mut text = Vec::with_capacity(body.len());
    for (number, line) in body.split(|byte| *byte == b'\n').enumerate() {
        if number > 0 {
            text.push(b'\n');
        }
        match line.strip_prefix(indentation) {
            Some(line) => text.extend_from_slice(line),
            // An empty line may lack it.
            None if matches!(line, b"" | b"\r") => text.extend_from_slice(line),
            None => return None,
        }
    }
    Some(text)
}

/// The bytes up to `quote`, and past it.
fn quoted<'a>(scanner: &mut Scanner<'a>, quote: u8) -> Result<&'a [u8], SyntaxError> {
    let rest = scanner.rest();
    let mut end = 0;
    loop {
        match rest.get(end) {
            Some(b'\\') => end += 2,
            Some(byte) if *byte == quote => break,
            Some(_) => end += 1,
            None => return scanner.fail("a string does not end"),
        }
    }
    let body = scanner.take(end);
    scanner.take(1);
    Ok(body)
}

/// A string in which `$` and backslashes mean something (`zend_scan_escape_string`).
fn interpolated(body: &[u8], quote: Option<u8>) -> Kind {
    let mut text = Vec::with_capacity(body.len());
    let mut rest = body;
    while let [byte, after @ ..] = rest {
        rest = after;
        match (byte, after) {
            (b'$', [b'{' | b'_' | b'a'..=b'z' | b'A'..=b'Z' | 0x80.., ..]) | (b'{', [b'$', ..]) => {
                return Kind::Computed(variables(body));
            }
            (b'\\', _) => match escape(after, quote) {
                Some((bytes, length)) => {
                    text.extend(bytes);
                    rest = after.get(length..).unwrap_or_default();
                }
                None => {
                    text.push(b'\\');
                    // A brace that is escaped stays as it is, and opens no variable.
                    if let [b'{', after @ ..] = after {
                        text.push(b'{');
                        rest = after;
                    }
                }
            },
            _ => text.push(*byte),
        }
    }
    Kind::Literal(Literal::text(text))
}

/// The bytes that a backslash and the bytes `after` it stand for, and how many of these it takes.
fn escape(after: &[u8], quote: Option<u8>) -> Option<(Vec<u8>, usize)> {
    let one = |byte| Some((vec![byte], 1));
    match after {
        [b'n', ..] => one(b'\n'),
        [b't', ..] => one(b'\t'),
        [b'r', ..] => one(b'\r'),
        [b'v', ..] => one(0x0b),
        [b'e', ..] => one(0x1b),
        [b'f', ..] => one(0x0c),
        [byte @ (b'\\' | b'$'), ..] => one(*byte),
        [byte, ..] if Some(*byte) == quote => one(*byte),
        [b'0'..=b'7', ..] => {
            let octal = |byte: &&u8| matches!(byte, b'0'..=b'7');
            let digits = after.iter().take(3).take_while(octal);
            let (value, length) = digits.fold((0_u32, 0), |(value, length), digit| {
                (value * 8 + u32::from(digit - b'0'), length + 1)
            });
            // `\400` is `\000` to PHP.
            Some((vec![u8::try_from(value & 0xff).unwrap_or_default()], length))
        }
        [b'x', digits @ ..] => {
            let length = digits
                .iter()
                .take(2)
                .take_while(|byte| byte.is_ascii_hexdigit())
                .count();
            let digits = std::str::from_utf8(digits.get(..length)?).ok()?;
            Some((vec![u8::from_str_radix(digits, 16).ok()?], length + 1))
        }
        [b'u', b'{', rest @ ..] => {
            // Far more digits than any character has, though zeros may lead.
            let length = rest.iter().take(64).position(|byte| *byte == b'}')?;
            let digits = std::str::from_utf8(rest.get(..length)?).ok()?;
            let valid = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            let scalar = u32::from_str_radix(digits, 16).ok().filter(|_| valid)?;
            Some((encoded(scalar)?, length + 3))
        }
        _ => None,
    }
}

/// UTF-8 as PHP makes it, of surrogates too.
fn encoded(scalar: u32) -> Option<Vec<u8>> {
    let byte = |bits: u32, mark: u32| u8::try_from(bits | mark).ok();
    let last = |shift: u32| byte(scalar >> shift & 0x3f, 0x80);
    Some(match scalar {
        0..0x80 => vec![byte(scalar, 0)?],
        0x80..0x800 => vec![byte(scalar >> 6, 0xc0)?, last(0)?],
        0x800..0x1_0000 => vec![byte(scalar >> 12, 0xe0)?, last(6)?, last(0)?],
        0x1_0000..0x11_0000 => vec![byte(scalar >> 18, 0xf0)?, last(12)?, last(6)?, last(0)?],
        _ => return None,
    })
}

/// The names after every `$` in a string, which may or may not be variables.
fn variables(body: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for after in body.split(|byte| *byte == b'$').skip(1) {
        let after = after.strip_prefix(b"{").unwrap_or(after);
        let length = after.iter().take_while(|byte| is_name(byte)).count();
        let name = after.get(..length).unwrap_or_default();
        found.push(String::from_utf8_lossy(name).into_owned());
    }
    found
}
