<?php
/*
 * Password vectors by PHP itself and by the PHP software whose sources are at hand.
 *
 *     php passwords_php.php php                      > crates/passwords/tests/data/php.json
 *     php passwords_php.php wordpress /path/to/site  > crates/passwords/tests/data/wordpress.json
 *
 * with php (8.2, extension intl for phpBB), wordpress (6.9), drupal7 (7.105), drupal (11), phpbb
 * (3.3.10) and joomla3 (3.15). The software's own functions hash and check; what surrounds them
 * (a database, a form) is stood in for below, and said so in each place. The verdict is that of
 * the check: true, false, or "raises".
 */

error_reporting(E_ALL & ~E_DEPRECATED & ~E_WARNING);
ini_set('display_errors', 'stderr');

const WORDS = [
    'plain' => 'correct horse',
    'non-ASCII' => 'pässw0rd-ä',
    'NFD' => "pa\u{308}ssword",
    'emoji' => '🐎 staple',
    'apostrophe' => "it's",
    'quotes' => 'say "hi" \\ \'ho\'',
    'markup' => 'a&b<c>"d',
    'entities' => 'a&amp;b&lt;c&gt;&quot;d',
    'numeric entity' => 'it&#039;s',
    'spaces around' => '  two words  ',
    'tabs and newlines' => "\ttabs\r\nand\rlines\n",
    'zero' => '0',
    'double zero' => '00',
    'one space' => ' ',
    'inner NUL' => "abc\0def",
    'trailing NUL' => "abcdef\0",
    'byte order mark' => "\u{feff}abc",
    'Latin-1' => "p\xe4ssword",
    'Windows-1252' => 'price 5€ – ‘quoted’ œ',
    '72 bytes' => 'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb',
    '80 bytes' => 'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbcccccccc',
];

/** Writes rows down; `check` is the software's verdict on a typed password. */
final class Vectors
{
    private array $rows = [];

    public function __construct(
        private string $rules,
        private string $by,
        private Closure $check,
    ) {
    }

    public function add(string $note, string $password, string $encoded, array $context = []): void
    {
        try {
            $verdict = ($this->check)($password, $encoded, $context);
        } catch (Throwable) {
            $verdict = 'raises';
        }
        $row = ['rules' => $this->rules, 'note' => $note];
        $row += mb_or_utf8($password) ? ['password' => $password] : ['password_b64' => base64_encode($password)];
        $row += ['encoded' => $encoded, 'verdict' => $verdict, 'verdict_by' => $this->by];
        if ($context) {
            $row['context'] = $context;
        }
        $this->rows[] = $row;
    }

    public function both(string $note, string $password, string $encoded, array $context = []): void
    {
        $this->add($note, $password, $encoded, $context);
        $this->add("$note, wrong password", 'not it', $encoded, $context);
        $this->add("$note, longer password", $password . 'x', $encoded, $context);
    }

    /** What nobody's software wrote, made from what it did. */
    public function damaged(string $name, string $password, string $encoded): void
    {
        $this->add("$name: cut by one", $password, substr($encoded, 0, -1));
        $this->add("$name: cut in half", $password, substr($encoded, 0, intdiv(strlen($encoded), 2)));
        $this->add("$name: newline after", $password, $encoded . "\n");
        $this->add("$name: space before", $password, ' ' . $encoded);
        $this->add("$name: one more character", $password, $encoded . '.');
        $this->add("$name: extra field", $password, $encoded . '$extra');
        $this->add("$name: upper-case", $password, strtoupper($encoded));
        $this->add("$name: lower-case", $password, strtolower($encoded));
        $last = substr($encoded, -1) === '/' ? '.' : '/';
        $this->add("$name: other last character", $password, substr($encoded, 0, -1) . $last);
        $this->add("$name: typed as the password", $encoded, $encoded);
    }

    public function write(): void
    {
        $flags = JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_THROW_ON_ERROR;
        $lines = array_map(fn ($row) => json_encode($row, $flags), $this->rows);
        echo "[\n", implode(",\n", $lines), "\n]\n";
    }
}

function mb_or_utf8(string $text): bool
{
    return preg_match('//u', $text) === 1;
}

/** A portable hash of a cost that replays quickly. */
function portable(string $password, string $settings, string $algorithm = 'md5', int $length = 34): string
{
    $alphabet = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
    $hash = hash($algorithm, substr($settings, 4, 8) . $password, true);
    for ($round = 1 << strpos($alphabet, $settings[3]); $round > 0; $round--) {
        $hash = hash($algorithm, $hash . $password, true);
    }
    $output = $settings;
    foreach (str_split($hash, 3) as $chunk) {
        $bits = 0;
        foreach (array_reverse(str_split($chunk)) as $byte) {
            $bits = $bits << 8 | ord($byte);
        }
        for ($i = 0; $i <= strlen($chunk); $i++) {
            $output .= $alphabet[$bits >> (6 * $i) & 63];
        }
    }
    return substr($output, 0, $length);
}

