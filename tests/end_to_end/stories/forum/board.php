<?php
/**
* As much of phpBB 3.3 as its provider hallpass uses. The forum has the member that is named, and
* settings beside the usual ones; with `acp`, these are what the member sends in the administration.
*/

namespace phpbb\db\driver { interface driver_interface {} }
namespace phpbb\request { interface request_interface {} }
namespace phpbb\config { class config extends \ArrayObject {} }
namespace phpbb { class user { public $data; public $ip = '127.0.0.1'; public $page = ['page' => 'index.php']; } }
namespace phpbb\auth\provider { class base {} }
namespace Symfony\Component\EventDispatcher { interface EventSubscriberInterface {} }

namespace {
	const USERS_TABLE = 'users', GROUPS_TABLE = 'groups', GROUP_SPECIAL = 3, ANONYMOUS = 1;
	const USER_NORMAL = 0, USER_INACTIVE = 1, USER_IGNORE = 2, USER_ACTIVATION_DISABLE = 3;
	const LOGIN_SUCCESS = 3, LOGIN_ERROR_USERNAME = 10, LOGIN_ERROR_ACTIVE = 12, LOGIN_ERROR_EXTERNAL_AUTH = 16;

	[, $provider, $address, $cookies, $member] = $argv;
	$given = json_decode($argv[5] ?? '{}', true);
	$members = $member === '' ? [] : [['user_id' => 2, 'user_type' => USER_NORMAL,
		'username' => $member, 'username_clean' => utf8_clean_string($member),
		'user_email' => $given['email'] ?? 'somebody@forum.example.org']];

	function utf8_clean_string($name) { return mb_strtolower(str_replace('а', 'a', $name)); }
	function utf8_strlen($text) { return mb_strlen($text); }
	function redirect($url) { exit(json_encode(['led_to' => $url])); }
	function generate_board_url() { return 'http://forum.example.org'; }
	function user_add($row)
	{
		global $members;
		$clean = utf8_clean_string($row['username']);
		if (in_array($clean, array_column($members, 'username_clean'), true))
		{
			exit("phpBB answers 503\n");
		}
		$members[] = ['user_email' => strtolower($row['user_email'])] + $row
			+ ['user_id' => 3, 'username_clean' => $clean];
		return 3;
	}

	class database implements \phpbb\db\driver\driver_interface
	{
		public function sql_escape($text) { return str_replace("'", "''", $text); }
		public function sql_freeresult($result) {}
		public function sql_query($sql)
		{
			global $members;
			if (preg_match("#^UPDATE users\s+SET user_email = '((?:[^']|'')*)'\s+WHERE user_id = (\d+)$#D", $sql, $change))
			{
				$at = array_search((int) $change[2], array_column($members, 'user_id'), true);
				$members[$at]['user_email'] = str_replace("''", "'", $change[1]);
				return null;
			}
			$found = strpos($sql, GROUPS_TABLE) ? [['group_id' => 2]] : array_filter($members,
				function ($row) use ($sql) { return strpos($sql, "= '" . $this->sql_escape($row['username_clean']) . "'"); });
			return new ArrayIterator(array_values($found));
		}
		public function sql_fetchrow($result) { return $result->current() ?? false; }
	}
	class request implements \phpbb\request\request_interface
	{
		public function server($name)
		{
			global $cookies;
			return htmlspecialchars($name === 'HTTP_COOKIE' ? $cookies : '127.0.0.1', ENT_COMPAT, 'UTF-8');
		}
	}

	require "$provider/session.php";
	require "$provider/hallpass.php";
	$config = new \phpbb\config\config([
		'hallpass_address' => $address,
		'hallpass_login_url' => htmlspecialchars('https://site/login/?from=forum&next={url}'),
		'new_member_post_limit' => 3,
		'require_activation' => '3',
		'auth_method' => 'hallpass',
	]);
	foreach ($given['config'] ?? [] as $name => $value)
	{
		$config[$name] = $value;
	}
	$user = new \phpbb\user;
	$user->data = $members[0] ?? ['username' => 'Anonymous'];
	$hallpass = new \hallpass\auth\auth\provider\hallpass(new database, $config, new request, $user, './', 'php');
	if (isset($given['event']))
	{
		require "$provider/../../event/login_page.php";
		// phpBB ends the page by what is triggered.
		set_error_handler(function ($level, $message) { exit(json_encode(['told' => $message])); });
		$listener = new \hallpass\auth\event\login_page($hallpass, $config, $user);
		$method = $listener::getSubscribedEvents()[$given['event']];
		$listener->$method(['admin' => false, 'redirect' => './index.php']);
		exit('{}');
	}
	if (isset($given['acp']))
	{
		// Every click begins so, under the settings that there are.
		$began = $hallpass->validate_session($members[0]);
		// acp_board.php of 3.3: the new settings are stored, the provider asked, the old ones put back
		// where it refuses.
		$before = [];
		foreach ($given['acp'] as $name => $value)
		{
			$before[$name] = $config[$name] ?? '';
			$config[$name] = htmlspecialchars($value, ENT_COMPAT);
		}
		if ($error = $hallpass->init())
		{
			foreach ($before as $name => $value)
			{
				$config[$name] = $value;
			}
		}
		exit(json_encode(['began' => $began, 'error' => $error, 'kept' => $config['hallpass_address']]));
	}
	echo json_encode([
		'switched_on' => $hallpass->init() === false,
		'stays' => $members ? $hallpass->validate_session($members[0]) : null,
		'autologin' => $hallpass->autologin()['username'] ?? null,
		'login' => $hallpass->login('', '')['user_row']['username'] ?? null,
		'login_data' => $hallpass->get_login_data(),
		'emails' => array_column($members, 'user_email', 'username'),
	]);
}
