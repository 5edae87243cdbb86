//! Makes up names, tokens and passwords that are no account's, and takes samples.

use hallpass_core::Secret;

/// Up to `count` of `values`, spread over all of them.
pub fn spread<T>(values: &[T], count: usize) -> Vec<&T> {
    let step = values.len().div_ceil(count.max(1)).max(1);
    values.iter().step_by(step).collect()
}

/// A name that is like `name`, and may be no account's.
pub fn other_name(name: &str, index: usize, folds: bool) -> String {
    match index % 4 {
        0 if !folds => swapped_case(name),
        1 => format!("{name} "),
        2 => format!(" {name}"),
        _ => format!("{name}-hallpass"),
    }
}

fn swapped_case(name: &str) -> String {
    let swap = |char: char| -> String {
        if char.is_lowercase() {
            char.to_uppercase().collect()
        } else {
            char.to_lowercase().collect()
        }
    };
    name.chars().map(swap).collect()
}

/// A token that is like `token`, and may be no session's.
pub fn changed_token(token: &[u8], index: usize) -> Vec<u8> {
    let mut changed = token.to_vec();
    match index % 4 {
        0 => {
            if let Some(last) = changed.last_mut() {
                *last = if *last == b'a' { b'b' } else { b'a' };
            }
        }
        1 => {
            if let Some(first) = changed.first_mut() {
                *first = if *first == b'a' { b'b' } else { b'a' };
            }
        }
        2 => changed.make_ascii_uppercase(),
        _ => drop(changed.pop()),
    }
    changed
}

/// A password that no account has.
pub fn made_up_password() -> Secret {
    let mut bytes = [0; 16];
    // What is not random is no account's password either.
    let _ = getrandom::fill(&mut bytes);
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Secret::new(format!("hallpass compare {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_spread_over_all() {
        let values: Vec<usize> = (0..10).collect();
        assert_eq!(spread(&values, 5), [&0, &2, &4, &6, &8]);
        assert_eq!(spread(&values, 100).len(), 10);
        assert_eq!(spread(&values, 1), [&0]);
        assert!(spread(&values, 3).len() <= 3);
        assert!(spread(&[] as &[usize], 5).is_empty());
    }

    #[test]
    fn changed_tokens_are_other_tokens() {
        for index in 0..4 {
            let token = b"wx2jf0wyz4bp6qno41ijf9k1ueqqmv2a";
            assert_ne!(changed_token(token, index), token, "{index}");
            assert!(changed_token(b"", index).is_empty());
        }
    }

    #[test]
    fn other_names_are_other_names() {
        for index in 0..4 {
            assert_ne!(other_name("Élodie", index, false), "Élodie", "{index}");
            let folded = other_name("alice", index, true);
            assert_ne!(folded.to_lowercase(), "alice", "{index}");
        }
    }
}
