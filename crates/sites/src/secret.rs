//! Reads secrets of the configuration.

use hallpass_settings::{Error, SecretSource, Table};

use crate::Secret;

/// The secret that stands at `key` of `table`; `None` where there is none.
///
/// # Errors
/// [`Error`] when the file or the variable that it is in cannot be read.
pub fn secret(
    table: &Table<'_>,
    key: &str,
    source: Option<SecretSource>,
) -> Result<Option<Secret>, Error> {
    let Some(source) = source else {
        return Ok(None);
    };
    let bytes = table.secret(key, source)?;
    Ok(bytes.map(|mut bytes| Secret::new(std::mem::take(&mut *bytes))))
}
