//! Keeps a checked session as a flat list of values.
//!
//! Values lie in the order of the text, each with the number of the first one after everything in
//! it; strings stay where they are in the text. So a megabyte of the smallest values takes a few
//! more, nothing is copied or freed one by one, and there is nothing to recurse into.

use super::path;

/// The most values in one session. A megabyte of the shortest that PHP's own format has is less.
const MAX_VALUES: usize = 1 << 18;
/// The deepest nesting: `unserialize_max_depth`, PHP's own limit since 7.4.
pub(super) const MAX_DEPTH: usize = 4096;

/// Why bytes are not a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// They are not what the format allows.
    Broken(&'static str),
    /// They may be, but there is more of it than is read. Another reading of the same bytes must
    /// not be believed then.
    Limit(&'static str),
}

/// A stretch of the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
}

/// A number in eight bytes of any alignment: it keeps a [`Node`] at 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packed([u8; 8]);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// The value is in no array or object, or under a key that the site's code cannot reach.
    Unreachable,
    Integer(Packed),
    Text(Span),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Null,
    Boolean(bool),
    Integer(Packed),
    Float(Packed),
    Text(Span),
    Array,
    /// Of the class named.
    Object(Span),
    /// An object that wrote itself down: its one child is the text it wrote.
    Custom(Span),
    Enumeration,
    /// The same value as another, which is never itself a reference.
    Reference(Id),
    /// A reference whose target cannot be known.
    Lost,
}

/// The number of a value in its tree.
pub(super) type Id = u32;

#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) key: Key,
    pub(super) value: Value,
    /// The first value after this one and all that is in it.
    pub(super) end: Id,
    pub(super) depth: u16,
}

/// Where the numbers in `R:` and `r:` begin to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbering {
    /// At the beginning of this text.
    Own,
    /// So many values before it: the text is what an object wrote inside another text.
    After(u32),
    /// At a place that this text does not tell.
    Unknown,
    /// igbinary's own, which no text inside shares.
    Igbinary,
}

impl Span {
    /// From `start` to `end`. Both fit: no text is longer than [`crate::MAX_INPUT`], and what
    /// is unescaped no longer than it was.
    pub(super) fn new(start: usize, end: usize) -> Self {
        let number = |offset| u32::try_from(offset).unwrap_or(u32::MAX);
        Self {
            start: number(start),
            end: number(end),
        }
    }
}

impl Packed {
    pub(super) fn from_integer(number: i64) -> Self {
        Self(number.to_ne_bytes())
    }

    pub(super) fn from_float(number: f64) -> Self {
        Self(number.to_ne_bytes())
    }

    pub(super) fn integer(self) -> i64 {
        i64::from_ne_bytes(self.0)
    }

    pub(super) fn float(self) -> f64 {
        f64::from_ne_bytes(self.0)
    }
}

/// A text and the values in it.
#[derive(Debug)]
pub(super) struct Tree<'a> {
    text: &'a [u8],
    /// Strings that are spelled otherwise in the text. They count as lying behind it.
    unescaped: Vec<u8>,
    nodes: Vec<Node>,
    /// The values that a reference may name, in the order in which the format counts them.
    slots: Vec<Id>,
    numbering: Numbering,
    /// How many slots are certain: those up to the first object that wrote itself down.
    certain: Option<usize>,
}

impl<'a> Tree<'a> {
    /// A tree without values, whose text is no longer than 32 bits can count.
    pub(super) fn new(text: &'a [u8], numbering: Numbering) -> Result<Self, Failure> {
        if text.len() > crate::MAX_INPUT {
            return Err(Failure::Limit("the text is too long"));
        }
        Ok(Self {
            text,
            unescaped: Vec::new(),
            nodes: Vec::new(),
            slots: Vec::new(),
            numbering,
            certain: None,
        })
    }

