<?php
/*
 * Hashes of PHP's own crypt_blowfish, of passwords with bytes from 0x80 on, where `$2x$` and `$2a$`
 * are not what `$2y$` is.
 *
 *     php passwords_blowfish.php > crates/passwords/tests/data/php_blowfish.json
 *
 * with PHP 8.2. The verdict is that of password_verify().
 */

mt_srand(22);

/** A password of bytes that are mostly those that matter. */
function password(): string
{
    $bytes = [0xff, 0xff, 0xff, 0x80, 0xa3, 0xe4, 0x7f, 0x55, 0x61, 0x62, 0xc3, 0xa4];
    $password = '';
    for ($length = mt_rand(1, mt_rand(0, 3) ? 9 : 80); strlen($password) < $length;) {
        $password .= chr($bytes[mt_rand(0, count($bytes) - 1)]);
    }
    return $password;
}

$passwords = ["\xa3", "\xff\xff\xa3", "\xff\xa3", "\xff\xa334\xff\xff\xff\xa3345", "\xff\xa3345",
    "\xa3ab", "\xd1\x91", "\xd0\xc1\xd2\xcf\xcc\xd8", str_repeat("\xaa", 72),
    str_repeat("\xaa\x55", 36), str_repeat("\x55\xaa\xff", 24), str_repeat("\xff", 3), "\xff\xff\xff\xff",
    "1\xa3345", "\xff\xa334\xff\xff\xff\xa3345x", 'plain', "p\xc3\xa4ssword"];
while (count($passwords) < 160) {
    $passwords[] = password();
}

$salts = ['abcdefghijklmnopqrstuu', 'CCCCCCCCCCCCCCCCCCCCC.'];
$rows = [];
$add = function (string $note, string $password, string $encoded) use (&$rows): void {
    $rows[] = json_encode([
        'rules' => 'php',
        'note' => $note,
        'password_b64' => base64_encode($password),
        'encoded' => $encoded,
        'verdict' => password_verify($password, $encoded),
        'verdict_by' => 'PHP ' . PHP_VERSION . ' password_verify()',
    ], JSON_UNESCAPED_SLASHES | JSON_THROW_ON_ERROR);
};
foreach ($passwords as $position => $password) {
    $salt = $salts[$position % 2];
    $hashes = [];
    foreach (['2x', '2a', '2y'] as $variant) {
        $hashes[$variant] = crypt($password, "\$$variant\$04\$$salt");
        $add("\$$variant\$ of its password", $password, $hashes[$variant]);
    }
    // The digest of one under the name of another.
    foreach (['2x' => '2y', '2a' => '2x', '2y' => '2a'] as $name => $of) {
        $add("\$$name\$ with the digest of \$$of\$", $password, "\$$name" . substr($hashes[$of], 3));
    }
    // Other passwords that the bug takes for it.
    foreach (["\xff", "\xff\xff"] as $more) {
        $add('$2x$ of another password', $more . $password, $hashes['2x']);
        $add('$2a$ of another password', $more . $password, $hashes['2a']);
    }
    $add('$2x$ of the end alone', substr($password, 1), $hashes['2x']);
}
echo "[\n", implode(",\n", $rows), "\n]\n";
