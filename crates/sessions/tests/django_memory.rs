//! What reading holds at a time, measured: an allocator counts. On a small stack.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may fail so"
)]

mod allocations;

mod django_bombs;

use allocations::most_at_a_time;
use django_bombs::Bomb;

const MOST: usize = 16 << 20;

#[test]
fn no_input_of_a_mebibyte_has_a_reader_hold_sixteen_or_recurse() {
    // A stack that no recursion goes far on.
    let thread = std::thread::Builder::new().stack_size(256 << 10);
    thread.spawn(read_all).unwrap().join().unwrap();
}

fn read_all() {
    let bombs = django_bombs::bombs();
    let (mut worst, mut worst_name, mut logins) = (0, String::new(), 0);
    assert!(bombs.len() > 130, "{}", bombs.len());
    for Bomb { name, input, read } in bombs {
        let held = most_at_a_time(|| logins += read(&input));
        assert!(held <= MOST, "{name}: {held} bytes");
        if held > worst {
            (worst, worst_name) = (held, name);
        }
    }
    println!("at most {worst} bytes, for {worst_name}; {logins} logins");
    // The count works: something is inflated in whole. And some bombs are sessions after all.
    assert!(
        worst > 4 << 20 && logins > 3,
        "{worst} bytes, {logins} logins"
    );
}
