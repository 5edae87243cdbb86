//! Reads what PHP's `serialize` writes (`php_var_unserialize_internal` in
//! ext/standard/var_unserializer.re, 8.2; the same grammar since 5.0, with `E:` since 8.1).
//!
//! | bytes | value |
//! |---|---|
//! | `N;` `b:1;` `i:-7;` `d:0.5;` `d:INF;` | null, boolean, integer, float |
//! | `s:3:"abc";` | a string: so many bytes between the quotes, whatever they are |
//! | `S:3:"a\62c";` | the same with bytes in hexadecimal, which PHP 5 and 6 could write |
//! | `a:1:{` key value `}` | an array; keys are `i:` or `s:` |
//! | `O:3:"Foo":1:{` key value `}` | an object; names of hidden properties begin with NUL |
//! | `C:3:"Foo":5:{` 5 bytes `}` | an object that wrote itself down (`Serializable`) |
//! | `E:5:"Foo:A";` | an enum case |
//! | `R:2;` | a PHP reference to the second value |
//! | `r:2;` | the object that the second value is |
//!
//! References count values, not keys: each takes a number as it begins, `r:` too, but not `R:`.
//! What an object wrote down itself with a nested `serialize` goes on with the numbers of the text
//! around it, and what comes after goes on from there; without the class it cannot be told whether
//! it did, so references to what comes after an object of `C:` are [`Value::Lost`].
//!
//! The `o:` of PHP 3, an object without a class, is refused, as PHP 8 does.

use super::lexer::{Reader, number};
use super::path;
use super::tree::{Failure, Id, Key, Numbering, Packed, Span, Tree, Value};

/// Reads `text` as one value, to the end.
pub(super) fn read(text: &[u8], numbering: Numbering) -> Result<Tree<'_>, Failure> {
    let mut tree = Tree::new(text, numbering)?;
    let mut reader = Reader::new(text);
    reader.value(&mut tree, Key::Unreachable, None, 0)?;
    reader.end()?;
    Ok(tree)
}

/// An array or an object that is being read.
struct Open {
    id: Id,
    /// How many values are still to come.
    left: u64,
    object: bool,
}

impl<'a> Reader<'a> {
    /// Reads one value and all that is in it, `depth` levels down, under `key` of `parent`.
    pub(super) fn value(
        &mut self,
        tree: &mut Tree<'a>,
        mut key: Key,
        parent: Option<Id>,
        depth: usize,
    ) -> Result<(), Failure> {
        let mut open: Vec<Open> = Vec::new();
        loop {
            let holder = open.last().map(|open| open.id).or(parent);
            if let Some(opened) = self.one(tree, key, holder, depth + open.len())? {
                open.push(opened);
            }
            loop {
                let Some(innermost) = open.last_mut() else {
                    return Ok(());
                };
                if innermost.left > 0 {
                    innermost.left -= 1;
                    key = self.key(tree, innermost.object)?;
                    break;
                }
                self.word(b"}")?;
                tree.close(innermost.id);
                open.pop();
            }
        }
    }

    /// Reads a scalar whole, and an array or an object up to its first key.
    fn one(
        &mut self,
        tree: &mut Tree<'a>,
        key: Key,
        holder: Option<Id>,
        depth: usize,
    ) -> Result<Option<Open>, Failure> {
        let mut opened = None;
        let value = match self.byte()? {
            b'N' => self.word(b";").map(|()| Value::Null)?,
            b'R' => {
                // The one value that takes no number.
                let value = self.reference(tree)?;
                if let (Value::Reference(target), Some(holder)) = (value, holder)
                    && refers_to_its_own_place(tree, target, key, holder, depth)
                {
                    return Err(Failure::Broken("a reference to itself"));
                }
                tree.push(key, value, depth)?;
                return Ok(None);
            }
            kind => {
                self.word(b":")?;
                match kind {
                    b'b' => match self.until(b';')? {
                        b"0" => Value::Boolean(false),
                        b"1" => Value::Boolean(true),
                        _ => return Err(Failure::Broken("a boolean that is neither")),
                    },
                    b'i' => Value::Integer(Packed::from_integer(self.integer()?)),
                    b'd' => Value::Float(Packed::from_float(self.float()?)),
                    b's' | b'S' => Value::Text(self.string(tree, kind)?),
                    b'a' => {
                        let left = self.count()?;
                        opened = Some((left, false));
                        Value::Array
                    }
                    b'O' => {
                        let class = self.class()?;
                        let left = self.count()?;
                        if left == 0 && has_properties(tree.bytes(class)) {
                            return Err(Failure::Broken("an object that misses its properties"));
                        }
                        opened = Some((left, true));
                        Value::Object(class)
                    }
                    b'C' => return self.custom(tree, key, depth).map(|()| None),
                    b'E' => {
                        self.enumeration()?;
                        Value::Enumeration
                    }
                    b'r' => self.reference_to_object(tree)?,
                    _ => return Err(Failure::Broken("a value of an unknown kind")),
                }
            }
        };
        let id = tree.push(key, value, depth)?;
        tree.take_slot(id);
        Ok(opened.map(|(left, object)| Open { id, left, object }))
    }

