<?php
/*
 * Symfony security tokens in sessions, by Symfony's own classes.
 *
 *     php sessions_symfony.php 3.4.49=/path 6.4.12=/path … > crates/sessions/tests/data/symfony.json
 *
 * A path is a directory with `Core`, `Http` and `Guard` of symfony/security (to 4.3, one package)
 * or of symfony/security-core, -http and -guard (from 4.4) of that version. Each version has a
 * process of its own, which logs users in with every token class that the version has, puts the
 * token into $_SESSION as ContextListener does, and encodes that with every
 * session.serialize_handler.
 *
 * `identifier` is what Symfony says of the token that it reads back: getUserIdentifier() (or
 * getUsername()) where the token is authenticated and the user not anonymous, else null. `email`
 * is what the user object's own method says.
 */

namespace App\Entity {
    use Symfony\Component\Security\Core\User\UserInterface;

    /** What every user class of a site has. */
    trait Account
    {
        public function getRoles(): array { return ['ROLE_USER']; }
        public function getPassword(): ?string { return $this->password; }
        public function getSalt(): ?string { return null; }
        public function eraseCredentials(): void {}
        public function getUsername(): string { return $this->getUserIdentifier(); }
    }

    if (($argv[1] ?? '') === 'one') {
        spl_autoload_register(function (string $class) use ($argv) {
            $prefix = 'Symfony\Component\Security\\';
            $file = $argv[3] . '/' . strtr(substr($class, strlen($prefix)), '\\', '/') . '.php';
            if (str_starts_with($class, $prefix) && is_file($file)) {
                require $file;
            }
        });

        /** As Doctrine maps them: nothing but private properties. */
        class User implements UserInterface
        {
            use Account;
            private $id = 7;
            private $email = 'alice@example.org';
            private $roles = ['ROLE_USER'];
            private $password = '$2y$04$x';
            public function getUserIdentifier(): string { return $this->email; }
            public function getEmail(): string { return $this->email; }
        }

        /** Two properties that could be the identifier. */
        class Member implements UserInterface
        {
            use Account;
            protected $id = 8;
            protected $username = 'Bob';
            protected $email = 'bob@example.org';
            protected $password = 'x';
            public function getUserIdentifier(): string { return $this->username; }
            public function getEmail(): string { return $this->email; }
        }

        /** As many sites had it before Symfony 6. */
        class Writer implements UserInterface, \Serializable
        {
            use Account;
            public $id = 9;
            public $username = 'carol';
            public $password = 'x';
            public function getUserIdentifier(): string { return $this->username; }
            public function serialize() { return serialize([$this->id, $this->username, $this->password]); }
            public function unserialize($data) { [$this->id, $this->username, $this->password] = unserialize($data); }
        }

        /** As sites have it that do not want their user's properties in the session. */
        class Modern implements UserInterface
        {
            use Account;
            public $id = 10;
            public $username = 'dora';
            public $password = 'x';
            public function getUserIdentifier(): string { return $this->username; }
            public function __serialize(): array { return [$this->id, $this->username, 'email' => 'dora@example.org']; }
            public function __unserialize(array $data): void { [$this->id, $this->username] = $data; }
        }
    }
}

namespace App\Security {
    use Symfony\Component\Security\Core\Authentication\Token\AbstractToken;
    use Symfony\Component\Security\Core\Authentication\Token\UsernamePasswordToken;

    if (($argv[1] ?? '') === 'one') {
        /** A site's own token, which keeps something more. */
        abstract class SiteToken extends AbstractToken
        {
            protected $key = 'api key';
            public function getCredentials(): mixed { return $this->key; }
        }

        if (version_compare($argv[2], '4.3', '<')) {
            class ApiToken extends SiteToken
            {
                public function serialize() { return serialize([$this->key, parent::serialize()]); }
                public function unserialize($data) { [$this->key, $parent] = unserialize($data); parent::unserialize($parent); }
            }
        } else {
            class ApiToken extends SiteToken
            {
                public function __serialize(): array { return [$this->key, parent::__serialize()]; }
                public function __unserialize(array $data): void { [$this->key, $parent] = $data; parent::__unserialize($parent); }
            }
        }

        /** The user is known, the second factor still to come: no one is logged in. */
        class TwoFactorToken
        {
            public function __construct(public $authenticated, public $firewall) {}
            public function __serialize(): array { return [$this->authenticated, null, $this->firewall, [], ['totp'], []]; }
            public function __unserialize(array $data): void { [$this->authenticated] = $data; }
        }
    }
}

namespace {
    use App\Entity\{Member, Modern, User, Writer};
    use App\Security\{ApiToken, TwoFactorToken};
    use Symfony\Component\Security\Core\Authentication\Token as Core;
    use Symfony\Component\Security\Core\Role\SwitchUserRole;
    use Symfony\Component\Security\Core\User as Users;
    use Symfony\Component\Security\Guard\Token\PostAuthenticationGuardToken;
    use Symfony\Component\Security\Http\Authenticator\Token\PostAuthenticationToken;

    error_reporting(E_ALL & ~E_DEPRECATED & ~E_WARNING & ~E_NOTICE & ~E_USER_DEPRECATED);
    ini_set('display_errors', 'stderr');
    ini_set('session.use_cookies', '0');
    ini_set('session.cache_limiter', '');

