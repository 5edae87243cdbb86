//! Encodes an entry of systemd's journal, as its native protocol has it.
//!
//! An entry is one datagram of fields (systemd's `docs/JOURNAL_NATIVE_PROTOCOL.md`). A value on one
//! line is written as `NAME=value`. A value that contains a line feed would end there, and what
//! follows would be read as another field: it is written with its length instead.

/// An entry, to which fields are added one by one.
#[derive(Debug, Default)]
pub(super) struct Entry {
    datagram: Vec<u8>,
}

impl Entry {
    /// Adds a field. `name` consists of capital letters, digits and underscores, and begins with a
    /// letter.
    pub(super) fn field(&mut self, name: &str, value: &str) {
        self.datagram.extend_from_slice(name.as_bytes());
        if value.contains('\n') {
            self.datagram.push(b'\n');
            let length = value.len() as u64;
            self.datagram.extend_from_slice(&length.to_le_bytes());
        } else {
            self.datagram.push(b'=');
        }
        self.datagram.extend_from_slice(value.as_bytes());
        self.datagram.push(b'\n');
    }

    /// Adds a field of the log's own: `user` is named `HALLPASS_USER`.
    pub(super) fn own_field(&mut self, key: &str, value: &str) {
        self.field(&format!("HALLPASS_{}", key.to_ascii_uppercase()), value);
    }

    /// The datagram.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.datagram
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads fields as journald does: by the next line feed, or by the length.
    fn read(mut datagram: &[u8]) -> Vec<(String, Vec<u8>)> {
        let mut fields = Vec::new();
        while !datagram.is_empty() {
            let end = datagram.iter().position(|byte| *byte == b'\n').unwrap();
            let line = &datagram[..end];
            datagram = &datagram[end + 1..];
            if let Some(equals) = line.iter().position(|byte| *byte == b'=') {
                let name = String::from_utf8(line[..equals].to_vec()).unwrap();
                fields.push((name, line[equals + 1..].to_vec()));
            } else {
                let name = String::from_utf8(line.to_vec()).unwrap();
                let length = u64::from_le_bytes(datagram[..8].try_into().unwrap()) as usize;
                fields.push((name, datagram[8..8 + length].to_vec()));
                assert_eq!(datagram[8 + length], b'\n');
                datagram = &datagram[9 + length..];
            }
        }
        fields
    }

    #[test]
    fn the_example_of_the_protocol_is_written_the_same() {
        let mut entry = Entry::default();
        entry.field("MESSAGE", "one\ntwo");
        entry.field("PRIORITY", "6");
        let expected = b"MESSAGE\n\x07\0\0\0\0\0\0\0one\ntwo\nPRIORITY=6\n";
        assert_eq!(entry.bytes(), expected);
    }

    #[test]
    fn a_value_cannot_add_a_field() {
        let hostile = [
            "eve\nHALLPASS_VERDICT=granted",
            "\n",
            "\n\n",
            "eve\n",
            "\nHALLPASS_USER\n\x05\0\0\0\0\0\0\0alice\n",
            "a=b",
            "=",
            "",
            "eve\r\u{85}\u{2028}",
            "\0",
            "zoë\u{1f600}\nx",
        ];
        for value in hostile {
            let mut entry = Entry::default();
            entry.own_field("user", value);
            entry.own_field("verdict", "denied");
            let expected = [
                ("HALLPASS_USER".to_owned(), value.as_bytes().to_vec()),
                ("HALLPASS_VERDICT".to_owned(), b"denied".to_vec()),
            ];
            assert_eq!(read(entry.bytes()), expected, "{value:?}");
        }
    }
}
