//! Bytes that grow, and may have a password in them.

use zeroize::Zeroizing;

/// Adds `more` to `bytes`. Growing in place would leave a copy of them behind.
pub fn append(bytes: &mut Zeroizing<Vec<u8>>, more: &[u8]) {
    let needed = bytes.len() + more.len();
    if needed > bytes.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity(needed.next_power_of_two()));
        larger.extend_from_slice(bytes);
        *bytes = larger;
    }
    bytes.extend_from_slice(more);
}
