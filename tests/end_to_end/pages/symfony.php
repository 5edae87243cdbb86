<?php
// Symfony's own session, security token and table, as its framework puts them together.
require 'Symfony/Component/HttpFoundation/autoload.php';
require 'Symfony/Component/Security/Core/autoload.php';

use Symfony\Component\HttpFoundation\Session\Session;
use Symfony\Component\HttpFoundation\Session\Storage\Handler\MemcachedSessionHandler;
use Symfony\Component\HttpFoundation\Session\Storage\Handler\PdoSessionHandler;
use Symfony\Component\HttpFoundation\Session\Storage\Handler\RedisSessionHandler;
use Symfony\Component\HttpFoundation\Session\Storage\NativeSessionStorage;
use Symfony\Component\Security\Core\Authentication\Token\UsernamePasswordToken;
use Symfony\Component\Security\Core\User\InMemoryUser;

$store = json_decode(file_get_contents('store.json'), true);
ini_set('session.gc_maxlifetime', $_GET['ttl'] ?? '1440');
$options = [];
if (isset($store['redis'])) {
    $client = new Redis();
    $client->connect(...$store['redis']);
    $handler = new RedisSessionHandler($client, $options);
} elseif (isset($store['memcached'])) {
    $client = new Memcached();
    $client->addServer(...$store['memcached']);
    $handler = new MemcachedSessionHandler($client, $options);
} else {
    $options += ['db_username' => $store['user'], 'db_password' => $store['password']];
    $handler = new PdoSessionHandler($store['dsn'], $options);
}
if (isset($_GET['create'])) { $handler->createTable(); exit; }
$session = new Session(new NativeSessionStorage([], $handler));
$session->start();
if (isset($_GET['name'])) {
    $user = new InMemoryUser($_GET['name'], 'hash', ['ROLE_USER']);
    $token = new UsernamePasswordToken($user, 'main', $user->getRoles());
    $session->set('_security.last_username', 'typed');
    $session->set('_security_main', serialize($token));
    $session->set('user', ['username' => $_GET['name']]);
    $session->set('large', str_repeat('abcdefghij', 1000));
}
if (isset($_GET['logout'])) $session->invalidate();
if (isset($_GET['forget'])) { $session->remove('_security_main'); $session->remove('user'); }
$token = $session->get('_security_main');
$token = $token === null ? null : unserialize($token);
$id = $session->getId();
$session->save();
header('Content-Type: application/json');
echo json_encode(['sid' => $id, 'user' => $token?->getUserIdentifier()]);
