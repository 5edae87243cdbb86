<?php
/*
 * Session vectors by PHP itself.
 *
 *     php tests/vectors/php_sessions.php > crates/sessions/tests/data/php-8.2.json
 *
 * One process writes: `session_encode` under every `session.serialize_handler`, of what the
 * functions below put into $_SESSION. Another, in which hardly a class is defined, reads:
 * `session_decode`, then a walk along each path in plain PHP. What that finds is what is expected.
 *
 * `sessions` are what PHP wrote, with every path in it and some that are not. `damaged` are changes
 * to some of these: for each, what PHP still finds at one path, "absent", or "refused" where
 * session_decode fails.
 *
 * `raw` are bytes that no PHP of today writes, judged the same way.
 */

error_reporting(E_ALL & ~E_DEPRECATED & ~E_WARNING & ~E_NOTICE);
ini_set('display_errors', 'stderr');
ini_set('session.use_cookies', '0');
ini_set('session.cache_limiter', '');
ini_set('unserialize_callback_func', '');

const HANDLERS = ['php', 'php_binary', 'php_serialize', 'igbinary'];

enum Suit: string
{
    case Hearts = 'h';
    case Spades = 's';
}

/** Known to both processes: igbinary gives up on what writes itself down without its class. */
class Old implements Serializable
{
    public function __construct(private string $raw = '') {}
    public function serialize() { return $this->raw; }
    public function unserialize($data) {}
}

/** A save handler that keeps nothing: sessions here are strings. */
final class Nowhere implements SessionHandlerInterface
{
    public function open(string $path, string $name): bool { return true; }
    public function close(): bool { return true; }
    public function read(string $id): string|false { return ''; }
    public function write(string $id, string $data): bool { return true; }
    public function destroy(string $id): bool { return true; }
    public function gc(int $max_lifetime): int|false { return 0; }
}

function under(string $handler, callable $do): mixed
{
    session_abort();
    ini_set('session.serialize_handler', $handler);
    session_set_save_handler(new Nowhere(), false);
    session_id('a' . bin2hex(random_bytes(12)));
    session_start();
    $_SESSION = [];
    try {
        return $do();
    } catch (Throwable) {
        return false;
    } finally {
        session_abort();
    }
}

// ---- the reading process ------------------------------------------------------------------

/** A path's keys: `\.` is a dot and `\\` a backslash inside a key. */
function keys(string $path): array
{
    preg_match_all('/(?:^|\.)((?:\\\\[.\\\\]|[^.])*)/', $path, $found);
    return array_map(fn ($key) => preg_replace('/\\\\([.\\\\])/', '$1', $key), $found[1]);
}

function properties(object $object): array
{
    $properties = [];
    foreach ((array) $object as $name => $value) {
        $name = (string) $name;
        if ($name !== '__PHP_Incomplete_Class_Name') {
            $properties[preg_replace('/^\0[^\0]*\0/', '', $name)] = $value;
        }
    }
    return $properties;
}

function walk(mixed $value, array $keys): mixed
{
    foreach ($keys as $at => $key) {
        if (is_string($value)) {
            $inner = @unserialize($value);
            $inner = $inner === false ? @unserialize((string) base64_decode($value, true)) : $inner;
            return walk($inner, array_slice($keys, $at));
        }
        if ($value instanceof Suit || !is_array($value) && !is_object($value)) {
            return 'absent';
        }
        $inside = is_array($value) ? $value : properties($value);
        if (!array_key_exists($key, $inside)) {
            return 'absent';
        }
        $value = $inside[$key];
    }
    return typed($value);
}

function typed(mixed $value): array
{
    return match (true) {
        is_string($value) => utf8($value) ? ['text' => $value] : ['base64' => base64_encode($value)],
        is_int($value) => ['integer' => (string) $value],
        is_float($value) => ['float' => is_finite($value) ? var_export($value, true) : (string) $value],
        is_bool($value) => ['boolean' => $value],
        is_null($value) => ['null' => true],
        default => ['compound' => ['empty' => $value === []]],
    } + ['true' => (bool) $value];
}

function utf8(string $text): bool
{
    return preg_match('//u', $text) === 1;
}

