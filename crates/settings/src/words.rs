//! Finds the known word that is nearest to an unknown one.

/// What is wrong with the unknown key `key`, where the `known` ones may stand.
pub(crate) fn unknown_key<'a>(key: &str, known: impl Iterator<Item = &'a str>) -> String {
    nearest(key, known, 2 + key.len() / 3).map_or_else(
        || "no such key; it is not known here".to_owned(),
        |near| format!("no such key; did you mean `{near}`?"),
    )
}

/// What is wrong with `word`, which is none of the `known`. It is quoted only where it comes near
/// one of them: anything else could be a secret in the wrong place.
pub(crate) fn unknown_word(word: &str, known: &[&str]) -> String {
    let all = quoted(known);
    match nearest(word, known.iter().copied(), 1 + word.len() / 4) {
        Some(near) => format!(
            "unknown {word:?}; did you mean {near:?}? Known: {}",
            all.join(", ")
        ),
        None => match all.as_slice() {
            [one] => format!("is not {one}"),
            [one, other] => format!("is neither {one} nor {other}"),
            _ => format!("is none of {}", all.join(", ")),
        },
    }
}

/// What is wrong with a list that holds anything but `known` words.
pub(crate) fn may_hold(known: &[&str]) -> String {
    match quoted(known).as_slice() {
        [first @ .., last] if !first.is_empty() => {
            format!("may hold {} and {last}", first.join(", "))
        }
        all => format!("may hold {}", all.join(", ")),
    }
}

fn quoted(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| format!("\"{word}\"")).collect()
}

fn nearest<'a>(
    word: &str,
    known: impl Iterator<Item = &'a str>,
    farthest: usize,
) -> Option<&'a str> {
    // Longer ones are no slips of the pen, and comparing them takes as long as they are.
    if word.len() > 64 {
        return None;
    }
    known
        .map(|known| (distance(known, word), known))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= farthest)
        .map(|(_, known)| known)
}

/// How many letters must be put in, left out, replaced or swapped with their neighbour to make one
/// word of the other (optimal string alignment).
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=other.len()).collect()];
    let at = |rows: &[Vec<usize>], row: usize, column: usize| -> usize {
        rows.get(row)
            .and_then(|row| row.get(column))
            .copied()
            .unwrap_or(usize::MAX / 2)
    };
    for (i, a) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let left = row.last().copied().unwrap_or_default();
            let replaced = at(&rows, i, j) + usize::from(a != b);
            let mut best = replaced.min(left + 1).min(at(&rows, i, j + 1) + 1);
            if i > 0 && j > 0 && one.get(i - 1) == Some(b) && other.get(j - 1) == Some(a) {
                best = best.min(at(&rows, i - 1, j - 1) + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    at(&rows, one.len(), other.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_so_far_apart() {
        for (one, other, expected) in [
            ("secret_key", "secret_key", 0),
            ("sercet_key", "secret_key", 1),
            ("secretkey", "secret_key", 1),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(one, other), expected, "{one} {other}");
        }
    }

    #[test]
    fn an_unknown_word_is_quoted_only_near_a_known_one() {
        for (word, expected) in [
            (
                "jango",
                "unknown \"jango\"; did you mean \"django\"? Known: \"django\", \"php\"",
            ),
            ("rails-on-rails", "is neither \"django\" nor \"php\""),
        ] {
            assert_eq!(unknown_word(word, &["django", "php"]), expected);
        }
    }
}
