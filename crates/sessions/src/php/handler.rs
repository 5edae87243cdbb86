//! `session.serialize_handler`: the formats that a session may be in.

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
