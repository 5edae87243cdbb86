/* Answers, as WordPress itself does, who an account, a session or a password is. A line of JSON is a
   question, a line is its answer. Nothing is changed: statements that write are dropped before they
   reach the database, no request is sent, and nothing is scheduled.

   $hallpass_root is the directory of wp-load.php, and $hallpass_told what the configuration says. */

/** How many capabilities are looked at for an account: of those that it holds, and of the others. */
const HALLPASS_HELD = 15, HALLPASS_OTHERS = 8;
/** No site has a capability of this name. */
const HALLPASS_MADE_UP = 'hallpass_no_such_capability';

/** A statement, where it only reads. */
function hallpass_reading(mixed $query): string
{
    $text = ltrim((string) $query, " \t\r\n(");
    return preg_match('/^(SELECT|SHOW|DESCRIBE|DESC|EXPLAIN|SET\s+(NAMES|SESSION))\b/i', $text) ? (string) $query : '';
}

/** Registers a filter before WordPress is there. */
function hallpass_before(string $hook, string $function, int $priority = 0): void
{
    $GLOBALS['wp_filter'][$hook][$priority]["hallpass-$function"] = ['function' => $function, 'accepted_args' => 1];
}

function hallpass_false(): bool { return false; }
function hallpass_true(): bool { return true; }

hallpass_before('query', 'hallpass_reading', PHP_INT_MAX);
hallpass_before('pre_wp_mail', 'hallpass_false', PHP_INT_MAX);
hallpass_before('send_auth_cookies', 'hallpass_false', PHP_INT_MAX);
foreach (['DISABLE_WP_CRON' => true, 'WP_HTTP_BLOCK_EXTERNAL' => true, 'WP_USE_THEMES' => false] as $name => $value) {
    define($name, $value);
}
$hallpass_host = $hallpass_told['host'] ?? null ?: 'localhost';
$_SERVER += [
    'HTTP_HOST' => $hallpass_host, 'SERVER_NAME' => $hallpass_host, 'REQUEST_URI' => '/', 'SERVER_PORT' => '80',
    'REQUEST_METHOD' => 'GET', 'REMOTE_ADDR' => '127.0.0.1', 'SERVER_PROTOCOL' => 'HTTP/1.1', 'PHP_SELF' => '/index.php',
];
$_SERVER['HTTP_HOST'] = $_SERVER['SERVER_NAME'] = $hallpass_host;
$_SERVER['REQUEST_METHOD'] = 'GET';
$_SERVER['REQUEST_URI'] = '/';
// What a plug-in prints is not an answer.
ob_start();
require $hallpass_root . 'wp-load.php';
ob_end_clean();
// Whatever goes past the filter.
$GLOBALS['wpdb']->query('SET SESSION TRANSACTION READ ONLY');
if (is_multisite() && get_current_blog_id() !== (int) ($hallpass_told['blog'] ?? 1)) {
    switch_to_blog((int) $hallpass_told['blog']);
}

function hallpass_person(mixed $user): ?array
{
    if (!$user instanceof WP_User || !$user->exists()) {
        return null;
    }
    return ['id' => (string) $user->ID, 'name' => $user->user_login];
}

/** The names of all capabilities that the site's roles have or lack. */
function hallpass_capabilities(): array
{
    static $all = null;
    if ($all === null) {
        $all = ['do_not_allow', 'exist', 'edit_post', 'edit_users', 'manage_network', 'customize', 'unfiltered_html', 'update_core'];
        foreach (wp_roles()->roles as $name => $role) {
            $all[] = $name;
            array_push($all, ...array_keys($role['capabilities'] ?? []));
        }
        $all = array_values(array_unique(array_map('strval', $all)));
        sort($all);
    }
    return $all;
}

/** Up to $count of $values, spread over all of them. */
function hallpass_some(array $values, int $count): array
{
    $step = max(1, count($values) / $count);
    $some = [];
    for ($place = 0.0; $place < count($values); $place += $step) {
        $some[] = $values[(int) $place];
    }
    return $some;
}

/** What the site says of the account that it calls so. */
function hallpass_account(string $name): ?array
{
    $user = get_user_by('login', $name);
    if (!$user) {
        return null;
    }
    if (is_multisite() && !hallpass_open($user)) {
        return null;
    }
    $held = $others = [];
    foreach (hallpass_capabilities() as $capability) {
        // About nothing in particular: WordPress says once that it should be.
        @$user->has_cap($capability) ? $held[] = $capability : $others[] = $capability;
    }
    $wanted = array_merge(hallpass_some($held, HALLPASS_HELD), hallpass_some($others, HALLPASS_OTHERS), [HALLPASS_MADE_UP]);
    $permissions = [];
    foreach ($wanted as $capability) {
        $permissions[$capability] = @$user->has_cap($capability);
    }
    $groups = array_values(array_unique(array_map('strval', $user->roles)));
    sort($groups);
    return hallpass_person($user) + [
        'groups' => $groups,
        'permissions' => $permissions,
        'superuser' => is_multisite() && is_super_admin($user->ID),
    ];
}