/** The paths to all that is in a value, so many levels down. */
function paths(mixed $value, int $levels, string $prefix = ''): array
{
    $found = [];
    // What an ArrayObject shows as properties are the elements of an array in it.
    if ($levels === 0 || $value instanceof Suit || $value instanceof ArrayObject || !is_array($value) && !is_object($value)) {
        return $found;
    }
    foreach (is_array($value) ? $value : properties($value) as $key => $inner) {
        $key = (string) $key;
        if (!utf8($key) || count($found) > 60 || ($prefix . $key) === '') {
            continue;
        }
        $path = $prefix . strtr($key, ['\\' => '\\\\', '.' => '\.']);
        $found[] = $path;
        array_push($found, ...paths($inner, $levels - 1, $path . '.'));
    }
    return $found;
}

function decoded(string $handler, string $session, callable $then): mixed
{
    return under($handler, function () use ($session, $then) {
        return session_decode($session) && is_array($_SESSION) ? $then($_SESSION) : 'refused';
    }) ?: 'refused';
}

if (($argv[1] ?? '') === 'read') {
    while (($line = fgets(STDIN)) !== false) {
        [$handler, $session, $asked] = json_decode($line, true);
        // Not echo, after which PHP changes no session setting any more.
        fwrite(STDOUT, json_encode(decoded($handler, base64_decode($session), function ($variables) use ($asked) {
            $asked ??= [...paths($variables, 5), 'absent', 'user.absent', 'a.b.c', '0', '7', 'user.0'];
            $answers = [];
            foreach (array_unique($asked) as $path) {
                $answers[] = [$path, walk($variables, keys($path))];
            }
            return $answers;
        })) . "\n");
    }
    exit;
}

// ---- the writing process ------------------------------------------------------------------

/** Defines the classes, in this process alone. */
function classes(): void
{
    class Person
    {
        public $username = 'zoë';
        protected $email = 'zoe@example.org';
        private $secret = 'own';
        public $friend;
    }

    class Child extends Person
    {
        private $mine = 'child';
        public ?Person $parent = null;
    }

    class Namesake
    {
        private $id = 7;
        protected $name = 'protected';
    }

    class Sleeper
    {
        public $kept = 'kept';
        public $dropped = 'dropped';
        public function __sleep(): array { return ['kept']; }
    }

    class Modern
    {
        public function __serialize(): array { return ['username' => 'modern', 5 => 'five', 'list' => [1, 2]]; }
        public function __unserialize(array $data): void {}
    }
}

classes();

function shared(): array
{
    $one = new Person();
    $two = new Person();
    $one->friend = $two;
    $two->friend = $one;
    return [$one, $two];
}