const BCRYPT = '$04$abcdefghijklmnopqrstuu';
const ARGON2 = ['memory_cost' => 64, 'time_cost' => 1, 'threads' => 1];

function php(): Vectors
{
    $vectors = new Vectors('php', 'PHP ' . PHP_VERSION . ' password_verify()', 
        fn (string $password, string $encoded) => password_verify($password, $encoded));
    $settings = ['$2y' . BCRYPT, '$2a' . BCRYPT, '$2b' . BCRYPT, '$1$seasalt$', '$1$$', '$1$sält$',
        '$5$rounds=1000$seasalt$', '$6$rounds=1000$seasalt$', '$5$seasalt$', '$6$sixteencharacter$',
        '$5$a:b$', '$6$$', 'ab', './', '_J9..rasm', '_/...zzzz'];
    foreach ($settings as $setting) {
        foreach (WORDS + ['empty' => ''] as $word => $password) {
            $vectors->add("crypt $setting: $word", $password, crypt($password, $setting));
        }
        $vectors->both("crypt $setting: 4096 bytes", str_repeat('k', 4096), crypt(str_repeat('k', 4096), $setting));
        $vectors->both("crypt $setting", 'secret', crypt('secret', $setting));
        $vectors->damaged("crypt $setting", 'secret', crypt('secret', $setting));
    }
    $good = crypt('secret', '$2y' . BCRYPT);
    $vectors->add('$2y$: cost of one digit', 'secret', str_replace('$04$', '$4$', $good));
    $vectors->add('$2y$: cost 03', 'secret', str_replace('$04$', '$03$', $good));
    $vectors->add('$2y$: cost 05', 'secret', str_replace('$04$', '$05$', $good));
    $vectors->add('$2y$: cost 32', 'secret', str_replace('$04$', '$32$', $good));
    $vectors->add('$2y$: spare bits of the salt', 'secret', str_replace('stuu', 'stuv', $good));
    $vectors->add('$2y$: as $2b$', 'secret', str_replace('$2y$', '$2b$', $good));
    $vectors->add('$2y$: as $2c$', 'secret', str_replace('$2y$', '$2c$', $good));
    $vectors->add('$2y$: as $2$', 'secret', str_replace('$2y$', '$2$', $good));
    $vectors->add('$2y$: 73rd byte differs', str_repeat('b', 72) . 'other', crypt(WORDS['80 bytes'], '$2y' . BCRYPT));
    $vectors->add('$2y$: 72nd byte differs', str_repeat('b', 71) . 'c', crypt(WORDS['80 bytes'], '$2y' . BCRYPT));
    foreach (["abc\xff", "\xff\xa3\x34\xff\xff\xff\xa3\x34\x35", "\xff\xff\xff\xff"] as $password) {
        $vectors->add('$2a$: bytes beyond ASCII', $password, crypt($password, '$2a' . BCRYPT));
    }
    $vectors->add('$2a$: of a password that is countered, as $2y$ would have it', "\xff\xff\xa3",
        str_replace('$2y$', '$2a$', crypt("\xff\xff\xa3", '$2y' . BCRYPT)));
    $good = crypt('secret', '$5$rounds=1000$seasalt$');
    $vectors->add('$5$: rounds=01000', 'secret', str_replace('=1000', '=01000', $good));
    $vectors->add('$5$: rounds=+1000', 'secret', str_replace('=1000', '=+1000', $good));
    $vectors->add('$5$: rounds=999', 'secret', str_replace('=1000', '=999', $good));
    $vectors->add('$5$: rounds=1001', 'secret', str_replace('=1000', '=1001', $good));
    $vectors->add('$5$: no rounds', 'secret', str_replace('rounds=1000$', '', $good));
    $vectors->add('$5$: as $6$', 'secret', str_replace('$5$', '$6$', $good));
    $vectors->add('$5$: salt of 17', 'secret', str_replace('acter$', 'acterX$', crypt('secret', '$5$sixteencharacter$')));
    $vectors->add('$1$: salt of 9', 'secret', str_replace('eight123$', 'eight123X$', crypt('secret', '$1$eight123$')));
    $vectors->add('DES: eighth byte differs', 'correct!', crypt('correct horse', 'ab'));
    $vectors->add('DES: ninth byte differs', 'correct other', crypt('correct horse', 'ab'));
    $vectors->add('DES: eighth bit differs', "\xe3orrect ", crypt('correct horse', 'ab'));
    foreach ([PASSWORD_ARGON2I, PASSWORD_ARGON2ID] as $algorithm) {
        foreach (WORDS + ['empty' => '', '4096 bytes' => str_repeat('k', 4096)] as $word => $password) {
            $vectors->both("$algorithm: $word", $password, password_hash($password, $algorithm, ARGON2));
        }
        $good = password_hash('secret', $algorithm, ARGON2);
        $vectors->damaged($algorithm, 'secret', $good);
        $vectors->add("$algorithm: no version", 'secret', str_replace('v=19$', '', $good));
        $vectors->add("$algorithm: other version", 'secret', str_replace('v=19', 'v=16', $good));
        $vectors->add("$algorithm: other order", 'secret', str_replace('m=64,t=1', 't=1,m=64', $good));
        $vectors->add("$algorithm: m=064", 'secret', str_replace('m=64', 'm=064', $good));
        $vectors->add("$algorithm: t=2", 'secret', str_replace('t=1', 't=2', $good));
        $vectors->add("$algorithm: as argon2d", 'secret', str_replace($algorithm, 'argon2d', $good));
    }
    $vectors->add('argon2id: default cost', 'secret', password_hash('secret', PASSWORD_ARGON2ID));
    $vectors->add('bcrypt: default cost', 'secret', password_hash('secret', PASSWORD_BCRYPT));
    $vectors->add('bcrypt: default cost of 8.4', 'secret', password_hash('secret', PASSWORD_BCRYPT, ['cost' => 12]));
    foreach (['', '*', '*0', '*1', '!', '$', '$$', '$2y$', '$argon2id$', 'secret', md5('secret'), sha1('secret'),
        'md5$seasalt$' . md5('seasaltsecret'), '{SHA}' . base64_encode(sha1('secret', true))] as $encoded) {
        $vectors->add('no hash of PHP', 'secret', $encoded);
    }
    return $vectors;
}

