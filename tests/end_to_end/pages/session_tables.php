<?php
// Session tables of PHP frameworks, written and read by the statements of their own handlers:
// CodeIgniter 3.1 (Session_database_driver), CodeIgniter 4.6 (MySQLiHandler, PostgreHandler), Yii 2.0
// (DbSession), CakePHP 5.2 (DatabaseSession), Laminas session 2 (DbTableGateway), and a handler of a
// site's own with a DATETIME in PHP's time zone. Prints whose session each id is, as JSON.
//
// Arguments: framework, DSN, user, password.

[, $framework, $dsn, $user, $password] = $argv;
date_default_timezone_set('Europe/Warsaw');
$db = new PDO($dsn, $user, $password, [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);
$kind = $db->getAttribute(PDO::ATTR_DRIVER_NAME);
if ($kind === 'mysql') {
    // The zone of the site's own connection.
    $db->exec("SET time_zone = '+05:30'");
}
$blob = ['mysql' => 'BLOB', 'pgsql' => 'BYTEA', 'sqlite' => 'BLOB'][$kind];
$text = $kind === 'pgsql' ? 'TEXT' : $blob;

function run(string $sql, array $values = []): PDOStatement
{
    $statement = $GLOBALS['db']->prepare($sql);
    foreach ($values as $place => [$value, $type]) {
        $statement->bindValue($place, $value, $type);
    }
    $statement->execute();
    return $statement;
}

function words(string ...$values): array
{
    return array_map(fn ($value) => [$value, PDO::PARAM_STR], $values);
}

function column(PDOStatement $statement): string
{
    $value = $statement->fetchColumn();
    return is_resource($value) ? stream_get_contents($value) : (string) $value;
}

// How each framework makes its table, writes a session that was last used some seconds ago, collects
// garbage, and reads one.
$frameworks = [
    'codeigniter3' => [
        "CREATE TABLE ci_sessions (id varchar(128) NOT NULL PRIMARY KEY, ip_address varchar(45) NOT NULL, "
            . "timestamp bigint DEFAULT 0 NOT NULL, data $text NOT NULL)",
        fn ($id, $data, $ago) => run(
            "INSERT INTO ci_sessions (id, ip_address, timestamp, data) VALUES (:id, '127.0.0.1', " . (time() - $ago)
                . ', :data)',
            words(id: $id, data: $kind === 'pgsql' ? base64_encode($data) : $data),
        ),
        fn () => run('DELETE FROM ci_sessions WHERE timestamp < ' . (time() - 7200)),
        function ($id) use ($kind) {
            $data = column(run('SELECT data FROM ci_sessions WHERE id = :id', words(id: $id)));
            return $kind === 'pgsql' ? base64_decode(rtrim($data)) : $data;
        },
    ],
    'codeigniter4' => [
        "CREATE TABLE ci_sessions (id varchar(128) NOT NULL PRIMARY KEY, ip_address varchar(45) NOT NULL, "
            . "timestamp timestamp DEFAULT CURRENT_TIMESTAMP NOT NULL, data $blob NOT NULL)",
        fn ($id, $data, $ago) => run(
            "INSERT INTO ci_sessions (id, ip_address, timestamp, data) VALUES (:id, '127.0.0.1', now() - INTERVAL "
                . ($kind === 'pgsql' ? "'$ago' second" : "$ago second") . ', :data)',
            words(id: "ci_session:$id") + ['data' => [$data, PDO::PARAM_LOB]],
        ),
        fn () => run(
            'DELETE FROM ci_sessions WHERE timestamp < now() - INTERVAL '
                . ($kind === 'pgsql' ? "'7200' second" : '7200 second')
        ),
        fn ($id) => column(run('SELECT data FROM ci_sessions WHERE id = :id', words(id: "ci_session:$id"))),
    ],
    'yii2' => [
        "CREATE TABLE session (id CHAR(40) NOT NULL PRIMARY KEY, expire INTEGER, data $blob)",
        fn ($id, $data, $ago) => run(
            'INSERT INTO session (id, expire, data) VALUES (:id, ' . (time() + 1440 - $ago) . ', :data)',
            words(id: $id) + ['data' => [$data, PDO::PARAM_LOB]],
        ),
        fn () => run('DELETE FROM session WHERE expire < ' . time()),
        fn ($id) => column(run('SELECT data FROM session WHERE expire > ' . time() . ' AND id = :id', words(id: $id))),
    ],
    'cakephp' => [
        "CREATE TABLE sessions (id varchar(40) NOT NULL PRIMARY KEY, created timestamp NULL, data $blob, expires int)",
        fn ($id, $data, $ago) => run(
            'INSERT INTO sessions (id, data, expires) VALUES (:id, :data, ' . (time() + 1440 - $ago) . ')',
            words(id: $id) + ['data' => [$data, PDO::PARAM_LOB]],
        ),
        fn () => run('DELETE FROM sessions WHERE expires < ' . time()),
        fn ($id) => column(run('SELECT data FROM sessions WHERE id = :id', words(id: $id))),
    ],
    'laminas' => [
        "CREATE TABLE session (id char(32), name char(32), modified int, lifetime int, data $text, PRIMARY KEY (id, name))",
        fn ($id, $data, $ago, $name = 'PHPSESSID') => run(
            'INSERT INTO session (id, name, modified, lifetime, data) VALUES (:id, :name, ' . (time() - $ago)
                . ', 1440, :data)',
            words(id: $id, name: $name, data: $data),
        ),
        fn () => null,
        fn ($id) => column(run(
            "SELECT data FROM session WHERE id = :id AND name = 'PHPSESSID' AND modified + lifetime > " . time(),
            words(id: $id),
        )),
    ],
    'own' => [
        'CREATE TABLE visits (sid varchar(64) PRIMARY KEY, payload text, touched '
            . ($kind === 'mysql' ? 'datetime' : 'timestamp') . ')',
        fn ($id, $data, $ago) => run(
            'INSERT INTO visits (sid, payload, touched) VALUES (:id, :data, :touched)',
            words(id: $id, data: $data, touched: date('Y-m-d H:i:s', time() - $ago)),
        ),
        fn () => run('DELETE FROM visits WHERE touched < :then', words(then: date('Y-m-d H:i:s', time() - 1440))),
        fn ($id) => column(run('SELECT payload FROM visits WHERE sid = :id', words(id: $id))),
    ],
];
[$table, $write, $collect, $read] = $frameworks[$framework];

ini_set('session.use_cookies', 0);
ini_set('session.serialize_handler', 'php');
session_set_save_handler(new class extends SessionHandler {
    public function open($path, $name): bool { return true; }
    public function close(): bool { return true; }
    public function read($id): string { return $GLOBALS['data'] ?? ''; }
    public function write($id, $data): bool { return true; }
});

function encoded(array $values): string
{
    session_id(bin2hex(random_bytes(16)));
    $GLOBALS['data'] = '';
    session_start();
    $_SESSION = $values;
    $data = session_encode();
    session_abort();
    return $data;
}

function decoded(string $data): array
{
    session_id(bin2hex(random_bytes(16)));
    $GLOBALS['data'] = $data;
    session_start();
    $values = $_SESSION;
    session_abort();
    return $values;
}

$db->exec($table);
$ids = [];
$longest = str_starts_with($framework, 'codeigniter') ? 7200 : 1440;
foreach ([
    'live' => [['user' => 'alice', 'cart' => ['a;b|c']], 60],
    'nearly-ended' => [['user' => 'alice'], $longest - 60],
    'ended' => [['user' => 'alice'], $longest + 60],
    'long-ended' => [['user' => 'alice'], $longest + 4 * 3600],
    'anonymous' => [['seen' => 1], 60],
] as $name => [$values, $ago]) {
    $ids[$name] = bin2hex(random_bytes(16));
    $write($ids[$name], encoded($values), $ago);
}
if ($framework === 'laminas') {
    $ids['of-another-cookie'] = bin2hex(random_bytes(16));
    $write($ids['of-another-cookie'], encoded(['user' => 'alice']), 60, 'ADMIN');
}
$ids['unknown'] = bin2hex(random_bytes(16));
$told = [];
foreach ($ids as $name => $id) {
    $told[$name] = ['id' => $id];
}
// Whether a page would have let it in: garbage is collected before.
$db->beginTransaction();
$collect();
foreach ($ids as $name => $id) {
    $data = $read($id);
    $told[$name]['user'] = $data === '' ? null : (decoded($data)['user'] ?? null);
}
$db->rollBack();
echo json_encode($told);
