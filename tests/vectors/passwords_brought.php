<?php
// Password vectors by the software of PHP sites: Nextcloud, Magento, MediaWiki and XenForo.
//
//     php passwords_brought.php nextcloud Hasher.php > crates/passwords/tests/data/nextcloud.json
//     php passwords_brought.php magento Encryptor.php > crates/passwords/tests/data/magento.json
//     php passwords_brought.php mediawiki /usr/share/mediawiki > crates/passwords/tests/data/mediawiki.json
//     php passwords_brought.php xenforo DIRECTORY > crates/passwords/tests/data/xenforo.json
//
// (PHP 8.2; lib/private/Security/Hasher.php of Nextcloud; lib/internal/Magento/Framework/Encryption/
// Encryptor.php of Magento 2; MediaWiki 1.39; XenForo/Authentication of XenForo 1.) Each class
// verifies by itself, what it needs of its framework is stubbed. Hashes are written by the class, or as
// older versions of it did.

error_reporting(0);
[, $software, $path] = $argv;
$rows = [];

function ask($verify, string $note, string $encoded, string $password): void {
    global $rows, $software, $by;
    try {
        $verdict = $verify($password, $encoded);
    } catch (\Throwable $raised) {
        $verdict = 'raises';
    }
    $row = ['rules' => $software, 'note' => $note];
    $row += mb_check_encoding($password, 'UTF-8') ? ['password' => $password]
        : ['password_b64' => base64_encode($password)];
    $rows[] = $row + ['encoded' => $encoded, 'verdict' => $verdict, 'verdict_by' => $by];
}

function everywhere($verify, string $note, string $encoded, string $password): void {
    ask($verify, $note, $encoded, $password);
    ask($verify, $note, $encoded, $password . ' ');
    ask($verify, $note, $encoded, strtoupper($password) . '!');
    ask($verify, $note, $encoded, '');
}

function damaged($verify, string $note, string $encoded, string $password): void {
    foreach ([substr($encoded, 0, -1), substr($encoded, 0, -2), $encoded . 'A', $encoded . "\n", $encoded . '=',
              ' ' . $encoded, strtoupper($encoded), strtolower($encoded), substr($encoded, 1)] as $changed) {
        ask($verify, "$note, damaged", $changed, $password);
    }
    foreach (str_split($encoded) as $at => $letter) {
        if ($at % 3 == 0 || strpos(':!$|', $letter) !== false) {
            ask($verify, "$note, another letter", substr_replace($encoded, $letter == 'b' ? 'c' : 'b', $at, 1), $password);
            ask($verify, "$note, a letter less", substr_replace($encoded, '', $at, 1), $password);
            ask($verify, "$note, a letter more", substr_replace($encoded, '0', $at, 0), $password);
        }
    }
}

$words = ['correct horse', 'pässw0rd-ä', '🐎 staple', 'x', str_repeat('k', 80), "nul\0byte", "\xff\xff\xa3"];