function wordpress(string $root): Vectors
{
    define('ABSPATH', "$root/");
    define('WPINC', 'wp-includes');
    // The database: one user, whose hash is the one at hand.
    eval('function get_user_by($field, $value) { $user = new WP_User; $user->user_pass = $GLOBALS["encoded"]; return $user; }');
    eval('class WP_User { public $ID = 1; public $user_pass; }');
    eval('function wp_password_needs_rehash() { return false; }');
    eval('function __($text) { return $text; } function _x($text) { return $text; }');
    eval('function wp_lostpassword_url() { return ""; }');
    require "$root/wp-includes/version.php";
    require "$root/wp-includes/plugin.php";
    require "$root/wp-includes/class-wp-error.php";
    require "$root/wp-includes/load.php";
    require "$root/wp-includes/compat.php";
    require "$root/wp-includes/formatting.php";
    require "$root/wp-includes/functions.php";
    require "$root/wp-includes/pluggable.php";
    require "$root/wp-includes/user.php";
    add_filter('authenticate', 'wp_authenticate_username_password', 20, 3);
    // As wp-settings.php and wp_signon() do with what wp-login.php is sent.
    $login = function (string $password, string $encoded): bool {
        $GLOBALS['encoded'] = $encoded;
        $_POST = ['log' => 'alice', 'pwd' => $password];
        $_GET = $_COOKIE = [];
        wp_magic_quotes();
        return wp_authenticate('alice', $_POST['pwd']) instanceof WP_User;
    };
    $vectors = new Vectors('wordpress', "WordPress $wp_version wp_authenticate() of a posted password", $login);
    foreach (WORDS as $word => $password) {
        // What the profile page hands over: slashed (edit_user() takes $_POST as it is), and trimmed.
        $slashed = trim(addslashes($password));
        $hash = '$wp$2y' . substr(crypt(base64_encode(hash_hmac('sha384', $slashed, 'wp-sha384', true)), '$2y' . BCRYPT), 3);
        $vectors->both("\$wp\$2y\$: $word", $password, $hash);
        $vectors->both("\$P\$: $word", $password, portable($slashed, '$P$5seasalt8'));
        $vectors->both("md5: $word", $password, md5($slashed));
        $vectors->both("\$2y\$: $word", $password, crypt($slashed, '$2y' . BCRYPT));
        $vectors->both("argon2id: $word", $password, password_hash($slashed, PASSWORD_ARGON2ID, ARGON2));
    }
    foreach ([4095, 4096, 4097] as $length) {
        $password = str_repeat('k', $length);
        $vectors->add("\$wp\$2y\$: $length bytes", $password, '$wp$2y' . substr(
            crypt(base64_encode(hash_hmac('sha384', $password, 'wp-sha384', true)), '$2y' . BCRYPT), 3));
        $vectors->add("\$P\$: $length bytes", $password, portable($password, '$P$5seasalt8'));
        $vectors->add("md5: $length bytes", $password, md5($password));
    }
    $prehashed = base64_encode(hash_hmac('sha384', 'secret', 'wp-sha384', true));
    $good = '$wp' . crypt($prehashed, '$2y' . BCRYPT);
    $vectors->damaged('$wp$2y$', 'secret', $good);
    $vectors->damaged('$P$', 'secret', portable('secret', '$P$5seasalt8'));
    $vectors->damaged('md5', 'secret', md5('secret'));
    $vectors->damaged('$2y$', 'secret', crypt('secret', '$2y' . BCRYPT));
    $vectors->add('$wp$2y$ without its prefix', 'secret', substr($good, 3));
    $vectors->add('$2y$ with the prefix', 'secret', '$wp' . crypt('secret', '$2y' . BCRYPT));
    $vectors->add('$wp$argon2id$ of the password', 'secret', '$wp' . password_hash('secret', PASSWORD_ARGON2ID, ARGON2));
    $vectors->add('$H$', 'secret', portable('secret', '$H$5seasalt8'));
    $vectors->add('$P$ of too few rounds', 'secret', str_replace('$P$5', '$P$4', portable('secret', '$P$5seasalt8')));
    $vectors->add('sha1', 'secret', sha1('secret'));
    $vectors->add('DES', 'secret', crypt('secret', 'ab'));
    $vectors->add('$5$', 'secret', crypt('secret', '$5$rounds=1000$seasalt$'));
    $vectors->add('empty', 'secret', '');
    $vectors->add('empty, nothing typed', '', '');
    $vectors->add('md5 of nothing, nothing typed', '', md5(''));
    $vectors->add('$P$ of default cost', 'secret', portable('secret', '$P$Bseasalt8'));
    $vectors->add('default cost', 'secret', wp_hash_password('secret'));
    return $vectors;
}

