<?php
// Stands for Joomla 4.4: its login page, which writes the row of a session as Joomla's own handler
// does, and deletes it at the logout. The tables are those that a real one made.
require 'configuration.php';

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
    // As com_users does: only back to a page of this host.
    $back = base64_decode($_POST['return'] ?? '');
    header('Location: ' . (str_starts_with($back, '/') ? $back : '/'), true, 303);
    exit;
}
if (($_GET['view'] ?? '') === 'login') {
    $return = htmlspecialchars($_GET['return'] ?? '');
    exit("<form method=post><input name=username><input name=password type=password>"
        . "<input type=hidden name=return value=\"$return\"></form>");
}
$row = $db->execute_query("SELECT username FROM $table WHERE session_id = ?", [$id])->fetch_row();
echo 'Joomla knows ', $row[0] ?? 'nobody';
