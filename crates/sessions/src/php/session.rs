//! Reads the bytes of a session, by any of PHP's handlers, as values.

use super::igbinary;
use super::lexer::Reader;
use super::serialize;
use super::tree::{Failure, Key, Numbering, Span, Tree, Value};

/// How PHP turned `$_SESSION` into bytes, as `session.serialize_handler` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handler {
    /// `php`, PHP's default: `key|value` after `key|value`.
    Php,
    /// `php_binary`: a byte with the key's length, the key, the value.
    PhpBinary,
    /// `php_serialize`: `serialize($_SESSION)`.
    PhpSerialize,
    /// `igbinary`: the extension's own format, versions 1 and 2.
    Igbinary,
}

impl Handler {
    /// Every handler that can be read.
    pub const ALL: [Self; 4] = [
        Self::Php,
        Self::PhpBinary,
        Self::PhpSerialize,
        Self::Igbinary,
    ];

    /// The name in php.ini.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Php => "php",
            Self::PhpBinary => "php_binary",
            Self::PhpSerialize => "php_serialize",
            Self::Igbinary => "igbinary",
        }
    }

    /// The handler that php.ini calls `name`. `msgpack` and `wddx` are not read.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|handler| handler.name() == name)
    }
}

/// The session's variables, as `handler` wrote them: a tree whose first value is an array.
pub(super) fn read(session: &[u8], handler: Handler) -> Result<Tree<'_>, Failure> {
    let tree = match handler {
        Handler::Php => return variables(session, text_name),
        Handler::PhpBinary => return variables(session, binary_name),
        Handler::PhpSerialize => serialize::read(session, Numbering::Own)?,
        Handler::Igbinary => igbinary::read(session)?,
    };
    match tree.node(0).map(|node| node.value) {
        Some(Value::Array) => Ok(tree),
        _ => Err(Failure::Broken("the session is not an array")),
    }
}

/// Whether the bytes, which `handler` has read as `tree`, may be believed to be a PHP session
/// although no handler was named.
///
/// Any bytes could begin a session of `php` or `php_binary`, whose first key may hold anything. A
/// session that was compressed, or written by something else (msgpack, WDDX, JSON), must not be
/// taken for one because a visitor put the text of a session into it, so the first key has to look
/// like a name.
pub(super) fn is_plausible(session: &[u8], handler: Handler, tree: &Tree<'_>) -> bool {
    let marked = session.first().is_some_and(|byte| byte & 0x80 != 0);
    match handler {
        Handler::PhpSerialize | Handler::Igbinary => true,
        Handler::PhpBinary if marked => false,
        Handler::Php | Handler::PhpBinary => {
            let first = tree.children(0).next().map(|(_, node)| node.key);
            let name = match first {
                Some(Key::Text(span)) => tree.bytes(span),
                _ => b"",
            };
            let begins = !matches!(name, [b'<' | b'{' | b'[' | 0x80..=0x9f, ..]);
            begins && !name.iter().any(u8::is_ascii_control)
        }
    }
}

type ReadName<'a> = fn(&mut Reader<'a>) -> Result<Span, Failure>;

/// `PS_SERIALIZER_DECODE_FUNC` of `php` and `php_binary` in ext/session/session.c: variables until
/// the end, under one count of references, in which the session itself has no number.
///
/// Up to PHP 7.0 a session could name variables without giving them values: `!key|` in `php`, a
/// length with the highest bit set in `php_binary`. Since then `!` is part of the key, and the bit is
/// ignored: a value must follow, or the session is destroyed.
fn variables<'a>(session: &'a [u8], name: ReadName<'a>) -> Result<Tree<'a>, Failure> {
    let mut tree = Tree::new(session, Numbering::Own)?;
    let root = tree.push(Key::Unreachable, Value::Array, 0)?;
    let mut reader = Reader::new(session);
    while !reader.at_end() {
        let name = name(&mut reader)?;
        // A variable that is called like an integer is a string here all the same, so that no
        // `$_SESSION['7']` reaches it.
        reader.value(&mut tree, Key::Text(name), None, 1)?;
    }
    tree.close(root);
    Ok(tree)
}

fn text_name(reader: &mut Reader<'_>) -> Result<Span, Failure> {
    let start = reader.at;
    let name = reader.until(b'|')?;
    Ok(Span::new(start, start + name.len()))
}

fn binary_name(reader: &mut Reader<'_>) -> Result<Span, Failure> {
    let length = reader.byte()?;
    let start = reader.at;
    reader.bytes(usize::from(length & 0x7f))?;
    Ok(Span::new(start, reader.at))
}