function drupal_cases(Vectors $vectors): Vectors
{
    foreach (WORDS as $word => $password) {
        $trimmed = trim($password);
        $vectors->both("\$S\$: $word", $password, portable($trimmed, '$S$5seasalt8', 'sha512', 55));
        $vectors->both("\$P\$: $word", $password, portable($trimmed, '$P$5seasalt8'));
        $vectors->both("U\$S\$: $word", $password, 'U' . portable(md5($trimmed), '$S$5seasalt8', 'sha512', 55));
    }
    foreach ([511, 512, 513] as $length) {
        $password = str_repeat('k', $length);
        $vectors->add("\$S\$: $length bytes", $password, portable($password, '$S$5seasalt8', 'sha512', 55));
        $vectors->add("U\$S\$: $length bytes", $password, 'U' . portable(md5($password), '$S$5seasalt8', 'sha512', 55));
        $vectors->add("\$P\$: $length bytes", $password, portable($password, '$P$5seasalt8'));
    }
    $good = portable('secret', '$S$5seasalt8', 'sha512', 55);
    $vectors->damaged('$S$', 'secret', $good);
    $vectors->damaged('U$S$', 'secret', 'U' . portable(md5('secret'), '$S$5seasalt8', 'sha512', 55));
    $vectors->damaged('$H$', 'secret', portable('secret', '$H$5seasalt8'));
    $vectors->add('$S$ not cut to 55', 'secret', portable('secret', '$S$5seasalt8', 'sha512', 98));
    $vectors->add('$S$ of MD5 without U', 'secret', portable(md5('secret'), '$S$5seasalt8', 'sha512', 55));
    $vectors->add('U$S$ of the password', 'secret', 'U' . $good);
    $vectors->add('U$P$', 'secret', 'U' . portable(md5('secret'), '$P$5seasalt8'));
    $vectors->add('UU$S$', 'secret', 'UU' . $good);
    $vectors->add('$S$ of too few rounds', 'secret', portable('secret', '$S$4seasalt8', 'sha512', 55));
    $vectors->add('$S$ of too many rounds', 'secret', str_replace('$S$5', '$S$U', $good));
    $vectors->add('$S$ of strange rounds', 'secret', str_replace('$S$5', '$S$!', $good));
    $vectors->add('$S$ with SHA-256', 'secret', portable('secret', '$S$5seasalt8', 'sha256', 55));
    $vectors->add('md5', 'secret', md5('secret'));
    $vectors->add('sha1', 'secret', sha1('secret'));
    $vectors->add('empty', 'secret', '');
    $vectors->add('$S$ alone', 'secret', '$S$');
    $vectors->add('$S$ settings alone', 'secret', substr($good, 0, 12));
    $vectors->add('$S$ of default cost', 'secret', portable('secret', '$S$Dseasalt8', 'sha512', 55));
    return $vectors;
}

