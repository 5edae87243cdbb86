<?php
/*
 * Sessions as Joomla keeps them, by the Registry class of Joomla 3 and by PHP's session_encode.
 *
 *     php sessions_joomla.php /path/to/joomla-3 > crates/sessions/tests/data/joomla.json
 *
 * The user classes are stand-ins with the properties that Joomla's keep: `id` alone since 3.9
 * (User::__sleep), all before. Sessions of Joomla 4.4 itself are in php-recorded.json.
 */

namespace Joomla\CMS\User {
    /** Of 3.9 and later. */
    class User
    {
        public $id;
        public $username = 'not kept';
        public function __construct($id) { $this->id = $id; }
        public function __sleep(): array { return ['id']; }
    }
}

namespace {
    error_reporting(E_ALL & ~E_DEPRECATED & ~E_WARNING);
    ini_set('session.use_cookies', '0');
    ini_set('session.cache_limiter', '');
    spl_autoload_register(function (string $class) use ($argv) {
        foreach (['Joomla\Registry\\' => 'registry', 'Joomla\Utilities\\' => 'utilities'] as $prefix => $package) {
            $file = "$argv[1]/libraries/vendor/joomla/$package/src/" . strtr(substr($class, strlen($prefix)), '\\', '/') . '.php';
            if (str_starts_with($class, $prefix) && is_file($file)) {
                require $file;
            }
        }
    });

    /** Of 1.5 to 3.8. */
    class JUser
    {
        protected $isRoot = null;
        public $id = 0;
        public $name = null;
        public $username = null;
        public $password = '$2y$10$x';
        public $guest = 1;
        protected $_params = null;
        protected $_errors = [];
        public function __construct(int|string $id, ?string $username, int $guest)
        {
            [$this->id, $this->username, $this->guest] = [$id, $username, $guest];
        }
    }

    final class Nowhere implements SessionHandlerInterface
    {
        public function open(string $path, string $name): bool { return true; }
        public function close(): bool { return true; }
        public function read(string $id): string|false { return ''; }
        public function write(string $id, string $data): bool { return true; }
        public function destroy(string $id): bool { return true; }
        public function gc(int $max_lifetime): int|false { return 0; }
    }

    $rows = [];
    $add = function (string $note, array $variables, ?int $user, bool $mfa = false, ?int $last = 1795296485) use (&$rows) {
        foreach (['php', 'php_serialize'] as $handler) {
            session_abort();
            ini_set('session.serialize_handler', $handler);
            session_set_save_handler(new Nowhere(), false);
            session_id('a' . bin2hex(random_bytes(12)));
            session_start();
            $_SESSION = $variables;
            $rows[] = json_encode(['note' => $note, 'handler' => $handler, 'session' => base64_encode(session_encode()),
                'user_id' => $user, 'mfa_checked' => $mfa, 'last_request' => $last], JSON_UNESCAPED_SLASHES);
            session_abort();
        }
    };
    /** `$_SESSION['joomla']` of 3.4.7 and later. */
    $registry = function (array $values): array {
        $registry = new Joomla\Registry\Registry();
        foreach ($values as $key => $value) {
            $registry->set($key, $value);
        }
        return ['joomla' => base64_encode(serialize($registry))];
    };
    $timer = fn (string $prefix) => [
        "{$prefix}session.counter" => 3, "{$prefix}session.timer.start" => 1795296000,
        "{$prefix}session.timer.last" => 1795296400, "{$prefix}session.timer.now" => 1795296485,
        "{$prefix}session.token" => 'd4db96ad967daa230be33ed412a29d19',
    ];
    $flat = fn ($user) => ['__default' => $timer('') + ['session.client.browser' => 'Mozilla/5.0 (X11; "x"; |)', 'registry' => new stdClass(), 'user' => $user]];

    $three = fn ($user) => $registry($timer('__default.') + ['__default.registry' => new Joomla\Registry\Registry(), '__default.user' => $user]);
    $four = fn ($user, array $more = []) => $registry($timer('') + ['user' => $user] + $more);
    $add('1.5', $flat(new JUser(62, 'admin', 0)), 62);
    $add('1.5, a guest', $flat(new JUser(0, null, 1)), null);
    $add('2.5, an id and a guest', $flat(new JUser(42, 'admin', 1)), null);
    $add('2.5, text', $flat(new JUser('42', 'admin', 0)), 42);
    $add('3.4, all of the user', $three(new JUser('277', 'alice', 0)), 277);
    $add('3.4, a guest', $three(new JUser(0, null, 1)), null);
    $add('3.10', $three(new Joomla\CMS\User\User('22')), 22);
    $add('3.10, a guest', $three(new Joomla\CMS\User\User(0)), null);
    $add('3.10, after an older one', $three(new Joomla\CMS\User\User('22')) + ['__default' => []], 22);
    $add('4', $four(new Joomla\CMS\User\User(277)), 277);
    $add('4, after the second factor', $four(new Joomla\CMS\User\User(277), ['com_users.mfa_checked' => 1]), 277, true);
    $add('4, before the second factor', $four(new Joomla\CMS\User\User(277), ['com_users.mfa_checked' => 0]), 277);
    $add('4, a guest', $four(new Joomla\CMS\User\User(0)), null);
    $add('4, no user yet', $registry($timer('')), null, false, null);
    $add('no id', $four(new Joomla\CMS\User\User(null)), null);
    $add('a negative id', $four(new Joomla\CMS\User\User(-5)), null);
    $add('an id that is none', $four(new Joomla\CMS\User\User('22 OR 1=1')), null);
    $add('not a user', $four('277'), null, false, null);
    $add('another application', ['user' => ['id' => 277]], null, false, null);
    $add('nothing', [], null, false, null);
    echo "[\n", implode(",\n", $rows), "\n]\n";
}
