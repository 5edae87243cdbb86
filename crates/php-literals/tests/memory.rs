//! No file takes more than 16 MiB to read, or much of the stack. The files are as large as they may
//! be; what is larger is not read.
#![allow(clippy::unwrap_used, reason = "a test may fail so")]

#[path = "../../sessions/tests/allocations/mod.rs"]
mod allocations;

use allocations::most_at_a_time;
use hallpass_php_literals::read;

/// What everything here may take at a time, beside the input.
const LIMIT: usize = 16 << 20;
const FILE: usize = 128 << 10;

fn measure(name: &str, read: impl FnOnce()) -> usize {
    let taken = most_at_a_time(read);
    assert!(taken <= LIMIT, "{name}: {taken} bytes");
    taken
}

/// As many parts as fit.
fn fill(head: &str, part: &str, tail: &str) -> Vec<u8> {
    let count = (FILE - head.len() - tail.len()) / part.len();
    [head, &part.repeat(count), tail].concat().into_bytes()
}

/// As many numbered parts as fit.
fn fill_with(head: &str, part: impl Fn(usize) -> String) -> Vec<u8> {
    let mut bomb = head.to_owned();
    for number in 0.. {
        let part = part(number);
        if bomb.len() + part.len() > FILE {
            break;
        }
        bomb.push_str(&part);
    }
    bomb.into_bytes()
}

fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let half = |open: &str, close: &str| {
        let count = (FILE - 16) / (open.len() + close.len());
        [
            "<?php $a = ",
            &open.repeat(count),
            &close.repeat(count),
            ";",
        ]
        .concat()
        .into_bytes()
    };
    vec![
        ("open arrays", fill("<?php $a = ", "[", "")),
        ("nested arrays", half("[", "]")),
        ("nested calls of array", half("array(", ")")),
        ("nested brackets", half("(", ")")),
        ("negations", fill("<?php $a = ", "-", "1;")),
        ("denials", fill("<?php $a = ", "!", "1;")),
        ("references", fill("<?php $a = ", "&", "$b;")),
        ("open braces", fill("<?php ", "{", "")),
        ("branches", fill("<?php ", "if (1) ", ";")),
        ("branches with braces", fill("<?php ", "if (1) {", "")),
        ("functions", fill("<?php ", "function () {", "")),
        ("classes", fill("<?php ", "class A {", "")),
        ("variables", fill_with("<?php ", |n| format!("$a{n}=1;"))),
        ("one variable", fill("<?php ", "$a=1;", "")),
        ("mentions", fill_with("<?php f(", |n| format!("$a{n},"))),
        (
            "constants",
            fill_with("<?php ", |n| format!("const A{n}=1;")),
        ),
        (
            "properties",
            fill_with("<?php class JConfig {", |n| format!("var $a{n}=1;")),
        ),
        ("elements", fill("<?php $a = [", "1,", "];")),
        ("keys", fill_with("<?php $a = [", |n| format!("{n}=>1,"))),
        ("texts", fill("<?php $a = [", "'',", "];")),
        ("concatenations", fill("<?php $a = ''", ".''", ";")),
        ("one text", fill("<?php $a = '", "a", "';")),
        ("an escaped text", fill("<?php $a = \"", "\\n", "\";")),
        (
            "wide characters",
            fill("<?php $a = \"", "\\u{10ffff}", "\";"),
        ),
        ("a text in parts", fill("<?php $a = \"", "{$a}", "\";")),
        ("open texts in parts", fill("<?php $a = \"", "{$a[\"", "")),
        ("a heredoc", fill("<?php $a = <<<X\n", "  a\n", "  X;")),
        ("heredocs", fill("<?php ", "$a = <<<X\nX;\n", "")),
        ("digits", fill("<?php $a = ", "9", ";")),
        ("comments", fill("<?php ", "/**/", "")),
        ("tags", fill("", "<?php ?>", "")),
        ("nothing but text", fill("", "text ", "")),
        ("semicolons", fill("<?php ", ";", "")),
        ("operators", fill("<?php $a = 1", "+1", ";")),
        ("assignments", fill("<?php ", "$a=", "1;")),
        ("questions", fill("<?php $a = ", "1?1:", "1;")),
        ("arrows", fill("<?php $a", "->a", " = 1;")),
        ("attributes", fill("<?php ", "#[A]", "")),
        ("dollars", fill("<?php ", "$", "a = 1;")),
        ("names", fill("<?php ", "a\\", "b();")),
        ("NULs", vec![0; FILE]),
        ("bytes beyond ASCII", vec![0xff; FILE]),
    ]
}

// One test alone: the count is of the whole process.
#[test]
fn nothing_takes_more_than_16_mib() {
    let room = std::thread::Builder::new().stack_size(256 << 10);
    let test = || {
        let mut most = (0, "");
        for (name, bomb) in bombs() {
            let taken = measure(name, || {
                if let Ok(literals) = read(&bomb) {
                    let _ = literals.variable("a");
                    let _ = literals.property("JConfig", "a");
                }
            });
            most = most.max((taken, name));
        }
        println!("the most: {most:?}");
        assert!(most.0 > 1 << 20, "nothing was counted");
        let megabyte = 1 << 20;
        let larger = measure("a larger file", || drop(read(&vec![b' '; megabyte])));
        assert!(read(&vec![b' '; FILE + 1]).is_err() && larger < 2 * megabyte);
    };
    room.spawn(test).unwrap().join().unwrap();
}
