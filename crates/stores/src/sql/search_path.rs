//! Reads PostgreSQL's `search_path`, as libpq's `options` and SQL have it.

/// What `options` of libpq set.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct SessionOptions {
    /// The schemas of `search_path`; `None` where they are not set.
    pub search_path: Option<Vec<String>>,
    /// The names of all else that is set.
    pub others: Vec<String>,
}

impl SessionOptions {
    /// Reads options as the server's command line has them: `-c name=value`, `--name=value`
    /// (`pg_split_opts` and `process_postgres_switches` in tcop/postgres.c, PostgreSQL 15).
    ///
    /// # Errors
    /// What is wrong, to follow the name of the setting.
    pub fn parse(options: &str) -> Result<Self, String> {
        const WRONG: &str = "has `options` that are not as in \"-c search_path=crm\"";
        let mut read = Self::default();
        let mut words = words(options).into_iter();
        while let Some(word) = words.next() {
            let setting = match (word.strip_prefix("--"), word.strip_prefix("-c")) {
                (Some(setting), _) => setting.to_owned(),
                (None, Some("")) => words.next().ok_or(WRONG)?,
                (None, Some(setting)) => setting.to_owned(),
                (None, None) => return Err(WRONG.to_owned()),
            };
            let (name, value) = setting.split_once('=').ok_or(WRONG)?;
            let name = name.trim().replace('-', "_").to_ascii_lowercase();
            if name == "search_path" {
                read.search_path = Some(schemas(value)?);
            } else {
                read.others.push(name);
            }
        }
        Ok(read)
    }
}

/// `options` split at white space, which a backslash makes a part of a word.
fn words(options: &str) -> Vec<String> {
    let (mut words, mut word) = (Vec::new(), None::<String>);
    let mut letters = options.chars();
    while let Some(letter) = letters.next() {
        if letter.is_ascii_whitespace() {
            words.extend(word.take());
            continue;
        }
        let letter = match letter {
            '\\' => letters.next(),
            letter => Some(letter),
        };
        word.get_or_insert_default().extend(letter);
    }
    words.extend(word);
    words
}

/// The schemas of a list such as `crm, "Site", public`: what is not in quotes is in lower case
/// (`SplitIdentifierString` in utils/adt/varlena.c, PostgreSQL 15).
///
/// # Errors
/// What is wrong, to follow the name of the setting.
pub fn schemas(list: &str) -> Result<Vec<String>, String> {
    const WRONG: &str = "has a search_path that is not a list of names with commas between";
    let mut names = Vec::new();
    let mut rest = list.trim();
    while !rest.is_empty() || !names.is_empty() {
        let (name, after) = match rest.strip_prefix('"') {
            Some(quoted) => until_quote(quoted).ok_or(WRONG)?,
            None => {
                let end = rest
                    .find(|letter: char| letter == ',' || letter.is_whitespace())
                    .unwrap_or(rest.len());
                let (name, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
                (name.to_ascii_lowercase(), after)
            }
        };
        if name.is_empty() || name.contains(char::is_control) {
            return Err(WRONG.to_owned());
        }
        names.push(name);
        rest = match after.trim_start() {
            "" => break,
            after => after.strip_prefix(',').ok_or(WRONG)?.trim_start(),
        };
    }
    Ok(names)
}

/// The name up to the quote that ends it, and what follows.
fn until_quote(mut rest: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    loop {
        let (before, after) = rest.split_once('"')?;
        name.push_str(before);
        match after.strip_prefix('"') {
            Some(after) => {
                name.push('"');
                rest = after;
            }
            None => return Some((name, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As PostgreSQL 15 splits them.
    #[test]
    fn options_are_split_as_the_server_splits_them() {
        for (options, expected, others) in [
            ("-c search_path=crm", &["crm"][..], &[][..]),
            ("-csearch_path=crm,public", &["crm", "public"], &[]),
            ("--search-path=CRM", &["crm"], &[]),
            ("-c search_path=crm,\\ public", &["crm", "public"], &[]),
            ("-c search_path=\"Site\",\"a\"\"b\"", &["Site", "a\"b"], &[]),
            ("-c search_path=\"$user\",public", &["$user", "public"], &[]),
            ("-c search_path=a -c search_path=b", &["b"], &[]),
            (
                " -c  statement_timeout=5 -c search_path=a\t--TimeZone=UTC",
                &["a"],
                &["statement_timeout", "timezone"],
            ),
            ("-c search_path=", &[], &[]),
        ] {
            let read = SessionOptions::parse(options).unwrap();
            assert_eq!(read.search_path.unwrap(), expected, "{options}");
            assert_eq!(read.others, others, "{options}");
        }
        assert_eq!(SessionOptions::parse(" "), Ok(SessionOptions::default()));
        for options in [
            "-c",
            "search_path=a",
            "-c search_path",
            "-B 5",
            "-c search_path=a,",
            "-c search_path=,a",
            "-c search_path=a,,b",
            "-c search_path=\"a",
            "-c search_path=\"\"",
            "-c search_path=a\\ b",
            "-c search_path=\"a\"b",
        ] {
            assert!(SessionOptions::parse(options).is_err(), "{options}");
        }
    }
}