function drupal7(string $root): Vectors
{
    require "$root/includes/password.inc";
    // user_login_authenticate_validate() trims, and asks nobody where nothing is left.
    $login = function (string $password, string $encoded): bool {
        $password = trim($password);
        return strlen($password) > 0 && user_check_password($password, (object) ['pass' => $encoded]);
    };
    return drupal_cases(new Vectors('drupal', 'Drupal 7.105 user_check_password()', $login));
}

function drupal(string $root): Vectors
{
    foreach (['PasswordInterface', 'PhpassHashedPasswordBase', 'PhpPassword'] as $name) {
        require "$root/lib/Drupal/Core/Password/$name.php";
    }
    require "$root/modules/phpass/src/Password/PhpassHashedPassword.php";
    $service = new Drupal\phpass\Password\PhpassHashedPassword(new Drupal\Core\Password\PhpPassword());
    // UserLoginForm trims.
    $login = fn (string $password, string $encoded) =>
        strlen(trim($password)) > 0 && $service->check(trim($password), $encoded);
    $vectors = drupal_cases(new Vectors('drupal', 'Drupal 11 PhpassHashedPassword::check()', $login));
    foreach (WORDS as $word => $password) {
        $vectors->both("\$2y\$: $word", $password, crypt(trim($password), '$2y' . BCRYPT));
        $vectors->both("argon2id: $word", $password, password_hash(trim($password), PASSWORD_ARGON2ID, ARGON2));
    }
    foreach ([511, 512, 513] as $length) {
        $password = str_repeat('k', $length);
        $vectors->add("\$2y\$: $length bytes", $password, crypt($password, '$2y' . BCRYPT));
    }
    $vectors->damaged('$2y$', 'secret', crypt('secret', '$2y' . BCRYPT));
    $vectors->add('U$2y$', 'secret', 'U' . crypt(md5('secret'), '$2y' . BCRYPT));
    $vectors->add('default cost', 'secret', $service->hash('secret'));
    return $vectors;
}

function joomla3(string $root): Vectors
{
    define('JPATH_PLATFORM', "$root/libraries");
    eval('namespace Joomla\CMS\Log; class Log { const WARNING = 16; static function add() {} }');
    require "$root/libraries/phpass/PasswordHash.php";
    require "$root/libraries/src/Crypt/Crypt.php";
    class_alias('Joomla\CMS\Crypt\Crypt', 'JCrypt');
    require "$root/libraries/src/User/UserHelper.php";
    // The authentication plugin: an empty() password is refused before all else.
    $login = fn (string $password, string $encoded) =>
        !empty($password) && Joomla\CMS\User\UserHelper::verifyPassword($password, $encoded);
    $vectors = new Vectors('joomla3', 'Joomla 3.15 UserHelper::verifyPassword()', $login);
    foreach (WORDS + ['empty' => '', '4096 bytes' => str_repeat('k', 4096)] as $word => $password) {
        $vectors->both("md5:salt: $word", $password, md5($password . 'sixteencharacter') . ':sixteencharacter');
        $vectors->both("md5: $word", $password, md5($password));
        $vectors->both("{SHA256}: $word", $password, '{SHA256}' . hash('sha256', $password . 'seasalt') . ':seasalt');
        $vectors->both("\$P\$: $word", $password, portable($password, '$P$5seasalt8'));
        $vectors->both("\$2y\$: $word", $password, crypt($password, '$2y' . BCRYPT));
        $vectors->both("argon2id: $word", $password, password_hash($password, PASSWORD_ARGON2ID, ARGON2));
    }
    $good = md5('secretsalt') . ':salt';
    $vectors->damaged('md5:salt', 'secret', $good);
    $vectors->damaged('md5', 'secret', md5('secret'));
    $vectors->damaged('{SHA256}', 'secret', '{SHA256}' . hash('sha256', 'secretsalt') . ':salt');
    $vectors->damaged('$P$', 'secret', portable('secret', '$P$5seasalt8'));
    $vectors->damaged('$2y$', 'secret', crypt('secret', '$2y' . BCRYPT));
    $vectors->add('md5: with a colon', 'secret', md5('secret') . ':');
    $vectors->add('md5: with two colons', 'secret', md5('secret') . '::');
    $vectors->add('md5:0', 'secret', md5('secret0') . ':0');
    $vectors->add('md5:salt:more', 'secret', md5('secretsalt') . ':salt:more');
    $vectors->add('md5:salt of nothing', '', md5('salt') . ':salt');
    $vectors->add('md5:salt, salt first', 'secret', md5('saltsecret') . ':salt');
    $vectors->add('MD5:salt', 'secret', strtoupper(md5('secretsalt')) . ':salt');
    $vectors->add('{SHA256} without salt', 'secret', '{SHA256}' . hash('sha256', 'secret'));
    $vectors->add('{SHA256} with an empty salt', 'secret', '{SHA256}' . hash('sha256', 'secret') . ':');
    $vectors->add('{SHA256} with salt 0', 'secret', '{SHA256}' . hash('sha256', 'secret0') . ':0');
    $vectors->add('{SHA256} with two colons', 'secret', '{SHA256}' . hash('sha256', 'secreta') . ':a:b');
    $vectors->add('{sha256}', 'secret', '{sha256}' . hash('sha256', 'secretsalt') . ':salt');
    $vectors->add('$H$', 'secret', portable('secret', '$H$5seasalt8'));
    $vectors->add('DES', 'secret', crypt('secret', 'ab'));
    $vectors->add('$1$', 'secret', crypt('secret', '$1$seasalt$'));
    $vectors->add('$5$', 'secret', crypt('secret', '$5$rounds=1000$seasalt$'));
    $vectors->add('$6$', 'secret', crypt('secret', '$6$rounds=1000$seasalt$'));
    foreach (['{SHA}' . base64_encode(sha1('secret', true)), '{MD5}' . base64_encode(md5('secret', true)),
        '{SSHA}' . base64_encode(sha1('secretsalt', true) . 'salt'), '{SMD5}' . base64_encode(md5('secretsalt', true) . 'salt'),
        '{crypt}' . crypt('secret', 'ab'), sha1('secret'), '', ':', 'secret'] as $encoded) {
        $vectors->add('never at login', 'secret', $encoded);
    }
    return $vectors;
}

