<?php
// The club: logs anybody in who says a name, with the session classes that Silex and Symfony use.
require '/usr/share/php/Symfony/Component/HttpFoundation/autoload.php';

use Symfony\Component\HttpFoundation\Session\Session;

$session = new Session();
$session->start();
switch (parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH)) {
    case '/login':
        $session->migrate(true);
        $session->set('user', ['username' => $_POST['username'] ?? $_GET['username']]);
        break;
    case '/logout':
        $session->invalidate();
        break;
}
header('Content-Type: text/plain');
echo $session->get('user')['username'] ?? 'nobody';
