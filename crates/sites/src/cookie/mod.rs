//! Finds the session cookie in Cookie headers, as the site would.

/// A cookie, by its name, and who reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cookie<'a> {
    /// What it is called.
    pub name: &'a str,
    /// How the site would read it.
    pub reader: Reader,
}

/// Whose rules say what a Cookie header holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[serde(rename_all = "lowercase")]
pub enum Reader {
    /// Django's `parse_cookie` (http/cookie.py, 5.2): pairs end at semicolons, a pair without an
    /// equals sign has an empty name, white space around names and values does not count, of two
    /// cookies of one name the last counts, and a value in double quotes is taken out of them with
    /// its backslash escapes undone.
    Django,
    /// `php_default_treat_data` (main/php_variables.c, PHP 8.2): of two cookies of one name the
    /// first counts, white space counts but for that before a name, and quotes are part of a
    /// value. A pair without an equals sign has an empty value. What is percent-encoded is left so
    /// here.
    Php,
    /// Werkzeug's `parse_cookie` (werkzeug/sansio/http.py, 3.1): of two cookies of one name the first
    /// counts, a pair without an equals sign has an empty value, blanks and tabs around names and
    /// values do not count, a value in double quotes is taken out of them with its backslash escapes
    /// undone and may hold semicolons, and what is neither is passed over up to the next semicolon.
    Werkzeug,
    /// As most others read: of two cookies of one name the first counts. Pairs end at semicolons, one
    /// without an equals sign is none, white space around names and values does not count, and a value
    /// in double quotes is taken out of them, as in the package `cookie` of Node and in `net/http` of
    /// Go. What is percent-encoded is left so here.
    First,
    /// The same, but the last counts.
    Last,
    #[serde(skip)]
    /// `parse_cookies_header` of Ruby's Rack (lib/rack/utils.rb, 2.2): of two cookies of one name the
    /// first counts, with a value or without; blanks behind a semicolon alone do not count, and quotes
    /// are part of a value. What is percent-encoded is left so here.
    Rack,
}

/// The value of `cookie` in the Cookie headers of a request, in their order. `None` when it is not
/// there.
#[must_use]
pub fn value<'a>(
    headers: impl IntoIterator<Item = &'a [u8]>,
    cookie: Cookie<'_>,
) -> Option<Vec<u8>> {
    // Servers join several headers for Python.
    if cookie.reader == Reader::Werkzeug {
        let headers: Vec<&[u8]> = headers.into_iter().collect();
        return werkzeug::first(&headers.join(&b"; "[..]), cookie.name.as_bytes());
    }
    let mut pairs = headers
        .into_iter()
        .flat_map(|header| header.split(|byte| *byte == b';'));
    match cookie.reader {
        Reader::Django => {
            let named =
                |pair| django_pair(pair).filter(|(name, _)| *name == cookie.name.as_bytes());
            pairs
                .filter_map(named)
                .last()
                .map(|(_, value)| unquote(value))
        }
        Reader::Php => {
            let named = |pair| php_pair(pair).filter(|(name, _)| *name == cookie.name.as_bytes());
            pairs.find_map(named).map(|(_, value)| value.to_vec())
        }
        Reader::Rack => {
            let name = cookie.name.as_bytes();
            let found = pairs.map(rack_pair).find(|(found, _)| *found == name);
            found.and_then(|(_, value)| value).map(<[u8]>::to_vec)
        }
        Reader::First | Reader::Last | Reader::Werkzeug => {
            let named = |pair| plain_pair(pair).filter(|(name, _)| *name == cookie.name.as_bytes());
            let mut named = pairs.filter_map(named);
            let found = match cookie.reader {
                Reader::Last => named.last(),
                _ => named.next(),
            };
            found.map(|(_, value)| value.to_vec())
        }
    }
}

mod werkzeug;

/// A name and a value, without white space around and quotes.
fn plain_pair(pair: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = pair.iter().position(|byte| *byte == b'=')?;
    let name = pair.get(..at)?.trim_ascii();
    let value = pair.get(at + 1..)?.trim_ascii();
    let quoted = value
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""));
    Some((name, quoted.unwrap_or(value)))
}