function phpbb(string $root): Vectors
{
    define('IN_PHPBB', true);
    $root .= '/phpBB/';
    spl_autoload_register(function (string $class) use ($root) {
        require $root . str_replace('\\', '/', $class) . '.php';
    });
    require "{$root}includes/utf/utf_tools.php";
    $config = new phpbb\config\config(['rand_seed' => '', 'rand_seed_last_update' => time()]);
    $helper = new phpbb\passwords\driver\helper($config);
    $request = new class {
        public phpbb\request\request $real;
        public function __call(string $name, array $arguments): mixed
        {
            return $this->real->$name(...$arguments);
        }
    };
    $names = 'phpbb\passwords\driver\\';
    $salted = new ($names . 'salted_md5')($config, $helper);
    $bcrypt = new ($names . 'bcrypt')($config, $helper, 10);
    $drivers = [
        'passwords.driver.argon2i' => new ($names . 'argon2i')($config, $helper),
        'passwords.driver.argon2id' => new ($names . 'argon2id')($config, $helper),
        'passwords.driver.bcrypt' => $bcrypt,
        'passwords.driver.bcrypt_2y' => new ($names . 'bcrypt_2y')($config, $helper, 10),
        'passwords.driver.salted_md5' => $salted,
        'passwords.driver.phpass' => new ($names . 'phpass')($config, $helper),
        'passwords.driver.convert_password' => new ($names . 'convert_password')($config, $helper),
        'passwords.driver.sha1_smf' => new ($names . 'sha1_smf')($config, $helper),
        'passwords.driver.sha1' => new ($names . 'sha1')($config, $helper),
        'passwords.driver.sha1_wcf1' => new ($names . 'sha1_wcf1')($config, $helper),
        'passwords.driver.md5_mybb' => new ($names . 'md5_mybb')($config, $helper),
        'passwords.driver.md5_vb' => new ($names . 'md5_vb')($config, $helper),
        'passwords.driver.md5_phpbb2' => new ($names . 'md5_phpbb2')($request, $salted, $helper, $root, 'php'),
        'passwords.driver.bcrypt_wcf2' => new ($names . 'bcrypt_wcf2')($bcrypt, $helper),
        'passwords.driver.sha_xf1' => new ($names . 'sha_xf1')($config, $helper),
    ];
    $defaults = ['passwords.driver.argon2id', 'passwords.driver.bcrypt_2y'];
    $manager = new phpbb\passwords\manager($config, $drivers, new phpbb\passwords\helper(), $defaults);
    $type = fn (string $password) => (function () use ($password) {
        $_GET = $_COOKIE = $_FILES = $_SERVER = [];
        $_POST = $_REQUEST = ['password' => $password];
        $GLOBALS['_POST'] = $_POST;
        return new phpbb\request\request(new phpbb\request\type_cast_helper(), false);
    })();
    // login_box() reads the password so, and the db provider trims it and refuses none.
    $escaped = function (string $password) use ($type, $request): string {
        $request->real = $type($password);
        return trim($request->real->untrimmed_variable('password', '', true));
    };
    $login = function (string $password, string $encoded, array $row) use ($escaped, $manager): bool {
        $password = $escaped($password);
        return $password && $manager->check($password, $encoded, $row);
    };
    $vectors = new Vectors('phpbb', 'phpBB 3.3.10 request and passwords.manager->check()', $login);
    $cp1252 = function (string $text) use ($root): string {
        require_once "{$root}includes/utf/data/recode_basic.php";
        return utf8_to_cp1252($text);
    };
    foreach (WORDS as $word => $typed) {
        if (str_contains($word, 'entit')) {
            // Also tried as they stand: see `phpbb::verify`. Only what phpBB says true to is told.
            $vectors->add("escaped text typed: $word", $typed, portable($escaped($typed), '$H$5seasalt8'));
            continue;
        }
        $password = $escaped($typed);
        $vectors->both("\$H\$: $word", $typed, portable($password, '$H$5seasalt8'));
        $vectors->both("\$P\$: $word", $typed, portable($password, '$P$5seasalt8'));
        $vectors->both("\$2y\$: $word", $typed, crypt($password, '$2y' . BCRYPT));
        $vectors->both("\$2a\$: $word", $typed, crypt($password, '$2a' . BCRYPT));
        $vectors->both("argon2id: $word", $typed, password_hash($password, PASSWORD_ARGON2ID, ARGON2));
        $vectors->both("argon2i: $word", $typed, password_hash($password, PASSWORD_ARGON2I, ARGON2));
        $vectors->both("md5: $word", $typed, md5($password));
        $vectors->both("\$CP\$ md5: $word", $typed, '$CP$' . md5($password));
        $vectors->both("\$CP\$ sha1: $word", $typed, '$CP$' . sha1($password));
        $vectors->both("\$CP\$ \$H\$: $word", $typed, '$CP$' . portable($password, '$H$5seasalt8'));
        $vectors->both("\$CP\$ phpBB 2: $word", $typed, '$CP$' . md5(addslashes($typed)));
        $vectors->both("\$CP\$ phpBB 2, Windows-1252: $word", $typed, '$CP$' . md5($cp1252(addslashes($typed))));
        $vectors->both("\$CP\$ phpBB 2 in \$H\$: $word", $typed, '$CP$' . portable(md5(addslashes($typed)), '$H$5seasalt8'));
        $vectors->both("\$CP\$ phpBB 2 in \$H\$, Windows-1252: $word", $typed,
            '$CP$' . portable(md5($cp1252(addslashes($typed))), '$H$5seasalt8'));
        $vectors->both("\$CP\$ md5 of md5: $word", $typed, '$CP$' . md5(md5(addslashes($typed))));
        $salt = ['user_passwd_salt' => 'ab"12'];
        $vectors->both("\$CP\$ MyBB: $word", $typed, '$CP$' . md5(md5('ab"12') . md5($password)), $salt);
        $vectors->both("\$CP\$ vBulletin: $word", $typed, '$CP$' . md5(md5($password) . 'ab"12'), $salt);
        $vectors->both("\$CP\$ WoltLab 1: $word", $typed,
            '$CP$' . sha1('ab"12' . sha1('ab"12' . sha1($password))), $salt);
        $vectors->both("\$CP\$ XenForo 1.0: $word", $typed, '$CP$' . sha1(sha1($password) . 'ab"12'), $salt);
        $vectors->both("\$CP\$ XenForo 1.1: $word", $typed,
            '$CP$' . hash('sha256', hash('sha256', $password) . 'ab"12'), $salt);
        $vectors->both("\$CP\$ SMF: $word", $typed, '$CP$' . sha1('alice' . $password), ['login_name' => 'Alice']);
        $vectors->both("\$CP\$ WoltLab 2: $word", $typed,
            '$CP$' . crypt(crypt($password, '$2a' . BCRYPT), '$2a' . BCRYPT));
        // As update_hashes does, with a cost that replays quickly.
        foreach (['2y', '2a'] as $kind) {
            $inner = portable($password, '$H$5seasalt8');
            $outer = crypt(substr($inner, 12), "\$$kind" . BCRYPT);
            $combined = "\$H\\$kind\$5seasalt8\$04\\" . substr($outer, 7, 22) . '$' . substr($outer, 29);
            $vectors->both("combined $kind: $word", $typed, $combined);
            $inner = portable(md5($password), '$H$5seasalt8');
            $outer = crypt(substr($inner, 12), "\$$kind" . BCRYPT);
            $combined = "\$H\\$kind\$5seasalt8\$04\\" . substr($outer, 7, 22) . '$' . substr($outer, 29);
            $vectors->both("combined $kind over md5: $word", $typed, $combined);
        }
    }
    foreach ([4095, 4096, 4097] as $length) {
        $password = str_repeat('k', $length);
        $vectors->add("\$H\$: $length bytes", $password, portable($password, '$H$5seasalt8'));
        $vectors->add("md5: $length bytes", $password, md5($password));
        $vectors->add("argon2id: $length bytes", $password, password_hash($password, PASSWORD_ARGON2ID, ARGON2));
    }
    $vectors->add('escaping makes it too long', str_repeat('&', 1000), portable(str_repeat('&amp;', 1000), '$H$5seasalt8'));
    $vectors->add('hash of what is not escaped', 'a&b<c>"d', portable('a&b<c>"d', '$H$5seasalt8'));
    $vectors->add('hash of what is not escaped, $2y$', 'a&b', crypt('a&b', '$2y' . BCRYPT));
    $vectors->add('hash of what is not trimmed', ' a ', portable(' a ', '$H$5seasalt8'));
    $vectors->add('hash of what is not composed', "a\u{308}", portable("a\u{308}", '$H$5seasalt8'));
    $vectors->add('$CP$ SMF without a name', 'secret', '$CP$' . sha1('alicesecret'));
    $vectors->add('$CP$ SMF, another name', 'secret', '$CP$' . sha1('alicesecret'), ['login_name' => 'bob']);
    $vectors->add('$CP$ vBulletin without a salt', 'secret', '$CP$' . md5(md5('secret') . 'salt'));
    $vectors->add('$CP$ vBulletin, another salt', 'secret', '$CP$' . md5(md5('secret') . 'salt'), ['user_passwd_salt' => 'x']);
    $vectors->add('$CP$ MyBB, an empty salt', 'secret', '$CP$' . md5(md5('') . md5('secret')), ['user_passwd_salt' => '']);
    $vectors->add('$CP$ with nothing', 'secret', '$CP$');
    $vectors->add('$CP$ of a whole $2y$', 'secret', '$CP$' . crypt('secret', '$2y' . BCRYPT));
    $vectors->add('$CP$ of the password', 'secret', '$CP$secret');
    $vectors->add('$CP$$CP$', 'secret', '$CP$$CP$' . md5('secret'));
    $vectors->add('34 characters of another prefix', 'secret', portable('secret', '$Q$5seasalt8'));
    $vectors->add('34 characters of no prefix', 'secret', portable('secret', 'abc5seasalt8'));
    $vectors->add('$2b$', 'secret', crypt('secret', '$2b' . BCRYPT));
    $vectors->add('$1$', 'secret', crypt('secret', '$1$seasalt$'));
    $vectors->add('DES', 'secret', crypt('secret', 'ab'));
    $vectors->add('sha1', 'secret', sha1('secret'));
    $vectors->add('$sha1$', 'secret', '$sha1$' . sha1('secret'));
    $vectors->add('$smf$', 'secret', '$smf$' . sha1('alicesecret'), ['login_name' => 'alice']);
    $vectors->add('MD5', 'secret', strtoupper(md5('secret')));
    $vectors->add('empty', 'secret', '');
    $vectors->add('empty, nothing typed', '', '');
    $vectors->add('md5 of nothing, nothing typed', '', md5(''));
    foreach (['$H$' => portable('secret', '$H$5seasalt8'), '$2y$' => crypt('secret', '$2y' . BCRYPT),
        'md5' => md5('secret'), '$CP$' => '$CP$' . md5('secret')] as $name => $encoded) {
        $vectors->damaged($name, 'secret', $encoded);
    }
    $combined = $manager->hash(portable('secret', '$H$7seasalt8'), ['passwords.driver.bcrypt_2y']);
    $vectors->both('combined by the manager, default cost', 'secret', $combined);
    $vectors->damaged('combined', 'secret', $combined);
    $vectors->add('combined: other order', 'secret', str_replace('$H\\2y$', '$2y\\H$', $combined));
    $vectors->add('combined: twice the same', 'secret', str_replace('$H\\2y$', '$2y\\2y$', $combined));
    $vectors->add('combined: unknown', 'secret', str_replace('$H\\2y$', '$H\\2b$', $combined));
    $vectors->add('combined: three', 'secret', str_replace('$H\\2y$', '$H\\2y\\2a$', $combined));
    $vectors->add('combined: $P', 'secret', str_replace('$H\\2y$', '$P\\2y$', $combined));
    $vectors->add('combined: typed md5', md5('secret'), $combined);
    return $vectors;
}

[, $which, $root] = $argv + [null, '', ''];
if (!in_array($which, ['php', 'wordpress', 'drupal7', 'drupal', 'joomla3', 'phpbb'], true)) {
    fwrite(STDERR, "usage: php passwords_php.php php|wordpress|drupal7|drupal|joomla3|phpbb [DIRECTORY]\n");
    exit(2);
}
$which($root)->write();
