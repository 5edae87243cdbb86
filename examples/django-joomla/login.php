<?php
/**
* Leads to Joomla's login page, and from there back to a page of this host. Put it beside Joomla's
* index.php. Joomla takes the way back in Base64, which nginx cannot write.
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
header('Cache-Control: no-store');
header('Location: /index.php?option=com_users&view=login&return=' . rawurlencode(base64_encode($back)), true, 302);