fn django_pair(pair: &[u8]) -> Option<(&[u8], &[u8])> {
    let (name, value) = match pair.iter().position(|byte| *byte == b'=') {
        Some(at) => (pair.get(..at)?, pair.get(at + 1..)?),
        None => (&b""[..], pair),
    };
    Some((name.trim_ascii(), value.trim_ascii()))
}

fn php_pair(pair: &[u8]) -> Option<(&[u8], &[u8])> {
    // C's isspace.
    let start = pair
        .iter()
        .position(|byte| !b" \t\n\x0b\x0c\r".contains(byte))?;
    let pair = pair.get(start..)?;
    match pair.iter().position(|byte| *byte == b'=') {
        Some(at) => Some((pair.get(..at)?, pair.get(at + 1..)?)),
        None => Some((pair, b"")),
    }
}

/// A name, and a value where there is one.
fn rack_pair(pair: &[u8]) -> (&[u8], Option<&[u8]>) {
    let blanks = pair.iter().take_while(|byte| **byte == b' ').count();
    let pair = pair.get(blanks..).unwrap_or_default();
    match pair.iter().position(|byte| *byte == b'=') {
        Some(at) => (pair.get(..at).unwrap_or_default(), pair.get(at + 1..)),
        None => (pair, None),
    }
}

