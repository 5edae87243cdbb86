<?php
/*
 * Sessions that PHP destroys as it reads them, or does not, by PHP itself.
 *
 *     php tests/vectors/php_destroyed.php > crates/sessions/tests/data/php_destroyed.json
 *
 * with PHP 8.2. Each is `[handler, Base64 of the session, whether PHP read it]`: whatever
 * session_decode() answers, or false where it throws. None has an object of a class, or an enum,
 * that is the site's own: what these do, the bytes do not tell.
 */

error_reporting(0);
ini_set('display_errors', 'stderr');
ini_set('session.use_cookies', '0');
ini_set('session.cache_limiter', '');

final class Nowhere implements SessionHandlerInterface
{
    public function open(string $path, string $name): bool { return true; }
    public function close(): bool { return true; }
    public function read(string $id): string|false { return ''; }
    public function write(string $id, string $data): bool { return true; }
    public function destroy(string $id): bool { return true; }
    public function gc(int $max_lifetime): int|false { return 0; }
}

function is_read(string $handler, string $session): bool
{
    session_abort();
    ini_set('session.serialize_handler', $handler);
    session_set_save_handler(new Nowhere(), false);
    session_id('a' . bin2hex(random_bytes(12)));
    session_start();
    try {
        return session_decode($session);
    } catch (Throwable) {
        return false;
    }
}

$rows = [];
$add = function (string $handler, string $session) use (&$rows): void {
    $row = [$handler, base64_encode($session), is_read($handler, $session)];
    $rows[] = json_encode($row, JSON_UNESCAPED_SLASHES | JSON_THROW_ON_ERROR);
};

// Variables without a value, which PHP wrote up to 7.0.
foreach (['!cart|user|s:1:"u";', 'user|s:1:"u";!last|', '!cart|user|s:1:"u";!last|', '!user|s:1:"u";',
    '!a|!b|user|i:1;', '!a|i:1;user|i:1;', '!', '!a', '!a|'] as $session) {
    $add('php', $session);
}
foreach (["\x84cart\x04users:1:\"u\";", "\x04users:1:\"u\";\x84cart", "\x84users:1:\"u\";", "\x80"] as $session) {
    $add('php_binary', $session);
}

// PHP's own classes, without properties and as enums.
$own = ['Core', 'date', 'hash', 'json', 'pcre', 'random', 'Reflection', 'SPL', 'standard'];
foreach ([...get_declared_classes(), ...get_declared_interfaces()] as $class) {
    if (!in_array((new ReflectionClass($class))->getExtensionName(), $own, true)) {
        continue;
    }
    $length = strlen($class);
    foreach ([$class, strtolower($class)] as $name) {
        $add('php', "user|s:1:\"u\";x|O:$length:\"$name\":0:{}");
        $add('php_serialize', "a:2:{s:4:\"user\";s:1:\"u\";s:1:\"x\";a:1:{i:0;O:$length:\"$name\":0:{}}}");
    }
}
foreach (['Closure', 'UnitEnum', 'BackedEnum', 'WeakMap', 'Generator'] as $class) {
    $add('php', 'user|s:1:"u";x|E:' . (strlen($class) + 2) . ":\"$class:A\";");
}

// What they wrote themselves.
foreach ([new DateTime('2026-01-01', new DateTimeZone('UTC')), new DateTimeZone('Europe/Berlin'),
    new ArrayObject(['a' => 1]), new SplObjectStorage(), new SplQueue(), new SplStack(),
    new DatePeriod(new DateTime('2026-01-01'), new DateInterval('P1D'), 2), new ArrayIterator([1]),
    new stdClass(), new DateInterval('P1D'), new Exception('x'), new SplFixedArray(2),
    new Random\Engine\Mt19937(1)] as $object) {
    $add('php', 'user|s:1:"u";x|' . serialize($object));
}
foreach (['C:11:"ArrayObject":0:{}', 'C:11:"ArrayObject":21:{x:i:0;a:0:{};m:a:0:{}}', 'C:11:"ArrayObject":1:{x}',
    'C:11:"ArrayObject":2:{zz}', 'C:16:"SplObjectStorage":14:{x:i:0;m:a:0:{}}', 'C:16:"SplObjectStorage":3:{abc}'] as $written) {
    $add('php', "user|s:1:\"u\";x|$written");
}

// Objects and arrays that refer to themselves.
foreach (['O:8:"stdClass":1:{s:1:"a";r:1;}', 'O:8:"stdClass":1:{s:1:"a";R:1;}', 'a:1:{i:0;R:1;}', 'a:1:{i:0;r:1;}',
    'O:8:"stdClass":2:{s:1:"a";i:1;s:1:"a";R:2;}', 'a:2:{i:0;i:1;i:0;R:2;}', 'r:1;', 'R:1;', 'R:0;', 'R:2;',
    'O:8:"stdClass":1:{s:1:"a";R:2;}', 'O:8:"stdClass":1:{s:1:"a";r:2;}',
    'O:8:"stdClass":2:{s:1:"a";O:8:"stdClass":1:{s:1:"b";r:1;}s:1:"c";r:2;}'] as $value) {
    $add('php', "x|$value");
    $add('php', "x|{$value}user|s:1:\"u\";");
}
echo "[\n", implode(",\n", $rows), "\n]\n";
