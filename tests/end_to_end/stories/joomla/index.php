<?php
// Stands for Joomla 4.4: its login page, which writes the row of a session as Joomla's own handler
// does, and deletes it at the logout. The tables are those that a real one made.
require 'configuration.php';

/**
* Whether the login page leads to $url, by the rule of Joomla 4.4's and 5.3's Uri::isInternal: below
* the site's own base, or index.php without a host.
*/
function is_internal(string $url): bool
{
    $parts = parse_url(str_replace('\\', '/', $url));
    if ($parts === false) {
        return false;
    }
    if (($parts['host'] ?? '') === '') {
        return str_starts_with($parts['path'] ?? '', 'index.php');
    }
    $port = isset($parts['port']) ? ":{$parts['port']}" : '';
    $there = ($parts['scheme'] ?? '') . "://{$parts['host']}$port" . ($parts['path'] ?? '');
    $scheme = ($_SERVER['HTTPS'] ?? '') === 'on' ? 'https' : 'http';
    return str_starts_with($there, "$scheme://{$_SERVER['HTTP_HOST']}/");
}

$config = new JConfig();
[$host, $port] = explode(':', $config->host);
$db = new mysqli($host, $config->user, $config->password, $config->db, (int) $port);
$db->set_charset('utf8mb4');
$cookie = md5(md5($config->secret . 'site'));
$table = $config->dbprefix . 'session';
$id = $_COOKIE[$cookie] ?? '';

if (isset($_GET['logout'])) {
    $db->execute_query("DELETE FROM $table WHERE session_id = ?", [$id]);
    exit('bye');
}
if ($_SERVER['REQUEST_METHOD'] === 'POST') {
    $users = "SELECT * FROM {$config->dbprefix}users WHERE username = ? AND block = 0";
    $user = $db->execute_query($users, [$_POST['username']])->fetch_assoc();
    if (!$user || !password_verify($_POST['password'], $user['password'])) {
        http_response_code(403);
        exit('no');
    }
    $id = session_create_id();
    $row = [$id, time(), $user['id'], $user['username']];
    $columns = '(session_id, client_id, guest, time, data, userid, username)';
    $db->execute_query("INSERT INTO $table $columns VALUES (?, 0, 0, ?, '', ?, ?)", $row);
    setcookie($cookie, $id, ['path' => '/', 'httponly' => true]);
    // As com_users does, which leads to the profile where it may not lead back.
    $back = base64_decode($_POST['return'] ?? '');
    $profile = '/index.php/component/users/profile';
    header('Location: ' . (is_internal($back) ? $back : $profile), true, 303);
    exit;
}
if (($_GET['view'] ?? '') === 'login') {
    $return = htmlspecialchars($_GET['return'] ?? '');
    exit("<form method=post><input name=username><input name=password type=password>"
        . "<input type=hidden name=return value=\"$return\"></form>");
}
if (isset($_GET['whoami'])) {
    // Sessions end after the lifetime, and those of guests and of the administration are no user's.
    $live = "SELECT username FROM $table WHERE session_id = ? AND guest = 0 AND client_id = 0 AND time > ?";
    $row = $db->execute_query($live, [$id, time() - 60 * $config->lifetime])->fetch_row();
    if (!$row) {
        http_response_code(401);
        exit('nobody');
    }
    header("X-User: $row[0]");
    exit($row[0]);
}
$row = $db->execute_query("SELECT username FROM $table WHERE session_id = ?", [$id])->fetch_row();
echo 'Joomla knows ', $row[0] ?? 'nobody';
