//! Asserts what holds for whatever a site's own software prints, and for its files. Fuzz targets call
//! these functions, and the test below replays their corpora.
#![allow(clippy::unwrap_used)]

use crate::compare::protocol::{Gathering, LONGEST_LIST, Lines, MARK, read};
use crate::compare::{Account, Answer, Person};

/// The answers of `hallpass compare`'s other side: they are the same in one piece and byte by byte,
/// one a line, and nothing else that is printed is one. A list holds no more than its lines say.
pub fn compare_answers(input: &[u8]) {
    let mut whole = Lines::default();
    let Ok(answers) = whole.push(input) else {
        return;
    };
    let mut parts = Lines::default();
    let mut again = Vec::new();
    for byte in input {
        again.extend(parts.push(&[*byte]).unwrap());
    }
    assert_eq!(answers, again);
    let marked = input.split(|byte| *byte == b'\n');
    let marked: Vec<_> = marked.filter(|line| line.starts_with(MARK)).collect();
    assert!(answers.len() <= marked.len());
    let mut list = Gathering::new(LONGEST_LIST);
    let mut told = 0;
    for (answer, line) in answers.iter().zip(marked) {
        assert_eq!(answer.as_slice(), line);
        let _ = read::<Answer<Account>>(answer);
        let _ = read::<Answer<Person>>(answer);
        told += line.len();
        match list.push(answer) {
            Ok(None) => {}
            Ok(Some(Answer::Given {
                answer: Some(listing),
                ..
            })) => {
                assert!(listing.accounts.names.len() + listing.sessions.len() <= told);
                told = 0;
            }
            // Half a list is none.
            Ok(Some(_)) | Err(_) => {
                (list, told) = (Gathering::new(LONGEST_LIST), 0);
            }
        }
    }
}

/// A php.ini, and a pool of php-fpm. How many settings there are.
pub fn php_ini(input: &[u8]) -> usize {
    std::str::from_utf8(input).map_or(0, crate::php::fuzzed_ini)
}

/// A `.env`: comments and blank lines after it change nothing, and no value is longer than the limit.
/// How many variables there are.
pub fn environments(input: &[u8]) -> usize {
    let Ok(text) = std::str::from_utf8(input) else {
        return 0;
    };
    crate::laravel::fuzzed_environment(text) + crate::init::environment::fuzzed(text)
}

#[cfg(test)]
#[path = "../../../tests/fuzz/replay.rs"]
mod replay;

#[test]
fn properties_hold_for_the_corpora() {
    replay::replay("compare_answers", compare_answers);
    let found = replay::replay("php_ini", php_ini);
    assert!(found.iter().sum::<usize>() > 10);
    let found = replay::replay("environments", environments);
    assert!(found.len() > 20 && found.iter().sum::<usize>() > 40);
}
