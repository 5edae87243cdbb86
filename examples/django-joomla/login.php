<?php
/**
* Leads to Joomla's login page, and from there back to a page of this host. Put it beside Joomla's
* index.php. Joomla takes the way back in Base64, which nginx cannot write, and with scheme and host:
* it leads to no page but those below its own address (Uri::isInternal).
*/
$next = $_GET['next'] ?? '/';
$parts = is_string($next) ? parse_url($next) : false;
$path = $parts['path'] ?? '';
// Another host, or what some browser would take for one, is not led to.
if ($parts === false || ($path[0] ?? '') !== '/' || preg_match('#^//|[\\\\\x00-\x20\x7f]#', $path))
{
	$parts = ['path' => '/'];
}
$back = $parts['path'] . (isset($parts['query']) ? "?{$parts['query']}" : '');
// As Joomla finds its own address, the second where it is told that it stands behind another server.
$secure = !in_array(strtolower($_SERVER['HTTPS'] ?? ''), ['', 'off'], true)
	|| strtolower($_SERVER['HTTP_X_FORWARDED_PROTO'] ?? '') === 'https';
$host = $_SERVER['HTTP_HOST'] ?? '';
$location = '/index.php?option=com_users&view=login';
if (preg_match('#^(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d+)?$#iD', $host))
{
	$location .= '&return=' . rawurlencode(base64_encode(($secure ? 'https' : 'http') . "://$host$back"));
}
header('Cache-Control: no-store');
header("Location: $location", true, 302);
