//! PHP files read as PHP runs them: `tests/vectors/php_literals.php` says how.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may fail so"
)]

use hallpass_php_literals::{Key, Literal, Literals, NotLiteral, read};
use serde_json::Value;

const VECTORS: &str = include_str!("data/php_literals.json");

fn bytes(hexadecimal: &Value) -> Vec<u8> {
    let digits = hexadecimal.as_str().unwrap();
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(byte).collect()
}

fn is_integer(php: &Value, number: i64) -> bool {
    php["integer"].as_str() == Some(number.to_string().as_str())
}

/// Whether what was read is what PHP has.
fn same(literal: &Literal, php: &Value) -> bool {
    match literal {
        Literal::Text(text) => match php.get("bytes") {
            Some(hexadecimal) => **text == bytes(hexadecimal),
            None => php["text"]
                .as_str()
                .is_some_and(|php| php.as_bytes() == **text),
        },
        Literal::Integer(number) => is_integer(php, *number),
        Literal::Float(number) => {
            let php = php["float"].as_str().map(|php| php.parse::<f64>().unwrap());
            php.is_some_and(|php| php.to_bits() == number.to_bits())
        }
        Literal::Boolean(boolean) => php["boolean"] == *boolean,
        Literal::Null => php["null"] == true,
        Literal::Array(array) => php["array"].as_array().is_some_and(|php| {
            let same_key = |key: &Key, php: &Value| match key {
                Key::Integer(number) => is_integer(php, *number),
                Key::Text(text) => php["text"]
                    .as_str()
                    .is_some_and(|php| php.as_bytes() == *text),
            };
            array.len() == php.len()
                && array
                    .iter()
                    .zip(php)
                    .all(|((key, value), php)| same_key(key, &php[0]) && same(value, &php[1]))
        }),
    }
}

/// `variable[key][key]`.
fn split(name: &str) -> (&str, Vec<&str>) {
    let mut parts = name.split('[').map(|part| part.trim_end_matches(']'));
    (parts.next().unwrap_or_default(), parts.collect())
}

/// What PHP has at `$variable[key][key]`.
fn in_php<'a>(expected: &'a Value, name: &str) -> Option<&'a Value> {
    let (variable, keys) = split(name);
    keys.iter().try_fold(&expected[variable], |array, key| {
        let is_key = |pair: &&Value| pair[0]["text"] == **key || pair[0]["integer"] == **key;
        let pair = array["array"].as_array()?.iter().find(is_key)?;
        Some(&pair[1])
    })
}

fn look_up<'a>(literals: &'a Literals, name: &str) -> Result<Option<&'a Literal>, NotLiteral> {
    if let Some(name) = name.strip_prefix('$') {
        let (name, keys) = split(name);
        literals.element(name, &keys)
    } else if let Some(name) = name.strip_prefix("JConfig::") {
        literals.property("JConfig", name)
    } else {
        literals.constant(name)
    }
}

