//! Classes of PHP's own that `unserialize` throws at, as PHP 8.2 said of each: the whole session is
//! destroyed then. What the site's own classes and enums do, nobody can tell from here.

/// Never brought back to life: not to be serialized, or an interface, or abstract. None is an enum.
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

/// Brought back only from what they wrote themselves, which is never nothing.
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
pub(super) fn has_properties(class: &[u8]) -> bool {
    OF_DATA.iter().any(|name| name.eq_ignore_ascii_case(class))
}