$contents = [
    'scalars' => fn () => [
        'null' => null, 'true' => true, 'false' => false, 'zero' => 0, 'one' => 1, 'minus' => -1,
        'byte' => 255, 'word' => 256, 'nword' => -256, 'long' => 65536, 'nlong' => -65536,
        'large' => 4294967296, 'max' => PHP_INT_MAX, 'min' => PHP_INT_MIN,
        'tenth' => 0.1, 'nzero' => -0.0, 'fzero' => 0.0, 'whole' => 3.0, 'huge' => 1e300,
        'tiny' => 5e-324, 'inf' => INF, 'ninf' => -INF, 'nan' => NAN,
        'empty' => '', 'zerotext' => '0', 'text' => 'text', 'zeros' => '00', 'space' => ' ',
    ],
    'a user' => fn () => ['user' => ['username' => 'gonzalo', 'id' => 7, 'roles' => ['a', 'b']], 'logged_in' => true],
    'a flat user' => fn () => ['user' => 'gonzalo', 'authenticated' => 1],
    'symfony 1' => fn () => ['symfony/user/sfUser/authenticated' => true, 'symfony/user/sfUser/attributes' => ['ns' => ['id' => 5]]],
    'silex' => fn () => ['_sf2_attributes' => ['user' => ['username' => 'gonzalo'], '_security.last_username' => 'typed'], '_sf2_flashes' => [], '_sf2_meta' => ['u' => 1, 'c' => 2, 'l' => '0']],
    'keys with dots' => fn () => ['a.b' => 1, 'a' => ['b' => 2, 'b.c' => 3, 'x\\y' => 4], 'c\\' => 5, '.' => 6],
    'strange keys' => fn () => ['!u' => 1, 'x!y' => 2, 'a b' => 3, 'ключ' => 4, 'a:1:{' => 5, '' => ['' => 6], "t\tab" => 7, 's:1:"x";' => 8],
    'keys of bytes' => fn () => ["gr\xf6\xdfe" => 1, 'user' => 'x', "\x01\x02" => 2, "last\xff" => ["k\xe9y" => 3]],
    'keys of digits' => fn () => ['list' => [1 => 'one', '01' => 'text', -5 => 'minus', '-0' => 'nzero', '9223372036854775808' => 'beyond', PHP_INT_MAX => 'max', '' => 'empty', 0 => 'zero']],
    'top-level digits' => fn () => [7 => 'seven', 'user' => 'x', '07' => 'text'],
    'lists' => fn () => ['l' => [1, 'two', 3.5, [], [[['deep']]], null]],
    'tricky strings' => fn () => ['fake' => 'user|s:5:"admin";', 'fake2' => '";user|s:5:"admin";x|s:0:"', 'user' => 'bob', 'quote' => '"', 'semi' => '";', 'brace' => '}', 'nul' => "a\0b"],
    'bytes' => fn () => ['latin' => "Zo\xeb", 'binary' => random_text(300), 'user' => ['username' => "\xff\xfe"]],
    'references' => function () {
        $a = ['x' => 1, 'y' => ['z' => 2]];
        $s = 'shared';
        return ['a' => &$a, 'b' => &$a, 'l' => [&$s, &$s, 'z'], 'n' => ['in' => &$a['y']], 's' => &$s, 'after' => 'tail'];
    },
    'a reference to itself' => function () {
        $a = ['user' => 'loop'];
        $a['self'] = &$a;
        return ['a' => $a, 'user' => 'x'];
    },
    'references of scalars' => function () {
        $i = 5; $f = 0.5; $n = null; $t = true; $e = '';
        return ['l' => [&$i, &$i, &$f, &$f, &$n, &$n, &$t, &$t, &$e, &$e], 'm' => [&$e, &$i]];
    },
    'shared objects' => function () {
        [$one, $two] = shared();
        return ['one' => $one, 'two' => $two, 'again' => [$one, $two, &$one], 'user' => 'x'];
    },
    'objects and references' => function () {
        $o = new stdClass();
        $o->list = [1, 2];
        $o->ref = &$o->list;
        $o->self = $o;
        $x = 'x';
        return ['o' => $o, 'r' => &$o, 'x' => &$x, 'y' => [&$x, $o], 'tail' => 't'];
    },
    'visibilities' => fn () => ['person' => new Person(), 'namesake' => new Namesake(), 'user' => 'x'],
    'inheritance' => function () {
        $child = new Child();
        $child->parent = new Child();
        return ['child' => $child];
    },
    'dynamic properties' => function () {
        $o = new stdClass();
        $o->{'5'} = 'five';
        $o->{'a.b'} = 'dot';
        $o->{''} = 'empty';
        $o->name = 'n';
        return ['o' => $o, 'cast' => (object) ['x', 'y', 'k' => 'v']];
    },
    'enums' => fn () => ['suit' => Suit::Hearts, 'again' => Suit::Hearts, 'other' => [Suit::Spades], 'user' => 'x'],
    'special objects' => fn () => ['sleep' => new Sleeper(), 'modern' => new Modern(), 'user' => ['username' => 'x']],
    'objects of PHP' => fn () => ['ao' => new ArrayObject(['k' => 'v']), 'date' => new DateTimeImmutable('2026-01-02'), 'sos' => new SplObjectStorage(), 'user' => ['username' => 'x']],
    'one that writes itself' => fn () => ['old' => new Old('raw;}user|s:5:"admin";'), 'user' => 'x'],
    'serialized strings' => fn () => [
        'token' => serialize(['user' => ['username' => 'inner'], 'n' => 1]),
        'object' => serialize((object) ['username' => 'in object']),
        'twice' => serialize(serialize(['username' => 'twice'])),
        'base64' => base64_encode(serialize(['username' => 'in base64'])),
        'cut' => substr(serialize(['username' => 'inner']), 0, -1),
        'user' => 'x',
    ],
    'empty' => fn () => [],
    'one null' => fn () => ['user' => null],
    'empty arrays' => fn () => ['user' => [], 'x' => ['y' => []]],
    'many' => fn () => ['list' => range(0, 400), 'map' => array_combine(array_map(fn ($n) => "key$n", range(1, 300)), range(1, 300)), 'user' => 'tail'],
    'repeated strings' => fn () => ['l' => array_fill(0, 300, ['name' => 'same', 'id' => 7]), 'user' => 'same'],
    'many strings' => fn () => ['l' => array_map(fn ($n) => "string $n", range(1, 300)), 'again' => ['string 1', 'string 300', 'string 256', 'string 257'], 'user' => 'string 299'],
    'many objects' => function () {
        $objects = array_map(fn ($n) => (object) ['n' => $n], range(1, 300));
        return ['l' => $objects, 'again' => [$objects[0], $objects[255], $objects[256], $objects[299]], 'user' => 'x'];
    },
    'a long string' => fn () => ['blob' => str_repeat('user|s:5:"admin";', 700), 'user' => 'x', 'after' => str_repeat('y', 300)],
    'a long key' => fn () => [str_repeat('k', 127) => 1, str_repeat('m', 128) => 2, 'user' => 'x', 'l' => [str_repeat('n', 300) => 3]],
    'deep' => function () {
        $deep = 'bottom';
        for ($level = 0; $level < 60; $level++) {
            $deep = ['d' => $deep];
        }
        return ['deep' => $deep, 'user' => 'x'];
    },
];