    pub(super) fn push(&mut self, key: Key, value: Value, depth: usize) -> Result<Id, Failure> {
        let id = self.next();
        let depth = u16::try_from(depth).ok().filter(|_| depth <= MAX_DEPTH);
        let depth = depth.ok_or(Failure::Limit("the values are nested too deeply"))?;
        if self.nodes.len() >= MAX_VALUES {
            return Err(Failure::Limit("there are too many values"));
        }
        let end = id + 1;
        self.nodes.push(Node {
            key,
            value,
            end,
            depth,
        });
        Ok(id)
    }

    /// Gives the value the next number that a reference may name.
    pub(super) fn take_slot(&mut self, id: Id) {
        self.slots.push(id);
    }

    /// Says that all that is in `id` has been read.
    pub(super) fn close(&mut self, id: Id) {
        let end = self.next();
        if let Some(node) = self.node_mut(id) {
            node.end = end;
        }
    }

    pub(super) fn keep(&mut self, unescaped: &[u8]) -> Span {
        let start = self.text.len() + self.unescaped.len();
        self.unescaped.extend_from_slice(unescaped);
        Span::new(start, start + unescaped.len())
    }

    pub(super) fn bytes(&self, span: Span) -> &[u8] {
        let (start, end) = (span.start as usize, span.end as usize);
        let found = match start.checked_sub(self.text.len()) {
            Some(start) if end > self.text.len() => {
                self.unescaped.get(start..end - self.text.len())
            }
            _ => self.text.get(start..end),
        };
        found.unwrap_or_default()
    }

    /// Says that an object wrote itself down: it has a slot, but it cannot be told which slots the
    /// values after it have.
    pub(super) fn doubt_later_slots(&mut self) {
        self.certain.get_or_insert(self.slots.len());
    }

    /// The target of a reference to the value of this number, counted from 1.
    pub(super) fn target(&self, number: usize) -> Option<Value> {
        let index = match self.numbering {
            Numbering::Own | Numbering::Igbinary => number.checked_sub(1)?,
            Numbering::After(before) => match number.checked_sub(before as usize + 1) {
                Some(index) => index,
                None => return Some(Value::Lost),
            },
            Numbering::Unknown => return Some(Value::Lost),
        };
        if self.certain.is_some_and(|certain| index >= certain) {
            return Some(Value::Lost);
        }
        let id = *self.slots.get(index)?;
        Some(match self.node(id)?.value {
            value @ (Value::Reference(_) | Value::Lost) => value,
            _ => Value::Reference(id),
        })
    }

    /// Where the references in a text count from that is a string here, or what the object `id`
    /// wrote down itself.
    pub(super) fn numbering_in(&self, id: Id) -> Numbering {
        let is_custom = matches!(self.node(id).map(|node| node.value), Some(Value::Custom(_)));
        let slots = self.slots.partition_point(|slot| *slot <= id);
        let certain = self.certain.is_none_or(|certain| slots <= certain);
        let slots = u32::try_from(slots).ok().filter(|_| certain);
        match (self.numbering, slots) {
            (Numbering::Igbinary, _) => Numbering::Own,
            (Numbering::Own, _) if !is_custom => Numbering::Own,
            (Numbering::Own, Some(slots)) => Numbering::After(slots),
            (Numbering::After(before), Some(slots)) if is_custom => {
                Numbering::After(before.saturating_add(slots))
            }
            _ => Numbering::Unknown,
        }
    }

    pub(super) fn node(&self, id: Id) -> Option<&Node> {
        self.nodes.get(id as usize)
    }

    /// The value that `id` is, with a reference followed.
    ///
    /// # Errors
    /// When the reference leads nowhere, or to a place that was written twice: then PHP's answer
    /// depends on the order, and PHP writes no such thing.
    pub(super) fn resolve(&self, id: Id) -> Result<Id, Failure> {
        match self.node(id).map(|node| node.value) {
            Some(Value::Reference(target)) if self.written_twice(target) => Err(Failure::Broken(
                "a reference leads to a key that is there twice",
            )),
            Some(Value::Reference(target)) => Ok(target),
            Some(Value::Lost) | None => Err(Failure::Broken("a reference cannot be followed")),
            Some(_) => Ok(id),
        }
    }