    function trigger_deprecation(string ...$ignored): void
    {
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

    function encoded(string $handler, array $variables): string
    {
        session_abort();
        ini_set('session.serialize_handler', $handler);
        session_set_save_handler(new Nowhere(), false);
        session_id('a' . bin2hex(random_bytes(12)));
        session_start();
        $_SESSION = $variables;
        $encoded = session_encode();
        session_abort();
        return $encoded;
    }

    /** Of 7.x, or with the credentials that there were before 6. */
    function password_token(int $major, mixed $user, array $roles = ['ROLE_USER']): object
    {
        return $major < 6
            ? new Core\UsernamePasswordToken($user, null, 'main', $roles)
            : new Core\UsernamePasswordToken($user, 'main', $roles);
    }

    function one(string $version): void
    {
        $major = (int) $version;
        $memory = class_exists(Users\InMemoryUser::class)
            ? new Users\InMemoryUser('bob', 'x', ['ROLE_USER'])
            : new Users\User('bob', 'x', ['ROLE_USER']);
        $unauthenticated = function () use ($major) {
            $token = password_token($major, new User());
            $token->setAuthenticated(false);
            return $token;
        };
        $api = function () {
            $token = new ApiToken(['ROLE_USER']);
            $token->setUser(new User());
            method_exists($token, 'setAuthenticated') && $token->setAuthenticated(true);
            return $token;
        };
        $tokens = [
            'an entity' => fn () => password_token($major, new User()),
            'a user in memory' => fn () => password_token($major, $memory),
            'two names' => fn () => password_token($major, new Member()),
            'a name' => fn () => password_token($major, 'zoë'),
            'a name that is a number' => fn () => password_token($major, '7'),
            'an entity that writes itself' => fn () => password_token($major, new Writer()),
            'an entity of its own form' => fn () => password_token($major, new Modern()),
            'remembered' => fn () => new Core\RememberMeToken(new User(), 'main', 'secret'),
            'authenticated before' => fn () => $major < 6
                ? new Core\PreAuthenticatedToken(new User(), null, 'main', ['ROLE_USER'])
                : new Core\PreAuthenticatedToken(new User(), 'main', ['ROLE_USER']),
            'a guard' => fn () => new PostAuthenticationGuardToken(new User(), 'main', ['ROLE_USER']),
            'an authenticator' => fn () => new PostAuthenticationToken(new User(), 'main', ['ROLE_USER']),
            'switched' => fn () => $major < 6
                ? new Core\SwitchUserToken($memory, null, 'main', ['ROLE_USER'], password_token($major, new User()))
                : new Core\SwitchUserToken($memory, 'main', ['ROLE_USER'], password_token($major, new User())),
            'switched by a role' => fn () => password_token($major, $memory, [new SwitchUserRole('ROLE_PREVIOUS_ADMIN', password_token($major, new User()))]),
            'with attributes' => function () use ($major) {
                $token = password_token($major, new User());
                $token->setAttribute('x', new stdClass());
                $token->setAttribute('user', $token->getUser());
                return $token;
            },
            'of the site' => $api,
            'anonymous' => fn () => new Core\AnonymousToken('secret', 'anon.', ['ROLE_USER']),
            'anonymous with a name' => fn () => new Core\AnonymousToken('secret', 'alice', ['ROLE_USER']),
            'not authenticated' => $unauthenticated,
            'no roles' => fn () => password_token($major, new User(), []),
            'a second factor' => fn () => new TwoFactorToken(password_token($major, new User()), 'main'),
        ];
        $rows = [];
        foreach ($tokens as $case => $make) {
            try {
                $serialized = serialize($make());
                $token = unserialize($serialized);
            } catch (Throwable $error) {
                fwrite(STDERR, "$version has no token $case: {$error->getMessage()}\n");
                continue;
            }
            $user = $token instanceof TwoFactorToken ? null : $token->getUser();
            $anonymous = $user === null || $token instanceof Core\AnonymousToken
                || method_exists($token, 'isAuthenticated') && !$token->isAuthenticated();
            $name = fn ($of) => method_exists($of, 'getUserIdentifier') ? $of->getUserIdentifier() : $of->getUsername();
            $row = ['symfony' => $version, 'case' => $case, 'class' => get_class($token),
                'identifier' => $anonymous ? null : $name($token),
                'email' => $anonymous || !is_object($user) || !method_exists($user, 'getEmail') ? null : $user->getEmail()];
            // A token is the same string under every handler: one case will do for the rest.
            foreach ($case === 'an entity' ? ['php', 'php_binary', 'php_serialize', 'igbinary'] : ['php'] as $handler) {
                $row[$handler] = base64_encode(encoded($handler, [
                    '_sf2_attributes' => ['_csrf/x' => 'y', '_security_main' => $serialized, '_security.last_username' => 'typed'],
                    '_sf2_meta' => ['u' => 1, 'c' => 2, 'l' => 0],
                ]));
            }
            $rows[] = json_encode($row, JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_THROW_ON_ERROR);
        }
        fwrite(STDOUT, implode(",\n", $rows) . "\n");
    }

    if ($argv[1] === 'one') {
        one($argv[2]);
        exit;
    }
    $found = [];
    foreach (array_slice($argv, 1) as $argument) {
        $found[] = trim(shell_exec(implode(' ', array_map('escapeshellarg', [PHP_BINARY, __FILE__, 'one', ...explode('=', $argument, 2)]))));
    }
    echo "[\n", implode(",\n", array_filter($found)), "\n]\n";
}
