/* Answers, as PHP itself reads a session, who is logged in to it. A line of JSON is a question, a line is
   its answer. Nothing is changed: a session is read and closed, and the save handler is kept from
   writing, destroying and collecting.

   $told holds where in $_SESSION the user is, and $path the file or directory of the settings. */

/** The site's own save handler, reading alone. */
final class Reading extends SessionHandler
{
    public function write(string $id, string $data): bool { return true; }
    public function destroy(string $id): bool { return true; }
    public function gc(int $max_lifetime): int|false { return 0; }
}

/** Takes over what the file of a pool or a .user.ini says. */
function take_settings(string $file): void
{
    foreach (parse_ini_file($file, true, INI_SCANNER_NORMAL) ?: [] as $key => $value) {
        $section = is_array($value) ? $value : [$key => $value];
        foreach (['php_value', 'php_flag', 'php_admin_value', 'php_admin_flag'] as $word) {
            foreach ((array) ($section[$word] ?? []) as $name => $text) {
                ini_set($name, (string) $text);
            }
        }
        foreach ($section as $name => $text) {
            if (is_string($text) && preg_match('/^(session|redis|memcached?)\./', (string) $name)) {
                ini_set($name, $text);
            }
        }
    }
}

/** The keys of a place in $_SESSION: dots between them, and a backslash before a dot that is in one. */
function keys(string $place): array
{
    $keys = [''];
    for ($i = 0; $i < strlen($place); $i++) {
        $next = $place[$i + 1] ?? '';
        if ($place[$i] === '\\' && ($next === '.' || $next === '\\')) {
            $keys[count($keys) - 1] .= $place[++$i];
        } elseif ($place[$i] === '.') {
            $keys[] = '';
        } else {
            $keys[count($keys) - 1] .= $place[$i];
        }
    }
    return $keys;
}

/** What is at a place in $_SESSION. Properties are keys, whatever their visibility; text that is
    serialized is what it stands for. */
function at(string $place): mixed
{
    $value = $_SESSION;
    foreach (keys($place) as $key) {
        if (is_string($value)) {
            $value = @unserialize($value, ['allowed_classes' => false]);
        }
        if (is_object($value)) {
            $properties = [];
            foreach ((array) $value as $name => $property) {
                $properties[substr((string) $name, (int) strrpos("\0" . $name, "\0"))] = $property;
            }
            $value = $properties;
        }
        if (!is_array($value) || !array_key_exists($key, $value)) {
            return null;
        }
        $value = $value[$key];
    }
    return $value;
}

/** The file of a session, where PHP keeps sessions in files; null elsewhere. */
function file_of(string $id): ?string
{
    global $handler;
    if ($handler !== 'files') {
        return null;
    }
    $parts = explode(';', (string) ini_get('session.save_path'));
    $depth = count($parts) > 1 ? (int) $parts[0] : 0;
    $path = end($parts) === '' ? sys_get_temp_dir() : end($parts);
    for ($i = 0; $i < $depth; $i++) {
        $path .= '/' . ($id[$i] ?? '');
    }
    return "$path/sess_$id";
}

function text(mixed $value): string
{
    return is_string($value) || is_int($value) ? (string) $value : '';
}

/** Who is logged in to a session. */
function whose(string $id): ?array
{
    global $told;
    if (!preg_match('/^[a-zA-Z0-9,-]{1,256}$/D', $id)) {
        return null;
    }
    $file = file_of($id);
    if ($file !== null && !is_file($file)) {
        // Looking for it would make an empty one.
        return null;
    }
    $_SESSION = [];
    session_id($id);
    if (!@session_start(['read_and_close' => true])) {
        return null;
    }
    $found = $_SESSION ?? [];
    $_SESSION = $found;
    if (isset($told['authenticated']) && !at($told['authenticated'])) {
        return null;
    }
    $person = ['name' => '', 'id' => ''];
    foreach (['user' => 'name', 'user_id' => 'id'] as $key => $part) {
        if (isset($told[$key])) {
            $person[$part] = text(at($told[$key]));
        }
    }
    return $person['name'] . $person['id'] === '' ? null : $person;
}

/** Some of the newest sessions: a thousand at a time, and whether more follow. */
function listed(?int $sessions): Generator
{
    global $handler;
    $none = "PHP does not tell which sessions its save handler $handler has";
    $parts = array_chunk($handler === 'files' ? newest($sessions) : [], 1000) ?: [[]];
    foreach ($parts as $number => $part) {
        yield ['answer' => [
            'accounts' => ['names' => [], 'count' => 0],
            'sessions' => $part,
            'unlisted' => $handler === 'files' ? null : $none,
        ], 'more' => $number + 1 < count($parts)];
    }
}

/** The ids of the newest sessions in files that have not outlived session.gc_maxlifetime. */
function newest(?int $count): array
{
    $parts = explode(';', (string) ini_get('session.save_path'));
    $depth = count($parts) > 1 ? (int) $parts[0] : 0;
    $path = end($parts) === '' ? sys_get_temp_dir() : end($parts);
    $found = [];
    foreach (glob(addcslashes($path, '*?[\\') . str_repeat('/?', $depth) . '/sess_*') ?: [] as $file) {
        $time = filemtime($file);
        if ($time > time() - (int) ini_get('session.gc_maxlifetime')) {
            $found[substr(basename($file), 5)] = $time;
        }
    }
    arsort($found);
    return array_map('strval', array_slice(array_keys($found), 0, $count));
}

function answer(array $question): array
{
    switch ($question['ask']) {
        case 'session':
            return ['answer' => whose($question['token'])];
    }
    return ['cannot' => 'PHP knows sessions alone'];
}

function tell(array $line): void
{
    $flags = JSON_INVALID_UTF8_SUBSTITUTE | JSON_UNESCAPED_UNICODE;
    fwrite(STDOUT, 'hallpass:' . json_encode($line, $flags) . "\n");
    fflush(STDOUT);
}

if ($path !== '' && is_file($path)) {
    take_settings($path);
}
foreach (['pool.d/*.conf', '.user.ini'] as $name) {
    foreach (is_dir($path) ? glob("$path/$name") : [] as $file) {
        take_settings($file);
    }
}
$handler = (string) ini_get('session.save_handler');
if ($handler === 'memcache') {
    fwrite(STDERR, "The save handler memcache locks each session that it reads, and keeps the lock.\n");
    exit(1);
}
$reading = [
    'session.use_cookies' => '0', 'session.use_only_cookies' => '0', 'session.use_trans_sid' => '0',
    'session.use_strict_mode' => '0', 'session.auto_start' => '0', 'session.cache_limiter' => '',
    'session.gc_probability' => '0', 'redis.session.locking_enabled' => '0',
    'redis.session.early_refresh' => '0', 'memcached.sess_locking' => '0',
];
foreach ($reading as $name => $value) {
    @ini_set($name, $value);
}
if (!session_set_save_handler(new Reading(), false)) {
    fwrite(STDERR, "PHP has no save handler $handler; --php names the site's own PHP.\n");
    exit(1);
}
tell([
    'software' => 'PHP ' . PHP_VERSION . " with the save handler $handler",
    'accounts' => false,
    'notes' => ['accounts, groups and passwords: PHP itself has none'],
]);
while (($line = fgets(STDIN)) !== false) {
    $question = json_decode($line, true);
    foreach ($question['ask'] === 'list' ? listed($question['sessions']) : [answer($question)] as $said) {
        tell($said);
    }
}