$nextcloud = function () use ($path, $words) {
    global $by;
    $by = 'Nextcloud OC\Security\Hasher';
    eval('namespace OCP; interface IConfig {}');
    eval('namespace OCP\Security; interface IHasher {}');
    require $path;
    $config = fn (string $salt) => new class($salt) implements OCP\IConfig {
        function __construct(private string $salt) {}
        function getSystemValueInt($key, $default) { return $default; }
        function getSystemValueBool($key, $default) { return $default; }
        function getSystemValue($key, $default) { return $key == 'passwordsalt' ? $this->salt : $default; }
    };
    $hasher = new OC\Security\Hasher($config(''));
    $verify = fn ($password, $encoded) => $hasher->verify($password, $encoded);
    foreach ($words as $at => $word) {
        $argon = ['memory_cost' => 64, 'time_cost' => 1, 'threads' => 1];
        $hashes = ['3|' . password_hash($word, PASSWORD_ARGON2ID, $argon), '2|' . password_hash($word, PASSWORD_ARGON2I, $argon),
                   '1|' . password_hash(str_replace("\0", '', $word), PASSWORD_BCRYPT, ['cost' => 4]), sha1($word),
                   password_hash(str_replace("\0", '', $word), PASSWORD_BCRYPT, ['cost' => 4]), crypt($word, '$2a$04$abcdefghijklmnopqrstuu'),
                   '3|' . crypt($word, '$6$rounds=1000$salt$'), '1|' . sha1($word), '1|' . md5($word)];
        foreach ($hashes as $encoded) {
            everywhere($verify, 'as written', $encoded, $word);
            if ($at == 0) damaged($verify, 'as written', $encoded, $word);
        }
        [, $rest] = explode('|', $hashes[2]);
        foreach (['0|', '4|', '01|', ' 1|', '+1|', '-1|', '1 |', '1a|', '|', 'a|', '1.5|', '1e0|', '2e0|', '0x1|', '11|', "1\n|",
                  '99999999999999999999|', '1||'] as $version) {
            ask($verify, "version $version", $version . $rest, $word);
        }
    }
    foreach (['', '|', '1|', '3|$argon2id$', str_repeat('a', 40), str_repeat('a', 60), '!'] as $nothing) {
        ask($verify, 'nothing', $nothing, '');
        ask($verify, 'nothing', $nothing, 'x');
    }
    // ownCloud before 7: the site's salt behind the password.
    global $rows;
    $salted = new OC\Security\Hasher($config('sitesalt'));
    $verify = fn ($password, $encoded) => $salted->verify($password, $encoded);
    $from = count($rows);
    foreach (['x', 'correct horse'] as $word) {
        foreach (['sitesalt', 'Sitesalt', ''] as $salt) {
            foreach ([$word, "$word$salt", 'y', ''] as $typed) {
                ask($verify, 'salt of the site', password_hash($word . $salt, PASSWORD_BCRYPT, ['cost' => 4]), $typed);
                ask($verify, 'salt of the site', sha1($word . $salt), $typed);
                ask($verify, 'salt of the site', '1|' . password_hash($word . $salt, PASSWORD_BCRYPT, ['cost' => 4]), $typed);
            }
        }
    }
    for (; $from < count($rows); $from++) {
        $rows[$from]['context'] = ['salt' => 'sitesalt'];
    }
};

$magento = function () use ($path, $words) {
    global $by;
    $by = 'Magento Encryptor::isValidHash';
    require $path;
    $encryptor = new Magento\Framework\Encryption\Encryptor(str_repeat('k', 32));
    $verify = fn ($password, $encoded) => $encryptor->isValidHash($password, $encoded);
    $argon = fn ($data, $salt, $length, $passes, $memory) => bin2hex(sodium_crypto_pwhash($length, $data,
        substr(str_pad($salt, 16, $salt), 0, 16), $passes, $memory, SODIUM_CRYPTO_PWHASH_ALG_ARGON2ID13));
    foreach ($words as $at => $word) {
        foreach (['salt', str_repeat('s4lt', 8), 'sixteen letters!'] as $salt) {
            $simple = [md5($salt . $word) . ":$salt:0", hash('sha256', $salt . $word) . ":$salt:1",
                       hash('sha256', $salt . md5($salt . $word)) . ":$salt:0:1",
                       hash('sha256', $salt . $word) . ":$salt", md5($salt . $word) . ":$salt", hash('sha256', $word), md5($word)];
            $argons = ['3_32_1_65536', '3_16_2_131072', '3_64_1_65537'];
            foreach ($argons as $version) {
                [, $length, $passes, $memory] = explode('_', $version);
                $simple[] = $argon($word, $salt, (int)$length, (int)$passes, (int)$memory) . ":$salt:$version";
                $simple[] = $argon(hash('sha256', $salt . $word), $salt, (int)$length, (int)$passes, (int)$memory) . ":$salt:1:$version";
                $simple[] = $argon(hash('sha256', $salt . md5($salt . $word)), $salt, (int)$length, (int)$passes, (int)$memory) . ":$salt:0:1:$version";
            }
            foreach ($simple as $encoded) {
                everywhere($verify, 'as written', $encoded, $word);
                if ($at == 0 && $salt == 'salt') damaged($verify, 'as written', $encoded, $word);
            }
            ask($verify, 'salt after the password', md5($word . $salt) . ":$salt:0", $word);
            ask($verify, 'upper case', strtoupper(hash('sha256', $salt . $word)) . ":$salt:1", $word);
            foreach (['', '4', '5', 'x', '-1', '1:4', '1:1', '3', '3_', '3_32', '3_32_0_65536', '3_0_1_65536', '3_32_1_8191', '3_32_1_x', '3_32_1_65536_1'] as $version) {
                ask($verify, "version $version", hash('sha256', $salt . $word) . ":$salt:$version", $word);
            }
        }
        if ($at < 2) {
            everywhere($verify, 'interactive', $argon($word, 'salt', 32, 2, 67108864) . ':salt:2', $word);
            everywhere($verify, 'interactive', $argon(hash('sha256', 'salt' . $word), 'salt', 32, 2, 67108864) . ':salt:1:2', $word);
            everywhere($verify, 'agnostic', $argon($word, 'salt', 32, 2, 67108864) . ':salt:3_32_2_67108864', $word);
        }
        ask($verify, 'empty salt', hash('sha256', $word) . '::1', $word);
        ask($verify, 'empty salt', md5($word) . '::0', $word);
        ask($verify, 'no digest', ':salt:1', $word);
    }
    foreach (['', ':', '::', ':::', '::1', '!'] as $nothing) {
        ask($verify, 'nothing', $nothing, 'x');
    }
};