/** Whether the current site of a network shows its pages to an account. */
function hallpass_open(WP_User $user): bool
{
    $site = get_site();
    $closed = in_array((int) $site->deleted, [1, 2], true) || (int) $site->archived === 1 || (int) $site->spam === 1;
    return !$closed || is_super_admin($user->ID);
}

/** Whom the login page lets in by what is typed there. */
function hallpass_login(string $name, string $password): ?array
{
    $user = wp_authenticate(wp_unslash(addslashes($name)), wp_slash($password));
    return $user instanceof WP_User && (!is_multisite() || hallpass_open($user)) ? hallpass_person($user) : null;
}

/** Whose a cookie is. */
function hallpass_session(string $token): ?array
{
    $cookie = strpos($token, '|') === false ? rawurldecode($token) : $token;
    $id = wp_validate_auth_cookie(wp_slash($cookie), 'logged_in');
    $user = $id ? get_user_by('id', $id) : false;
    return $user && (!is_multisite() || hallpass_open($user)) ? hallpass_person($user) : null;
}

/** Names of accounts: a thousand at a time, and whether more follow. */
function hallpass_list(?int $accounts): Generator
{
    global $wpdb;
    $count = (int) $wpdb->get_var("SELECT COUNT(*) FROM $wpdb->users");
    $left = $accounts ?? PHP_INT_MAX;
    $last = 0;
    do {
        $statement = "SELECT ID, user_login, user_email FROM $wpdb->users WHERE ID > %d ORDER BY ID LIMIT %d";
        $rows = $wpdb->get_results($wpdb->prepare($statement, $last, min($left, 1000)));
        if ($wpdb->last_error !== '') {
            throw new RuntimeException($wpdb->last_error);
        }
        $names = [];
        foreach ($rows as $row) {
            $names[] = ['name' => $row->user_login, 'email' => $row->user_email];
            $last = $row->ID;
        }
        $left -= count($rows);
        $more = count($rows) === 1000 && $left > 0;
        yield ['answer' => [
            'accounts' => ['names' => $names, 'count' => $count],
            'sessions' => [],
            'unlisted' => 'WordPress keeps a digest of each token alone; --tokens names a file of cookies',
        ], 'more' => $more];
    } while ($more);
}

function hallpass_answer(array $question): array
{
    // Each is answered from the database as it is now.
    wp_cache_flush_runtime_or_all();
    switch ($question['ask']) {
        case 'account':
            return ['answer' => hallpass_account($question['name'])];
        case 'login':
            add_filter('check_password', 'hallpass_true', PHP_INT_MAX);
            $person = hallpass_login($question['name'], 'hallpass compare');
            remove_filter('check_password', 'hallpass_true', PHP_INT_MAX);
            return ['answer' => $person];
        case 'password':
            return ['answer' => hallpass_login($question['name'], $question['password'])];
        case 'wrong':
            return ['answer' => hallpass_login($question['name'], wp_generate_password(24))];
        case 'session':
            return ['answer' => hallpass_session($question['token'])];
    }
    return ['cannot' => 'this question is not known'];
}

/** Forgets what has been read, in this process alone: a cache that others share is left as it is. */
function wp_cache_flush_runtime_or_all(): void
{
    if (!wp_using_ext_object_cache()) {
        wp_cache_flush();
    }
}

function hallpass_tell(array $line): void
{
    $flags = JSON_INVALID_UTF8_SUBSTITUTE | JSON_UNESCAPED_UNICODE;
    fwrite(STDOUT, 'hallpass:' . json_encode($line, $flags) . "\n");
    fflush(STDOUT);
}

$hallpass_notes = ['sessions: WordPress does not tell their cookies; --tokens names a file of some'];
if (!empty($hallpass_told['application_passwords'])) {
    $hallpass_notes[] = 'application passwords: the login page does not take them';
}
hallpass_tell(['software' => 'WordPress ' . $GLOBALS['wp_version'], 'notes' => $hallpass_notes]);
while (($hallpass_line = fgets(STDIN)) !== false) {
    $hallpass_question = json_decode($hallpass_line, true);
    ob_start();
    try {
        if ($hallpass_question['ask'] === 'list') {
            foreach (hallpass_list($hallpass_question['accounts']) as $hallpass_part) {
                hallpass_tell($hallpass_part);
            }
            ob_end_clean();
            continue;
        }
        $hallpass_said = hallpass_answer($hallpass_question);
    } catch (Throwable $error) {
        $hallpass_said = ['answer' => null, 'raised' => get_class($error)];
    }
    ob_end_clean();
    hallpass_tell($hallpass_said);
}