function random_text(int $length): string
{
    $text = '';
    for ($n = 0; $n < $length; ++$n) {
        $text .= chr(mt_rand(0, 255));
    }
    return $text;
}

function printable(string $bytes): string
{
    return addcslashes($bytes, "\0..\37\177..\377");
}

/** Asks the reading process, one question after the other. */
final class Reader
{
    private array $pipes = [];
    private $process;

    public function __construct()
    {
        $this->process = proc_open([PHP_BINARY, __FILE__, 'read'], [['pipe', 'r'], ['pipe', 'w'], STDERR], $this->pipes);
    }

    public function ask(string $handler, string $session, ?array $paths = null): mixed
    {
        fwrite($this->pipes[0], json_encode([$handler, base64_encode($session), $paths]) . "\n");
        $answer = fgets($this->pipes[1]);
        if ($answer === false) {
            // The reader died of it: PHP has no answer, and neither has anybody else.
            $this->__construct();
            return 'refused';
        }
        return json_decode($answer, true);
    }
}

mt_srand(7);
$reader = new Reader();
$sessions = [];
$encodings = [];
foreach ($contents as $note => $make) {
    foreach (HANDLERS as $handler) {
        $encoded = under($handler, function () use ($make) {
            $variables = $make();
            foreach (array_keys($variables) as $key) {
                $_SESSION[$key] = &$variables[$key];
            }
            unset($variables);
            return session_encode();
        });
        if (!is_string($encoded)) {
            $encoded = '';
        }
        $encodings[$note][$handler] = $encoded;
        $sessions[] = ['note' => $note, 'handler' => $handler, 'session' => base64_encode($encoded),
            'paths' => $reader->ask($handler, $encoded)];
    }
}