/// `http.cookies._unquote` of Python: `"a\"b\054c"` is `a"b,c`.
fn unquote(value: &[u8]) -> Vec<u8> {
    let quoted = value
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""));
    let Some(mut rest) = quoted else {
        return value.to_vec();
    };
    let mut plain = Vec::with_capacity(rest.len());
    while let Some((first, tail)) = rest.split_first() {
        let (byte, tail) = match (first, tail) {
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..]) => {
                ((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'), tail)
            }
            (b'\\', [escaped, tail @ ..]) => (*escaped, tail),
            _ => (*first, tail),
        };
        plain.push(byte);
        rest = tail;
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, reader: Reader) -> Cookie<'_> {
        Cookie { name, reader }
    }

    fn find(header: &str) -> Option<String> {
        let value = value([header.as_bytes()], of("sessionid", Reader::Django));
        value.map(|value| String::from_utf8(value).unwrap())
    }

    /// As PHP 8.2 itself read these.
    #[test]
    fn php_reads_cookies_its_own_way() {
        for (header, expected) in [
            ("SID=abc", Some("abc")),
            ("a=1; SID=abc; b=2", Some("abc")),
            ("a=1;SID=abc;", Some("abc")),
            ("\tSID=abc", Some("abc")),
            ("SID=first; SID=abc", Some("first")),
            ("SID; SID=abc", Some("")),
            ("SID=; SID=abc", Some("")),
            (" SID = abc ", None),
            ("SID = abc; SID=b", Some("b")),
            ("SID= abc ", Some(" abc ")),
            ("SID=\"abc\"", Some("\"abc\"")),
            ("SID=a=b", Some("a=b")),
            ("SID=a%2Cb", Some("a%2Cb")),
            ("sid=abc", None),
            ("=SID", None),
            ("=SID=abc", None),
            ("", None),
            ("; ;", None),
        ] {
            let value = value([header.as_bytes()], of("SID", Reader::Php));
            let expected = expected.map(|value| value.as_bytes().to_vec());
            assert_eq!(value, expected, "{header}");
        }
    }

    /// As Rack 2.2 itself read these.
    #[test]
    fn rack_takes_the_first_cookie_with_a_value_or_without() {
        for (header, expected) in [
            ("SID=abc", Some("abc")),
            ("a=1;SID=abc;", Some("abc")),
            ("a=1;  SID=abc; b", Some("abc")),
            ("a=1;\tSID=abc", None),
            ("\tSID=abc", None),
            ("SID=first; SID=abc", Some("first")),
            ("SID; SID=abc", None),
            ("SID=; SID=abc", Some("")),
            ("SID = abc ", None),
            ("SID= abc ", Some(" abc ")),
            ("SID=\"abc\"", Some("\"abc\"")),
            ("SID=a%2Cb+c", Some("a%2Cb+c")),
            ("SID=a=b", Some("a=b")),
            ("S%49D=x; SID=y", Some("y")),
            ("=SID=abc", None),
            ("", None),
        ] {
            let value = value([header.as_bytes()], of("SID", Reader::Rack));
            let expected = expected.map(|value| value.as_bytes().to_vec());
            assert_eq!(value, expected, "{header}");
        }
    }

    /// As the package `cookie` 0.7 of Node read these (`tests/vectors/cookies.js`).
    #[test]
    fn the_first_cookie_counts_where_node_reads_it() {
        let rows: Vec<(String, Option<String>)> =
            serde_json::from_str(include_str!("../../tests/data/cookies_node.json")).unwrap();
        assert!(rows.len() > 30);
        for (header, expected) in rows {
            let value = value([header.as_bytes()], of("SID", Reader::First));
            let value = value.map(|value| String::from_utf8(value).unwrap());
            assert_eq!(value, expected, "{header}");
        }
    }

    /// As Werkzeug 3.1 read these (`tests/vectors/cookies_werkzeug.py`).
    #[test]
    fn werkzeug_reads_cookies_its_own_way() {
        let rows: Vec<(String, Option<String>)> =
            serde_json::from_str(include_str!("../../tests/data/cookies_werkzeug.json")).unwrap();
        assert!(rows.len() > 50);
        for (header, expected) in rows {
            let value = value([header.as_bytes()], of("SID", Reader::Werkzeug));
            let value = value.map(|value| String::from_utf8_lossy(&value).into_owned());
            assert_eq!(value, expected, "{header}");
        }
    }

    /// A cookie tossed from a subdomain stands beside the site's own: who is who depends on the
    /// reader.
    #[test]
    fn which_of_two_cookies_counts_is_for_the_reader_to_say() {
        let headers = [&b"SID=one; SID=two"[..], b"SID=three"];
        for (reader, expected) in [
            (Reader::Django, "three"),
            (Reader::Php, "one"),
            (Reader::First, "one"),
            (Reader::Last, "three"),
        ] {
            let value = value(headers, of("SID", reader)).unwrap();
            assert_eq!(value, expected.as_bytes(), "{reader:?}");
        }
        for (header, expected) in [
            ("SID=one; SID", Some("one")),
            ("SID=one; SID=", Some("")),
            ("SID=\"one\"; sid=two", Some("one")),
            ("SID=one; SID = two ", Some("two")),
            ("SID", None),
        ] {
            let value = value([header.as_bytes()], of("SID", Reader::Last));
            assert_eq!(value.as_deref(), expected.map(str::as_bytes), "{header}");
        }
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        for header in [
            "sessionid=abc",
            "a=1; sessionid=abc; b=2",
            "a=1;sessionid=abc;",
            " sessionid = abc ",
            "sessionid=\"abc\"",
            "sessionid=\"a\\b\\143\"",
            "sessionid=first; sessionid=abc",
        ] {
            assert_eq!(find(header).as_deref(), Some("abc"), "{header}");
        }
    }

    #[test]
    fn other_cookies_are_not_it() {
        for header in [
            "",
            ";",
            "=",
            "sessionid",
            "Sessionid=abc",
            "xsessionid=abc",
            "a=sessionid",
        ] {
            assert_eq!(find(header), None, "{header}");
        }
    }

    #[test]
    fn odd_values_are_taken_as_they_are() {
        for (header, expected) in [
            ("sessionid=", ""),
            ("sessionid=a=b", "a=b"),
            ("sessionid=\"", "\""),
            ("sessionid=\"\"", ""),
            ("sessionid=a\"b\"", "a\"b\""),
            ("sessionid=\"a\\\"", "a\\"),
        ] {
            assert_eq!(find(header).as_deref(), Some(expected), "{header}");
        }
    }

    #[test]
    fn several_headers_are_one() {
        let headers = [&b"sessionid=a"[..], b"x=1", b"sessionid=b"];
        let by = |reader| value(headers, of("sessionid", reader));
        assert_eq!(by(Reader::Django).as_deref(), Some(&b"b"[..]));
        assert_eq!(by(Reader::Php).as_deref(), Some(&b"a"[..]));
    }
}