$mediawiki = function () use ($path, $words) {
    global $by;
    $by = 'MediaWiki 1.39 PasswordFactory';
    define('MEDIAWIKI', true);
    foreach (['PasswordError', 'Password', 'ParameterizedPassword', 'InvalidPassword', 'MWOldPassword', 'MWSaltedPassword',
              'LayeredParameterizedPassword', 'BcryptPassword', 'Pbkdf2Password', 'Argon2Password', 'PasswordFactory'] as $class) {
        if ($class == 'PasswordError') eval('class MWException extends Exception {} class MWCryptRand { static function generateHex($n) { return bin2hex(random_bytes($n / 2)); } }');
        require "$path/includes/password/$class.php";
    }
    $config = ['A' => ['class' => MWOldPassword::class], 'B' => ['class' => MWSaltedPassword::class],
        'pbkdf2-legacyA' => ['class' => LayeredParameterizedPassword::class, 'types' => ['A', 'pbkdf2']],
        'pbkdf2-legacyB' => ['class' => LayeredParameterizedPassword::class, 'types' => ['B', 'pbkdf2']],
        'bcrypt' => ['class' => BcryptPassword::class, 'cost' => 4],
        'pbkdf2' => ['class' => Pbkdf2Password::class, 'algo' => 'sha512', 'cost' => '30', 'length' => '64'],
        'argon2' => ['class' => Argon2Password::class, 'algo' => 'auto', 'memory_cost' => 64, 'time_cost' => 1, 'threads' => 1]];
    $factories = [];
    foreach ([['sha512', '30', '64'], ['sha256', '40', '128'], ['sha1', '3', '20'], ['sha256', '7', '32']] as [$algo, $cost, $length]) {
        $config['pbkdf2'] = ['algo' => $algo, 'cost' => $cost, 'length' => $length] + $config['pbkdf2'];
        $factories[] = new PasswordFactory($config, 'pbkdf2');
    }
    $verify = fn ($password, $encoded) => $factories[0]->newFromCiphertext($encoded)->verify($password);
    foreach ($words as $at => $word) {
        foreach ($factories as $number => $factory) {
            foreach ($number ? ['pbkdf2', 'pbkdf2-legacyB'] : ['pbkdf2', 'bcrypt', 'argon2', 'A', 'B', 'pbkdf2-legacyA', 'pbkdf2-legacyB'] as $type) {
                $factory->setDefaultType($type);
                if (str_starts_with($type, 'pbkdf2-')) {
                    $inner = substr($type, -1);
                    $hash = $inner == 'A' ? ':A:' . md5($word) : ':B:5a17:' . md5('5a17-' . md5($word));
                    $layered = $factory->newFromType($type);
                    $layered->partialCrypt($factory->newFromCiphertext($hash));
                    $encoded = $layered->toString();
                } else {
                    $encoded = $factory->newFromPlaintext($type == 'bcrypt' ? str_replace("\0", '', $word) : $word)->toString();
                }
                everywhere($verify, $type, $encoded, $word);
                if ($at == 0 && $number < 2) damaged($verify, $type, $encoded, $word);
            }
        }
        everywhere($verify, 'A with a salt', ':A:5a17:' . md5('5a17-' . md5($word)), $word);
        everywhere($verify, 'B without a salt', ':B:' . md5($word), $word);
        everywhere($verify, 'B with an empty salt', ':B::' . md5('-' . md5($word)), $word);
        everywhere($verify, 'no type', md5($word), $word);
        everywhere($verify, 'unknown type', ':C:' . md5($word), $word);
        everywhere($verify, 'bcrypt in argon2', ':argon2:' . password_hash(str_replace("\0", '', $word), PASSWORD_BCRYPT, ['cost' => 4]), $word);
    }
    foreach (['', ':', '::', ':A:', ':B:', ':pbkdf2:', ':pbkdf2:sha512:30:64:', ':pbkdf2:sha512:30:64::', ':bcrypt:', ':bcrypt:4$', ':argon2:',
              ':pbkdf2:md4:1:16:AAAA:AAAA', ':pbkdf2:sha512:0:64:AAAA:AAAA', ':pbkdf2:sha512:-1:64:AAAA:AAAA', ':pbkdf2:sha512:1:0:AAAA:AAAA',
              ':pbkdf2-legacyA:!sha512:1:64!!AAAA!AAAA', ':A:' . str_repeat('0', 300)] as $nothing) {
        ask($verify, 'nothing', $nothing, '');
        ask($verify, 'nothing', $nothing, 'x');
    }
};