    fn key(&mut self, tree: &mut Tree<'a>, object: bool) -> Result<Key, Failure> {
        let kind = self.byte()?;
        self.word(b":")?;
        match kind {
            b'i' => Ok(Key::Integer(Packed::from_integer(self.integer()?))),
            b's' | b'S' => {
                let span = self.string(tree, kind)?;
                let number = path::integer(tree.bytes(span)).filter(|_| !object);
                let number = number.map(|number| Key::Integer(Packed::from_integer(number)));
                Ok(number.unwrap_or(Key::Text(span)))
            }
            _ => Err(Failure::Broken("a key is neither an integer nor a string")),
        }
    }

    fn string(&mut self, tree: &mut Tree<'a>, kind: u8) -> Result<Span, Failure> {
        if kind == b's' {
            let length = self.quoted(b";")?.len();
            let end = self.at - 2;
            return Ok(Span::new(end - length, end));
        }
        let length = self.length()?;
        self.word(b"\"")?;
        let mut unescaped = Vec::new();
        for _ in 0..length {
            let byte = match self.byte()? {
                b'\\' => {
                    let digits = self.bytes(2)?;
                    let hexadecimal = digits.iter().all(u8::is_ascii_hexdigit);
                    let digits = std::str::from_utf8(digits).ok().filter(|_| hexadecimal);
                    let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
                    byte.ok_or(Failure::Broken("an escape that is not hexadecimal"))?
                }
                byte => byte,
            };
            unescaped.push(byte);
        }
        self.word(b"\";")?;
        Ok(tree.keep(&unescaped))
    }

    /// A class name up to and with the colon after it.
    fn class(&mut self) -> Result<Span, Failure> {
        let name = self.quoted(b":")?;
        if !is_class_name(name) || is_never_read(name) {
            return Err(Failure::Broken("a class name is not valid"));
        }
        let end = self.at - 2;
        Ok(Span::new(end - name.len(), end))
    }

    fn custom(&mut self, tree: &mut Tree<'a>, key: Key, depth: usize) -> Result<(), Failure> {
        let class = self.class()?;
        let length = self.length()?;
        self.word(b"{")?;
        let start = self.at;
        let written = self.bytes(length)?;
        let theirs = written.is_empty() || written.starts_with(b"x:") || written.starts_with(b"i:");
        if has_properties(tree.bytes(class)) && !theirs {
            return Err(Failure::Broken(
                "an object that wrote down nothing that it reads",
            ));
        }
        let body = Span::new(start, self.at);
        self.word(b"}")?;
        let id = tree.push(key, Value::Custom(class), depth)?;
        tree.take_slot(id);
        tree.doubt_later_slots();
        tree.push(Key::Unreachable, Value::Text(body), depth + 1)?;
        tree.close(id);
        Ok(())
    }

    fn enumeration(&mut self) -> Result<(), Failure> {
        let name = self.quoted(b";")?;
        let colon = name.iter().position(|byte| *byte == b':');
        let class = colon.and_then(|colon| name.get(..colon));
        let case = colon.and_then(|colon| name.get(colon + 1..));
        let known = class.is_some_and(|class| is_class_name(class) && !is_never_read(class));
        if known && case.is_some_and(is_class_name) {
            return Ok(());
        }
        Err(Failure::Broken("an enum case is not valid"))
    }

    /// `:n;`, to any value before.
    fn reference(&mut self, tree: &Tree<'a>) -> Result<Value, Failure> {
        self.word(b":")?;
        self.target(tree)
    }

