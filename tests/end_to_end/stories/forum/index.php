<?php
// Stands for phpBB: reads the same variables as its "Apache" provider, under the same rules
// (phpbb/auth/provider/apache.php, autologin, 3.3.10), and tells what it makes of them.
header('Content-Type: application/json');
$user = $_SERVER['PHP_AUTH_USER'] ?? '';
$password = $_SERVER['PHP_AUTH_PW'] ?? '';
echo json_encode([
    'user' => $user !== '' && $password !== '' ? $user : 'guest',
    'absent' => !array_key_exists('PHP_AUTH_USER', $_SERVER),
    'method' => $_SERVER['REQUEST_METHOD'],
    'body' => file_get_contents('php://input'),
]);