$damaged = [];
$asked = [
    'a user' => 'user.username', 'a flat user' => 'user', 'silex' => '_sf2_attributes.user.username',
    'references' => 's', 'shared objects' => 'again.0.username', 'objects and references' => 'y.0',
    'tricky strings' => 'user', 'special objects' => 'user.username', 'enums' => 'user',
    'serialized strings' => 'token.user.username', 'one that writes itself' => 'user',
    'references of scalars' => 'm.1', 'visibilities' => 'person.email',
];
foreach ($asked as $note => $path) {
    foreach ($encodings[$note] as $handler => $encoded) {
        $ask = fn (string $session) => ($found = $reader->ask($handler, $session, [$path])) === 'refused' ? $found : $found[0][1];
        $changes = [];
        for ($at = 0; $at < strlen($encoded); $at++) {
            $changes[] = ['cut', $at, 0];
        }
        foreach (array_keys(str_split($encoded)) as $at) {
            $byte = ord($encoded[$at]);
            $digit = ctype_digit($encoded[$at]);
            foreach ($digit ? [$byte - 1, $byte + 1] : [] as $other) {
                $changes[] = ['set', $at, $other];
            }
            foreach (str_contains('NbidsaOCERr', $encoded[$at]) ? str_split('NbidsSaOCERro}') : [] as $kind) {
                $changes[] = ['set', $at, ord($kind)];
            }
            $changes[] = ['set', $at, $handler === 'igbinary' ? mt_rand(0, 0x27) : mt_rand(0, 255)];
            $changes[] = ['set', $at, $byte ^ (1 << mt_rand(0, 7))];
        }
        foreach (array_rand(array_flip(range(0, strlen($encoded))), min(12, strlen($encoded))) as $at) {
            $changes[] = ['insert', $at, ord('0')];
            $changes[] = ['insert', $at, mt_rand(0, 255)];
            $changes[] = ['drop', $at, 0];
        }
        if (count($changes) > 250) {
            $changes = array_intersect_key($changes, array_flip((array) array_rand($changes, 250)));
        }
        // Whether there is a class of a name, the bytes do not say: names are left alone.
        preg_match_all('/Suit|Hearts|Spades|Old/', $encoded, $names, PREG_OFFSET_CAPTURE);
        $verdicts = [];
        foreach ($changes as [$kind, $at, $byte]) {
            foreach ($kind === 'cut' ? [] : $names[0] as [$name, $start]) {
                if ($at >= $start && $at < $start + strlen($name)) {
                    continue 2;
                }
            }
            if ($kind === 'set' && $at < strlen($encoded) && ord($encoded[$at]) === $byte) {
                continue;
            }
            $changed = match ($kind) {
                'cut' => substr($encoded, 0, $at),
                'set' => substr_replace($encoded, chr($byte & 255), $at, 1),
                'insert' => substr_replace($encoded, chr($byte & 255), $at, 0),
                'drop' => substr_replace($encoded, '', $at, 1),
            };
            $verdicts[] = [$kind, $at, $byte & 255, $ask($changed)];
        }
        $damaged[] = ['note' => $note, 'handler' => $handler, 'session' => base64_encode($encoded), 'path' => $path, 'changes' => $verdicts];
    }
}