    /// `n;`, to an object before.
    fn reference_to_object(&mut self, tree: &Tree<'a>) -> Result<Value, Failure> {
        let target = self.target(tree)?;
        let Value::Reference(id) = target else {
            return Ok(target);
        };
        let is_object = |value| {
            matches!(
                value,
                Value::Object(_) | Value::Custom(_) | Value::Enumeration
            )
        };
        if tree.node(id).is_some_and(|node| is_object(node.value)) {
            return Ok(target);
        }
        Err(Failure::Broken(
            "a reference leads to something other than an object",
        ))
    }

    fn target(&mut self, tree: &Tree<'a>) -> Result<Value, Failure> {
        let number = number(self.until(b';')?);
        let target = number.and_then(|number| tree.target(number).filter(|_| number > 0));
        target.ok_or(Failure::Broken("a reference to no value"))
    }
}

/// Whether a second value under one key refers to the first: PHP has put the second in the place
/// of the first by then, and gives up.
fn refers_to_its_own_place(
    tree: &Tree<'_>,
    target: Id,
    key: Key,
    holder: Id,
    depth: usize,
) -> bool {
    tree.node(target).is_some_and(|node| {
        target > holder && usize::from(node.depth) == depth && tree.same_key(node.key, key)
    })
}

/// `zend_is_valid_class_name` in Zend/zend_execute_API.c, without the leading backslash that
/// `unserialize` refuses.
fn is_class_name(name: &[u8]) -> bool {
    let valid = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'\\' | 0x80..);
    !name.is_empty() && !name.starts_with(b"\\") && name.iter().all(valid)
}

/// Classes of PHP's own at which `unserialize` throws, as PHP 8.2 said of each, so that the whole
/// session is destroyed: not to be serialized, or an interface, or abstract. None is an enum. What
/// the site's own classes and enums do cannot be told from here.
#[rustfmt::skip]
const NEVER: [&[u8]; 59] = [
    b"ArrayAccess", b"BackedEnum", b"Closure", b"Countable", b"DateTimeInterface",
    b"DirectoryIterator", b"Fiber", b"FilesystemIterator", b"FilterIterator", b"Generator",
    b"GlobIterator", b"InternalIterator", b"Iterator", b"IteratorAggregate", b"JsonSerializable",
    b"OuterIterator", b"Random\\CryptoSafeEngine", b"Random\\Engine", b"Random\\Engine\\Secure",
    b"RecursiveDirectoryIterator", b"RecursiveFilterIterator", b"RecursiveIterator",
    b"ReflectionAttribute", b"ReflectionClass", b"ReflectionClassConstant", b"ReflectionEnum",
    b"ReflectionEnumBackedCase", b"ReflectionEnumUnitCase", b"ReflectionExtension",
    b"ReflectionFiber", b"ReflectionFunction", b"ReflectionFunctionAbstract",
    b"ReflectionGenerator", b"ReflectionIntersectionType", b"ReflectionMethod",
    b"ReflectionNamedType", b"ReflectionObject", b"ReflectionParameter", b"ReflectionProperty",
    b"ReflectionReference", b"ReflectionType", b"ReflectionUnionType", b"ReflectionZendExtension",
    b"Reflector", b"SeekableIterator", b"SensitiveParameterValue", b"Serializable", b"SplFileInfo",
    b"SplFileObject", b"SplHeap", b"SplObserver", b"SplSubject", b"SplTempFileObject",
    b"Stringable", b"Throwable", b"Traversable", b"UnitEnum", b"WeakMap", b"WeakReference",
];

/// Classes of PHP's own that are read only from what they wrote themselves, which is never nothing.
#[rustfmt::skip]
const OF_DATA: [&[u8]; 16] = [
    b"ArrayIterator", b"ArrayObject", b"DatePeriod", b"DateTime", b"DateTimeImmutable",
    b"DateTimeZone", b"HashContext", b"Random\\Engine\\Mt19937",
    b"Random\\Engine\\PcgOneseq128XslRr64", b"Random\\Engine\\Xoshiro256StarStar",
    b"Random\\Randomizer", b"RecursiveArrayIterator", b"SplDoublyLinkedList", b"SplObjectStorage",
    b"SplQueue", b"SplStack",
];

/// Whether no object is ever of the class, and no enum is called so.
pub(super) fn is_never_read(class: &[u8]) -> bool {
    NEVER.iter().any(|name| name.eq_ignore_ascii_case(class))
}

/// Whether an object of the class has properties.
fn has_properties(class: &[u8]) -> bool {
    OF_DATA.iter().any(|name| name.eq_ignore_ascii_case(class))
}