    pub(super) fn children(&self, parent: Id) -> impl Iterator<Item = (Id, &Node)> {
        let end = self.node(parent).map_or(parent, |node| node.end);
        let mut next = parent + 1;
        std::iter::from_fn(move || {
            let id = next;
            let node = self.node(id).filter(|_| id < end)?;
            next = node.end;
            Some((id, node))
        })
    }

    /// The child of an array that `$array[$key]` is. The last of several counts.
    pub(super) fn element(&self, array: Id, key: &path::Key) -> Option<Id> {
        let is_it = |node: &Node| match (node.key, key.integer) {
            (Key::Integer(number), Some(integer)) => number.integer() == integer,
            (Key::Text(span), None) => self.bytes(span) == key.text,
            _ => false,
        };
        let found = self.children(array).filter(|(_, node)| is_it(node));
        found.last().map(|(id, _)| id)
    }

    /// The property of an object, of any visibility: `name`, `\0*\0name`, `\0Class\0name`.
    ///
    /// # Errors
    /// When several classes of one object have a private property of that name, and none of them
    /// is the object's own.
    pub(super) fn property(&self, object: Id, key: &path::Key) -> Result<Option<Id>, Failure> {
        let class = match self.node(object).map(|node| node.value) {
            Some(Value::Object(class)) => self.bytes(class),
            _ => return Ok(None),
        };
        // In the order in which the object's own code would find them.
        let (mut own, mut visible, mut inherited) = (None, None, None);
        let mut inherited_from: Option<&[u8]> = None;
        for (id, node) in self.children(object) {
            let name = match node.key {
                Key::Text(span) => self.bytes(span),
                Key::Integer(number) if key.integer == Some(number.integer()) => {
                    visible = Some(id);
                    continue;
                }
                _ => continue,
            };
            match scope(name) {
                _ if name == key.text => visible = Some(id),
                Some((_, name)) if name != key.text => {}
                Some((b"*", _)) => visible = Some(id),
                Some((scope, _)) if scope.eq_ignore_ascii_case(class) => own = Some(id),
                Some((scope, _)) => {
                    if inherited_from.is_some_and(|other| other != scope) {
                        inherited = Some(Err(Failure::Broken("two classes have that property")));
                    } else {
                        inherited = Some(Ok(id));
                    }
                    inherited_from = Some(scope);
                }
                None => {}
            }
        }
        own.or(visible)
            .map_or(inherited.transpose(), |id| Ok(Some(id)))
    }

    fn next(&self) -> Id {
        u32::try_from(self.nodes.len()).unwrap_or(u32::MAX)
    }

    fn node_mut(&mut self, id: Id) -> Option<&mut Node> {
        self.nodes.get_mut(id as usize)
    }

    /// Whether another value lies under the same key of the same array or object.
    fn written_twice(&self, id: Id) -> bool {
        let Some(key) = self.node(id).map(|node| node.key) else {
            return false;
        };
        let mut parent = 0;
        while parent != id {
            let holder = self
                .children(parent)
                .take_while(|(child, _)| *child <= id)
                .last();
            match holder {
                Some((child, _)) if child == id => break,
                Some((child, _)) => parent = child,
                None => return false,
            }
        }
        self.children(parent)
            .any(|(child, node)| parent != id && child != id && self.same_key(node.key, key))
    }

    pub(super) fn same_key(&self, one: Key, other: Key) -> bool {
        match (one, other) {
            (Key::Integer(one), Key::Integer(other)) => one == other,
            (Key::Text(one), Key::Text(other)) => self.bytes(one) == self.bytes(other),
            _ => false,
        }
    }
}

/// The class (or `*`) and the name in a property name that PHP mangled
/// (`zend_unmangle_property_name_ex` in Zend/zend_compile.c).
fn scope(name: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = name.strip_prefix(b"\0")?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    Some((rest.get(..end)?, rest.get(end + 1..)?))
}

/// A property's name without its visibility.
pub(super) fn unmangled(name: &[u8]) -> &[u8] {
    scope(name).map_or(name, |(_, name)| name)
}
