//! Writes a configuration: its text, the secrets that go into files of their own, and warnings
//! about what it cannot express.

pub(crate) mod child;
pub(crate) mod cookie;
pub(crate) mod environment;
pub(crate) mod mapping;
pub(crate) mod owner;
pub(crate) mod python;
pub mod site_file;
pub(crate) mod url;

use std::time::Duration;

use jiff::SignedDuration;
use zeroize::Zeroizing;

/// A configuration in the making.
pub struct Page {
    text: Zeroizing<String>,
    /// What the names of the files of secrets begin with.
    stem: String,
    /// The files of secrets: name and content.
    pub secrets: Vec<(String, Zeroizing<Vec<u8>>)>,
    /// Whether there is a secret in the text itself.
    pub private: bool,
    /// To which addresses browsers send the session cookie, where the site says.
    pub cookie: Option<String>,
    /// What could not be said, or should be looked at.
    pub warnings: Vec<String>,
    /// Shows a warning before anything else is done.
    warner: fn(&str),
}

impl Page {
    /// An empty one, for a file that is called `stem`, its ending dropped. `warner` shows a warning
    /// before anything else is done.
    #[must_use]
    pub fn new(stem: &str, warner: fn(&str)) -> Self {
        Self {
            text: Zeroizing::default(),
            stem: stem.to_owned(),
            secrets: Vec::new(),
            private: false,
            cookie: None,
            warnings: Vec::new(),
            warner,
        }
    }

    /// The text of the file.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// A comment by which editors find the schema of the file: a path or a URL.
    pub fn schema(&mut self, location: &str) {
        self.line(&format!("#:schema {}", one_line(location)));
    }

    /// A line that is a comment.
    pub fn note(&mut self, note: &str) {
        self.line(&format!("# {}", one_line(note)));
    }

    /// An empty line.
    pub fn blank(&mut self) {
        self.line("");
    }

    /// The line that begins a table.
    pub fn table(&mut self, name: &str, comment: &str) {
        self.blank();
        self.line(&format!("[{name}]  # {}", one_line(comment)));
    }

    /// A key with a string.
    pub fn string(&mut self, key: &str, value: &str, comment: &str) {
        self.key(key, &quote(value), comment);
    }

    /// A key with a number.
    pub fn number(&mut self, key: &str, value: u64, comment: &str) {
        self.key(key, &value.to_string(), comment);
    }

    /// A key that is true or false.
    pub fn boolean(&mut self, key: &str, value: bool, comment: &str) {
        self.key(key, &value.to_string(), comment);
    }

    /// A key with a list of strings.
    pub fn strings<'a>(
        &mut self,
        key: &str,
        values: impl IntoIterator<Item = &'a str>,
        comment: &str,
    ) {
        let values: Vec<String> = values.into_iter().map(quote).collect();
        self.key(key, &format!("[{}]", values.join(", ")), comment);
    }

    /// A key with a secret, which goes into a file of its own.
    pub fn secret(&mut self, key: &str, name: &str, value: &[u8], comment: &str) {
        let file = self.file(name, value);
        self.key(key, &file, comment);
    }

    /// A key with a list of secrets, each of which goes into a file of its own.
    pub fn secrets<'a>(
        &mut self,
        key: &str,
        name: &str,
        values: impl IntoIterator<Item = &'a [u8]>,
        comment: &str,
    ) {
        let mut files = Vec::new();
        for (index, value) in values.into_iter().enumerate() {
            files.push(self.file(&format!("{name}_{}", index + 1), value));
        }
        self.key(key, &format!("[{}]", files.join(", ")), comment);
    }

    /// A warning about something that could not be said, here and on standard error.
    pub fn warn(&mut self, warning: &str) {
        self.note(&format!("WARNING: {warning}"));
        self.warnings.push(warning.to_owned());
    }

    /// Warns before anything else is done.
    pub fn warn_at_once(&self, warning: &str) {
        (self.warner)(warning);
    }

    fn key(&mut self, key: &str, value: &str, comment: &str) {
        self.line(&format!("{key} = {value}  # {}", one_line(comment)));
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// Puts a secret aside, and gives the words that say where.
    fn file(&mut self, name: &str, value: &[u8]) -> String {
        let name = format!("{}.{name}", self.stem);
        let mut content = Zeroizing::new(value.to_vec());
        // Readers drop a newline at its end, and a carriage return before that.
        if value.ends_with(b"\r") {
            content.push(b'\r');
        }
        content.push(b'\n');
        let words = format!("{{ file = {} }}", quote(&name));
        self.secrets.push((name, content));
        words
    }
}

/// A basic string of TOML 1.0 that stands for `text`.
#[must_use]
pub fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for char in text.chars() {
        match char {
            '"' | '\\' => quoted.extend(['\\', char]),
            char if char.is_control() => {
                quoted.push_str(&format!("\\u{:04X}", u32::from(char)));
            }
            char => quoted.push(char),
        }
    }
    quoted.push('"');
    quoted
}

/// `text` as it may stand in a comment.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|char| if char.is_control() { ' ' } else { char })
        .collect()
}

/// `text` without what could play with the terminal.
#[must_use]
pub fn plain(text: &str) -> String {
    let plain = |char: char| match char.is_control() {
        true => char::REPLACEMENT_CHARACTER,
        false => char,
    };
    text.chars().map(plain).collect()
}

/// `duration` as in `1m 30s`.
#[must_use]
pub fn duration(duration: Duration) -> String {
    let duration = SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
    format!("{duration:#}")
}

/// Reads a duration such as `90s` or `1m 30s`.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    text.parse::<SignedDuration>()
        .ok()
        .and_then(|duration| Duration::try_from(duration).ok())
        .ok_or_else(|| "not a duration, as in \"90s\" or \"2m\"".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        for (text, seconds) in [("90s", 90), ("2m", 120), ("1m 30s", 90), ("1h", 3_600)] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_secs(seconds)),
                "{text}"
            );
        }
        for text in ["", "90", "-90s", "90s ago", "s", "soon"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn hostile_text_stays_one_string() {
        for text in [
            "plain",
            "a\"b\\c",
            "\"\"\"",
            "two\nlines\r\n[table]",
            "\0\u{1}\u{7f}\u{85}",
            "\u{2028}ü😀",
            "# no comment",
            "",
        ] {
            let document = format!("key = {}", quote(text));
            assert!(!document.contains('\n'), "{document}");
            let parsed = toml_string(&document);
            assert_eq!(parsed.as_deref(), Some(text), "{document}");
        }
    }

    #[test]
    fn comments_hold_no_second_line() {
        let mut page = Page::new("shop", |_| {});
        page.note("one\nkey = \"two\"");
        page.string("key", "value", "site\r\n[table]");
        page.warn("three\nfour");
        assert_eq!(page.text().lines().count(), 3);
        assert!(page.text().lines().all(|line| line.contains('#')));
    }

    #[test]
    fn a_secret_is_nowhere_in_the_text() {
        let mut page = Page::new("shop", |_| {});
        page.secret("secret_key", "secret_key", b"s3cret\r", "why");
        assert!(!page.text().contains("s3cret"));
        let expected = (
            "shop.secret_key".to_owned(),
            b"s3cret\r\r\n".to_vec().into(),
        );
        assert_eq!(page.secrets, [expected]);
    }

    fn toml_string(document: &str) -> Option<String> {
        let text = format!("framework = \"custom\"\n{document}\n");
        let table = toml::de::DeTable::parse(&text).ok()?;
        match table.get_ref().get("key")?.get_ref() {
            toml::de::DeValue::String(text) => Some(text.to_string()),
            _ => None,
        }
    }
}
