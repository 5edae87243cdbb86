//! Writes bytes in lower-case hexadecimal, as frameworks write digests.

use zeroize::Zeroizing;

/// `bytes` in lower-case hexadecimal.
pub(crate) fn hexadecimal(bytes: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(2 * bytes.len()));
    text.extend(
        bytes
            .iter()
            .flat_map(|byte| [byte >> 4, byte & 15].map(digit)),
    );
    text
}

fn digit(nibble: u8) -> char {
    let first = if nibble < 10 { b'0' } else { b'a' - 10 };
    char::from(first + nibble)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_written_as_the_standard_library_writes_them() {
        let all: Vec<u8> = (0..=u8::MAX).collect();
        let expected: String = all.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(*hexadecimal(&all), expected);
        assert_eq!(*hexadecimal(b""), "");
    }
}
