//! Bytes that grow, and may have a password in them.

use zeroize::{Zeroize, Zeroizing};

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

/// Takes the first `count` of `bytes` away. Draining would leave a copy of what moved up behind, in
/// room that is not theirs any more.
pub fn drop_front(bytes: &mut Zeroizing<Vec<u8>>, count: usize) {
    let count = count.min(bytes.len());
    bytes.copy_within(count.., 0);
    let left = bytes.len() - count;
    if let Some(behind) = bytes.get_mut(left..) {
        behind.zeroize();
    }
    bytes.truncate(left);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_front_is_dropped() {
        for (count, left) in [(0, &b"abcdef"[..]), (2, b"cdef"), (6, b""), (9, b"")] {
            let mut bytes = Zeroizing::new(b"abcdef".to_vec());
            drop_front(&mut bytes, count);
            assert_eq!(**bytes, *left);
        }
    }
}
