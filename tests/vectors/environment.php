<?php
/* Records what phpdotenv makes of lines of a .env: the value of KEY, or null where the file is refused or
   KEY is not set. Debian: php-vlucas-phpdotenv (in php-laravel-framework's dependencies).

   php tests/vectors/environment.php > crates/sites/tests/data/environment.json */
require '/usr/share/php/Dotenv/autoload.php';

$lines = [
    'KEY=value', 'KEY = value', ' KEY=value ', 'export KEY=value', "export\tKEY=value", 'exportKEY=value',
    '"KEY"=value', "'KEY'=value", 'KEY', 'KEY=', 'KEY=""', "KEY=''", 'KEY=a=b', 'KEY=a b', 'KEY="a b"',
    "KEY='a b'", 'KEY=value # why', 'KEY=value#why', 'KEY=#why', 'KEY= #why', 'KEY="a # b" # why', 'KEY="a"b',
    'KEY="a" b', "KEY='a'b", 'KEY=a"b', "KEY=a'b", 'KEY="a\\"b"', 'KEY="a\\nb\\t\\\\"', 'KEY="a\\d"', 'KEY="a\\$b"',
    "KEY='a\\nb'", 'KEY=a\\nb', 'KEY="open', "KEY='open", 'KEY="two' . "\n" . 'lines"', 'KEY=two' . "\n" . 'lines',
    'KEY="two' . "\n" . '"', "KEY='two\nlines'", 'KEY=${APP_NAME}', 'KEY="${APP_NAME} x"', "KEY='\${APP_NAME}'",
    'KEY=${NOT_THERE}', 'KEY="\\${APP_NAME}"', 'KEY=$APP_NAME', 'KEY=${APP_NAME}${APP_NAME}', 'KEY=${APP_NAME',
    'KEY=a${APP_NAME}b', 'KEY=${}', 'KEY=${APP NAME}', "KEY=one\nKEY=two", "KEY=one\n#KEY=two", '=value', 'K Y=value',
    'K-Y=value', "KEY=value\nno name", "KEY=value\nA-B=c", "KEY=value\r\nOTHER=x", "KEY=value\rOTHER=x", 'KEY=ä ö',
    'KEY=ä', 'KEY="ä ö"', "KEY=\ttab", "KEY=base64:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", 'KEY=null', 'KEY=true',
    'KEY="a\\\\"', 'KEY="a\\\\\\"b"', '# KEY=value', '   # KEY=value', ';KEY=value', 'KEY=;value', 'KEY="a"#why', 'KEY=()',
    'KEY=(null)', "KEY=\"a'b\"", "KEY='a\"b'", 'KEY=a!@%^&*()b', 'KEY.DOT=x', "KEY=one\nKEY", 'KEY="a\\f\\v"',
    'KEY="x" "y"', "KEY=one\nKEY=\n", 'KEY=$', 'KEY="$"', 'KEY=${APP_NAME}$', 'KEY="a' . "\n" . 'b" # why', 'KEY="a' . "\n" . 'b" c',
];
$rows = [];
foreach ($lines as $line) {
    $repository = Dotenv\Repository\RepositoryBuilder::createWithNoAdapters()
        ->addAdapter(Dotenv\Repository\Adapter\ArrayAdapter::class)->immutable()->make();
    try {
        $entries = (new Dotenv\Parser\Parser())->parse("APP_NAME=Shop\n$line\n");
        (new Dotenv\Loader\Loader())->load($repository, $entries);
        $rows[] = [$line, $repository->get('KEY')];
    } catch (Dotenv\Exception\InvalidFileException $wrong) {
        $rows[] = [$line, null];
    }
}
echo json_encode($rows, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES), "\n";