#[test]
fn no_value_is_read_that_php_does_not_have() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let (mut read_right, mut refused, mut wrong) = (0, 0, Vec::new());
    for case in vectors["cases"].as_array().unwrap() {
        let source = bytes(&case["source"]);
        let shown = || format!("{}: {}", case["note"], String::from_utf8_lossy(&source));
        let names = |key: &str| -> Vec<String> {
            let names = case[key].as_array().unwrap().iter();
            names
                .map(|name| name.as_str().unwrap().to_owned())
                .collect()
        };
        let literals = match read(&source) {
            Ok(literals) => literals,
            Err(error) => {
                if !case["expected"].is_null() {
                    wrong.push(format!("{error} {}", shown()));
                }
                refused += 1;
                continue;
            }
        };
        for name in names("literal") {
            match look_up(&literals, &name) {
                Ok(Some(literal)) => {
                    let php = in_php(&case["expected"], &name);
                    if name.contains('[') && !php.is_some_and(|php| same(literal, php)) {
                        wrong.push(format!("{name} is not PHP's in {}", shown()));
                    }
                }
                _ => wrong.push(format!("{name} is not read in {}", shown())),
            }
        }
        for name in names("computed") {
            if look_up(&literals, &name).is_ok() {
                wrong.push(format!("{name} is read in {}", shown()));
            }
        }
        for (name, php) in case["expected"].as_object().into_iter().flatten() {
            match look_up(&literals, name) {
                Ok(Some(literal)) if same(literal, php) => read_right += 1,
                Ok(Some(_)) => wrong.push(format!("{name} is not {php} in {}", shown())),
                Ok(None) => {}
                Err(_) => refused += 1,
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{}:\n{}",
        wrong.len(),
        wrong.join("\n---\n")
    );
    assert!(read_right > 500 && refused > 100, "{read_right} {refused}");
}

#[test]
fn what_is_not_a_literal_is_told_by_its_line() {
    let source = b"<?php\n\n$a = 'a';\n$b =\n getenv('B');\nclass JConfig {\n public $c = C;\n}\n";
    let literals = read(source).unwrap();
    assert_eq!(literals.variable("b"), Err(NotLiteral { line: 4 }));
    assert_eq!(
        literals.property("JConfig", "c"),
        Err(NotLiteral { line: 7 })
    );
    assert_eq!(literals.property("JConfig", "d"), Ok(None));
    assert_eq!(literals.variable("absent"), Ok(None));
    assert!(literals.variable("a").unwrap().is_some());
    let message = literals.variable("b").unwrap_err().to_string();
    assert!(message.starts_with("line 4: "), "{message}");
    assert_eq!(read(b"<?php\n$a = 1;\n$b = 'x\n").unwrap_err().line, 3);
}

#[test]
fn passwords_are_not_shown() {
    let source = b"<?php $dbpasswd = 'geheim'; class JConfig { public $a = ['k' => 'geheim']; }";
    let literals = read(source).unwrap();
    assert!(literals.variable("dbpasswd").unwrap().is_some());
    assert!(!format!("{literals:?}").contains("geheim"));
}

#[test]
fn no_file_panics_or_hangs() {
    let sound = b"<?php /* c */ class JConfig { public ?string $a = 'x', $b = \"y\\u{41}{$z}\"; }\n$c = \
        array('k' => [1, -2.5e3], 3 => <<<E\n  t\n  E); define('D', true); if ($c): $e = `f`; endif ?>";
    for length in 0..sound.len() {
        let _ = read(&sound[..length]);
        for byte in 0..=255 {
            let mut damaged = sound.to_vec();
            damaged[length] = byte;
            let _ = read(&damaged);
        }
    }
    let fill =
        |part: &str| format!("<?php {}", part.repeat(((128 << 10) - 6) / part.len())).into_bytes();
    let parts = [
        "[",
        "(",
        "{",
        "$a=[",
        "$a=array(",
        "]",
        "'",
        "\"",
        "`",
        "<<<A\n",
        "<<<A\n\n",
        "/*",
        "//",
        "#[",
        "?>",
        "<?php ",
        "?><?php ",
        "$",
        "$a",
        "$a=",
        "$a=1;",
        "$a='x'.",
        "-",
        "$a=-",
        "if(1):",
        "else:",
        "endif;",
        "class A{",
        "final ",
        "abstract final ",
        "....",
        "eval;$a=1;",
        "class A{public $a=1;}",
        "eval;",
        "$a;",
        "9",
        "9_",
        ".",
        "0x",
        "1e",
        "\\",
        "\"\\u{",
        "define('A',",
        "'x',",
        "$a=[1,1,1,1,1,1,1,1,1,1];",
        "const A=1,",
        "\n",
        "\0",
        "\u{e9}",
        "<<<",
        "<<<A",
        "$a=1 ?>",
        "$a['x']=1;",
        "$a['x']=f();",
        "$a[",
        "$a['b']",
        "$a[]=1;",
        "$a['b']=$c;",
    ];
    for part in parts {
        let file = fill(part);
        let ask = move || drop(read(&file));
        let thread = std::thread::Builder::new().stack_size(256 << 10).spawn(ask);
        thread.unwrap().join().unwrap();
    }
    let many = |value: &str| {
        let one = |n: usize| format!("$a['k{n}']={value};");
        format!(
            "<?php {} $b = 'b';",
            (0..5_000).map(one).collect::<String>()
        )
    };
    for value in ["1", "f()"] {
        let literals = read(many(value).as_bytes()).unwrap();
        assert!(literals.element("a", &["k1"]).is_err());
        assert!(literals.element("b", &["k1"]) == Ok(None) && literals.variable("b").is_ok());
    }
    let list = format!("<?php $a = [{}]; $b = 'b';", "1,".repeat(60_000));
    let literals = read(list.as_bytes()).unwrap();
    assert!(literals.variable("a").is_err() && literals.variable("b").is_ok());
    assert!(read(&vec![b' '; (128 << 10) + 1]).is_err());
}