$raw = [];
$add = function (string $note, string $handler, string $session, string $path) use (&$raw, $reader) {
    $found = $reader->ask($handler, $session, [$path]);
    $raw[] = ['note' => $note, 'handler' => $handler, 'session' => base64_encode($session), 'path' => $path,
        'expected' => $found === 'refused' ? $found : $found[0][1]];
};
$values = [
    'N;', 'b:0;', 'b:1;', 'b:2;', 'b:;', 'b:01;', 'i:0;', 'i:-0;', 'i:+5;', 'i:007;', 'i:;', 'i:-;', 'i:1.5;',
    'i:9223372036854775807;', 'i:-9223372036854775808;', 'i:9223372036854775808;', 'i: 5;', 'i:0x1;',
    'd:1;', 'd:.5;', 'd:5.;', 'd:+5.E+2;', 'd:-1e-3;', 'd:1e;', 'd:.;', 'd:;', 'd:e5;', 'd:INF;', 'd:-INF;', 'd:+INF;',
    'd:NAN;', 'd:-NAN;', 'd:inf;', 'd:nan;', 'd:infinity;', 'd:1_0;', 'd:0x1p3;', 'd:1e999;', 'd: 1;',
    's:0:"";', 's:1:"";', 's:01:"a";', 's:+1:"a";', 's:-1:"a";', 's::"a";', "s:1:'a';", 's:1:"a"', 's:1:"a" ;', 's:2:"a";', 's:0:"a";',
    's:18446744073709551617:"a";', 's:99999999999:"a";', 's:2147483648:"a";',
    'S:1:"a";', 'S:1:"\\41";', 'S:3:"\\41b\\6a";', 'S:1:"\\4";', 'S:1:"\\4g";', 'S:2:"\\41";', 'S:1:"\\";', 'S:4:"\\00\\ff";',
    'a:0:{}', 'a:1:{}', 'a:-1:{}', 'a:+1:{i:0;i:1;}', 'a:01:{i:0;i:1;}', 'a:1:{i:0;i:1;i:1;i:2;}', 'a:2:{i:0;i:1;}', 'a:0:{i:0;i:1;}',
    'a:1:{N;i:1;}', 'a:1:{b:1;i:1;}', 'a:1:{d:1;i:1;}', 'a:1:{a:0:{}i:1;}', 'a:1:{R:1;i:1;}', 'a:1:{i:+0;i:1;}', 'a:1:{S:1:"\\30";i:1;}',
    'a:99999999:{i:0;i:1;}', 'a:1:{i:0;i:1;};', 'a:1:[i:0;i:1;]', 'a:1:{i:0,i:1;}', 'a:1{i:0;i:1;}',
    'O:3:"Foo":0:{}', 'O:3:"Foo":1:{s:1:"0";i:1;}', 'O:3:"Foo":1:{i:0;i:1;}', 'O:0:"":0:{}', 'O:4:"F\\oo":0:{}', 'O:4:"\\Foo":0:{}',
    'O:3:"F o":0:{}', 'O:3:"F-o":0:{}', "O:3:\"F\xe9o\":0:{}", "O:3:\"\0oo\":0:{}", 'O:3:"123":0:{}', 'O:3:"Foo":1:{}', 'O:3:"Foo":0:{', 'O:3:"Foo"0:{}',
    'O:3:"Foo":-1:{}', 'O:2:"Foo":0:{}', 'O:4:"Foo":0:{}', 'O:7:"Closure":0:{}', 'O:8:"stdClass":1:{s:1:"0";i:1;}',
    "O:3:\"Foo\":1:{s:4:\"\0*\x000\";i:1;}", "O:3:\"Foo\":1:{s:6:\"\0Foo\x000\";i:1;}", 'O:3:"Foo":1:{N;i:1;}',
    'C:3:"Foo":0:{}', 'C:3:"Foo":5:{ab}cd}', 'C:3:"Foo":4:{ab}cd}', 'C:3:"Foo":6:{ab}cd}', 'C:3:"Foo":-1:{}', 'C:3:"F o":0:{}', 'C:0:"":0:{}',
    'E:11:"Suit:Hearts";', 'E:4:"Suit";', 'E:11:"Suit:Hearts"', 'E:5:"Suit:";', 'E:7:":Hearts";',
    'R:1;', 'R:2;', 'R:0;', 'R:-1;', 'R:99;', 'R:;', 'R:+1;', 'r:1;', 'r:2;', 'r:0;', 'r:99;', 'r:3;',
    'o:0:"";', 'o:1:"s:1:"0";i:1;}', 'x', '', ';', '}', 'n;', 'B:1;', 'P:1:"a";', 'i:5', 'N', 'i5;', 'i;5;',
];
foreach ($values as $value) {
    $shown = printable($value);
    $add("value $shown", 'php_serialize', "a:2:{s:1:\"v\";{$value}s:4:\"user\";s:1:\"x\";}", 'user');
    $add("value $shown", 'php_serialize', "a:2:{s:1:\"v\";{$value}s:4:\"user\";s:1:\"x\";}", 'v');
    $add("value $shown", 'php_serialize', "a:2:{s:1:\"v\";{$value}s:4:\"user\";s:1:\"x\";}", 'v.0');
    $add("value $shown", 'php', "v|{$value}user|s:1:\"x\";", 'user');
    $add("value $shown, first", 'php', "user|s:1:\"x\";v|{$value}", 'user');
    $add("value $shown", 'php_binary', "\x01v{$value}\x04users:1:\"x\";", 'user');
}
foreach ([
    'a:3:{s:1:"x";i:1;s:1:"x";i:2;s:4:"user";s:1:"u";}', 'a:3:{s:1:"x";i:1;s:1:"x";R:2;s:4:"user";s:1:"u";}',
    'a:3:{s:1:"x";i:1;s:1:"x";i:2;s:1:"y";R:2;}', 'a:3:{s:1:"x";i:1;s:1:"y";R:2;s:1:"x";i:2;}',
    'a:3:{s:1:"x";O:3:"Foo":1:{s:1:"k";i:1;}s:1:"y";r:2;s:4:"user";r:4;}', 'a:3:{s:1:"x";O:3:"Foo":1:{s:1:"k";i:1;}s:1:"y";r:2;s:1:"z";r:3;}',
    'a:3:{s:1:"x";O:3:"Foo":1:{s:1:"k";i:1;}s:1:"y";R:2;s:1:"z";r:4;}', 'a:3:{s:1:"x";O:3:"Foo":1:{s:1:"k";i:1;}s:1:"y";R:3;s:1:"z";R:3;}',
    'a:3:{s:1:"x";R:1;s:1:"y";R:1;s:4:"user";s:1:"u";}', 'a:3:{s:1:"x";a:1:{i:0;R:2;}s:1:"y";R:3;s:4:"user";s:1:"u";}',
    'a:3:{s:1:"5";i:1;i:5;i:2;s:2:"05";i:3;}', 'a:2:{s:1:"x";a:2:{i:1;s:1:"a";s:1:"1";s:1:"b";}s:4:"user";s:1:"u";}',
    'a:1:{s:4:"user";s:1:"u";}x', 'a:1:{s:4:"user";s:1:"u";}}', "a:1:{s:4:\"user\";s:1:\"u\";}\n", ' a:1:{s:4:"user";s:1:"u";}',
    'i:5;', 'N;', 's:4:"user";', 'O:8:"stdClass":1:{s:4:"user";s:1:"u";}', 'b:0;', '', 'a:0:{}', 'user|s:1:"u";',
    'a:1:{s:4:"user";O:3:"Foo":2:{s:1:"a";i:1;s:1:"a";i:2;}}', 'a:2:{s:4:"user";i:1;s:4:"user";s:1:"u";}',
] as $session) {
    foreach (['user', 'x', 'y', 'z', '5', '05', 'x.1', 'y.k', 'z.k', 'user.a', 'x.x.user', 'x.0.0'] as $path) {
        $add('a whole session: ' . printable($session), 'php_serialize', $session, $path);
    }
}
foreach ([
    'a|i:1;user|s:1:"u";junk', 'a|i:1;user|s:1:"u";|', 'user|s:1:"u";a|', 'user|s:1:"u";a', 'user', 'user|', '|', '|i:1;', 'user|s:1:"u"',
    'user|i:1;user|s:1:"u";', 'a|i:1;a|i:2;user|R:1;', 'a|i:1;user|R:1;a|i:2;', 'a|i:1;user|R:2;', 'a|i:1;user|R:1;', 'user|R:1;', 'a|i:1;user|r:1;',
    '5|s:1:"u";', '!user|s:1:"u";', 'a|O:3:"Foo":1:{s:1:"k";i:1;}user|r:1;', 'a|O:3:"Foo":1:{s:1:"k";i:1;}b|r:1;user|R:2;',
    "a\n|i:1;user|s:1:\"u\";", "\0|i:1;user|s:1:\"u\";", 'a|i:1;;user|s:1:"u";', 'a|i:1; user|s:1:"u";',
] as $session) {
    foreach (['user', '5', 'user.k', 'a', '!user', ';user', ' user'] as $path) {
        $add('a whole session: ' . printable($session), 'php', $session, $path);
    }
}
foreach ([
    "\x01ai:1;\x04users:1:\"u\";", "\x01ai:1;\x84users:1:\"u\";", "\x01ai:1;\x05user", "\x04users:1:\"u\";\x01", "\x04users:1:\"u\";\x00", "\x00i:1;\x04users:1:\"u\";",
    "\x015i:1;", "\x04users:1:\"u\"", "\x04user", "\x7fuser", "\x01ai:1;\x04userR:1;", "\x01ai:1;\x04userR:2;", "\x04users:1:\"u\";\xff",
] as $session) {
    foreach (['user', '5', 'a'] as $path) {
        $add('a whole session: ' . printable($session), 'php_binary', $session, $path);
    }
}
foreach ([
    "\0\0\0\2\x14\1\x11\4user\x11\1u", "\0\0\0\1\x14\1\x11\4user\x11\1u", "\0\0\0\3\x14\1\x11\4user\x11\1u", "\2\0\0\0\x14\1\x11\4user\x11\1u", "\0\0\0\2", "\0\0\0\2\x14",
    "\0\0\0\2\x14\1\x11\4user\x11\1uX", "\0\0\0\2\x06\1", "\0\0\0\2\x17\x08stdClass\x14\1\x11\4user\x11\1u", "\0\0\0\2\x14\2\x11\4user\x11\1u",
    "\0\0\0\2\x14\1\x12\0\4user\x12\0\1u", "\0\0\0\2\x14\1\x13\0\0\0\4user\x13\0\0\0\1u", "\0\0\0\2\x14\1\x26\0\0\0\0\0\0\0\4user\x26\0\0\0\0\0\0\0\1u",
    "\0\0\0\2\x15\0\1\x11\4user\x11\1u", "\0\0\0\2\x16\0\0\0\1\x11\4user\x11\1u", "\0\0\0\2\x14\2\x11\1a\x11\4user\x11\4user\x0e\0", "\0\0\0\2\x14\2\x11\1a\x11\4user\x0e\1\x0e\0",
    "\0\0\0\2\x14\2\x11\1a\x11\4user\x0e\1\x0e\2", "\0\0\0\2\x14\2\x11\1a\x11\4user\x0e\1\x0e\1", "\0\0\0\2\x14\2\x11\1a\x11\4user\x0f\0\1\x10\0\0\0\0",
    "\0\0\0\2\x14\2\x06\5\x06\1\x11\4user\x06\2", "\0\0\0\2\x14\2\0\x11\4user\x06\2", "\0\0\0\2\x14\2\x04\x06\1\x11\4user\x06\2", "\0\0\0\2\x14\1\x11\4user\x07\5", "\0\0\0\2\x14\1\x11\4user\x08\1\0",
    "\0\0\0\2\x14\1\x11\4user\x21\x80\0\0\0\0\0\0\0", "\0\0\0\2\x14\1\x11\4user\x20\x80\0\0\0\0\0\0\0", "\0\0\0\2\x14\1\x11\4user\x21\x80\0\0\0\0\0\0\1", "\0\0\0\2\x14\1\x11\4user\x0d", "\0\0\0\2\x14\1\x0d\x0d",
    "\0\0\0\2\x14\1\x11\4user\x01\0", "\0\0\0\2\x14\1\x11\4user\x01\1", "\0\0\0\2\x14\2\x11\1a\x14\1\x11\1k\x06\7\x11\4user\x01\1", "\0\0\0\2\x14\2\x11\1a\x14\1\x11\1k\x06\7\x11\4user\x22\1", "\0\0\0\2\x14\2\x11\1a\x14\1\x11\1k\x06\7\x11\4user\x02\0\1", "\0\0\0\2\x14\2\x11\1a\x14\1\x11\1k\x06\7\x11\4user\x24\0\0\0\1",
    "\0\0\0\2\x14\2\x11\1a\x25\x06\7\x11\4user\x25\x01\1", "\0\0\0\2\x14\2\x11\1a\x25\x25\x06\7\x11\4user\x25\x01\1", "\0\0\0\2\x14\2\x11\1a\x06\7\x11\4user\x25\x01\1", "\0\0\0\2\x14\2\x11\1a\x17\3Foo\x14\1\x11\1k\x06\7\x11\4user\x22\1",
    "\0\0\0\2\x14\2\x11\1a\x17\3Foo\x14\0\x11\4user\x1a\1\x14\1\x11\1k\x06\7", "\0\0\0\2\x14\2\x11\1a\x17\4Suit\x27\x11\6Hearts\x11\4user\x06\7", "\0\0\0\2\x14\2\x11\1a\x17\4Suit\x27\x0d\x11\4user\x06\7",
    "\0\0\0\2\x14\2\x11\1a\x17\7Closure\x14\0\x11\4user\x06\7", "\0\0\0\2\x14\2\x11\4user\x06\7\x11\4user\x06\x08", "\0\0\0\2\x14\1\x11\4user\x28", "\0\0\0\2\x14\1\x11\4user\xff", "\0\0\0\2\x14\1\x11\4user\x0c\x3f\xe0\0\0\0\0\0\0", "\0\0\0\2\x14\1\x11\4user\x0c\x3f\xe0",
    "\0\0\0\2\x14\2\x11\1l\x14\1\x11\0017\x06\7\x11\4user\x06\1", "\0\0\0\2\x14\2\x11\1l\x14\1\x06\7\x06\7\x11\4user\x06\1", "\0\0\0\2\x14\1\x11\0017\x06\7",
] as $session) {
    foreach (['user', 'user.k', 'a', 'a.k', '5', '7', 'l.7'] as $path) {
        $add('a whole session: ' . printable($session), 'igbinary', $session, $path);
    }
}

/** JSON with a row on each line. */
function rows(array $rows): string
{
    return "[\n" . implode(",\n", array_map(fn ($row) => json_encode($row, JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_THROW_ON_ERROR), $rows)) . "\n]";
}

echo '{"php": ', json_encode(PHP_VERSION), ', "igbinary": ', json_encode(phpversion('igbinary')), ",\n",
    '"sessions": ', rows($sessions), ",\n\"raw\": ", rows($raw), ",\n\"damaged\": ", rows($damaged), "}\n";