$xenforo = function () use ($path, $words) {
    global $by;
    $by = 'XenForo_Authentication';
    eval("abstract class XenForo_Authentication_Abstract { static function generateSalt() { return \"fixed\"; } }");
    eval('class XenForo_PasswordHash { function __construct($cost, $portable) {} '
        . 'function CheckPassword($password, $hash) { return password_verify($password, $hash); } }');
    require "$path/Core.php";
    require "$path/Core12.php";
    $verify = function ($password, $encoded) {
        // XenForo takes the class from the column `scheme_class`.
        $core = str_contains($encoded, 'hashFunc') ? new XenForo_Authentication_Core() : new XenForo_Authentication_Core12();
        $core->setData($encoded);
        return $core->authenticate(1, $password);
    };
    foreach ($words as $at => $word) {
        $old = new XenForo_Authentication_Core();
        $sha1 = ['hash' => sha1(sha1($word) . 's4lt'), 'salt' => 's4lt', 'hashFunc' => 'sha1'];
        $hashes = [$old->generate($word), serialize($sha1),
            serialize(['hash' => password_hash(str_replace("\0", '', $word), PASSWORD_BCRYPT, ['cost' => 4])]),
            serialize(['hash' => crypt(str_replace("\0", '', $word), '$2a$04$abcdefghijklmnopqrstuu')])];
        foreach ($hashes as $encoded) {
            everywhere($verify, 'as written', $encoded, $word);
            if ($at == 0) damaged($verify, 'as written', $encoded, $word);
        }
        ask($verify, 'another digest', serialize(['hash' => md5(md5($word) . 's'), 'salt' => 's', 'hashFunc' => 'md5']), $word);
        ask($verify, 'upper case', serialize(['hash' => strtoupper($sha1['hash'])] + $sha1), $word);
        ask($verify, 'empty hash', serialize(['hash' => '', 'salt' => 's4lt', 'hashFunc' => 'sha1']), $word);
    }
    foreach (['', 'a:0:{}', 'N;', 'b:1;', 's:1:"x";', 'a:1:{s:4:"hash";N;}', 'a:1:{s:4:"hash";s:0:"";}', 'a:1:{i:0;s:1:"x";}'] as $nothing) {
        ask($verify, 'nothing', $nothing, 'x');
    }
};

$$software();
$encode = fn ($row) => json_encode($row, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE);
echo "[\n", implode(",\n", array_map($encode, $rows)), "\n]\n";
