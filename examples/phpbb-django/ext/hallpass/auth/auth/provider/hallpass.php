<?php
/**
* Hallpass for phpBB 3.3
*
* @license MIT
*/

namespace hallpass\auth\auth\provider;

/**
* Logs people in to the forum who have a session of another site. Nobody logs in here: the login page
* leads there (see event\login_page), and whoever logs out there is a guest here at the next click.
*
* Settings stand in the table config: hallpass_address, hallpass_path, hallpass_login_url.
*/
class hallpass extends \phpbb\auth\provider\base
{
	/** The longest e-mail address that fits into the table of users. */
	const LONGEST_EMAIL = 100;

	/** @var \phpbb\db\driver\driver_interface */
	protected $db;
	/** @var \phpbb\config\config */
	protected $config;
	/** @var \phpbb\request\request_interface */
	protected $request;
	/** @var \phpbb\user */
	protected $user;
	/** @var string */
	protected $root_path;
	/** @var string */
	protected $php_ext;
	/** @var array|false|null what hallpassd said of this request's cookies */
	protected $owner;
	/** @var bool whether it has been asked */
	protected $asked = false;

	public function __construct(
		\phpbb\db\driver\driver_interface $db,
		\phpbb\config\config $config,
		\phpbb\request\request_interface $request,
		\phpbb\user $user,
		$root_path,
		$php_ext
	)
	{
		$this->db = $db;
		$this->config = $config;
		$this->request = $request;
		$this->user = $user;
		$this->root_path = $root_path;
		$this->php_ext = $php_ext;
	}

	/**
	* Called when an administrator switches it on or changes its settings: refuses what would lock
	* everybody out. phpBB has stored the new settings by then, and puts the old ones back.
	*
	* @return string|false what is wrong, as HTML
	*/
	public function init()
	{
		// Who it is was asked at the beginning of this click, under the settings before.
		$this->asked = false;
		$owner = $this->owner();
		if ($owner === null)
		{
			return sprintf(
				'hallpassd does not say who anybody is at <code>%s</code>, path <code>%s</code>. Is it running, may the'
					. ' user that PHP runs as open the socket (is it in the socket’s group), is the path right, and can the'
					. ' site’s database be reached? See the log of hallpassd.',
				$this->escaped($this->address()),
				$this->escaped($this->path())
			);
		}
		if ($owner === false)
		{
			return 'Log in to the other site first, by the name that you have here. If you are logged in there, its cookie'
				. ' does not reach this forum: see SESSION_COOKIE_DOMAIN.';
		}
		if (!$this->is_of($this->user->data))
		{
			return sprintf(
				'The other site knows you as <strong>%s</strong>, and this forum as <strong>%s</strong>. Log in there by'
					. ' the name that you have here, or rename your account here.',
				$this->escaped($owner['user']),
				$this->user->data['username']
			);
		}
		if ((int) $this->config['require_activation'] !== USER_ACTIVATION_DISABLE)
		{
			return 'People can register at this forum by themselves, also under the name of somebody else on the other site,'
				. ' who would be given that profile. Under <em>User registration settings</em>, set <em>Account'
				. ' activation</em> to <em>Disable registration</em> first'
				. ' (<code>bin/phpbbcli.php config:set require_activation 3</code>).';
		}
		if ((int) ($this->config['allow_namechange'] ?? 0) !== 0)
		{
			return 'Members of this forum can change their names by themselves, also to that of somebody else on the other'
				. ' site, who would be given that profile. Under <em>User registration settings</em>, switch <em>Allow'
				. ' username changes</em> off first (<code>bin/phpbbcli.php config:set allow_namechange 0</code>).';
		}
		return false;
	}

	/** The login form: whoever has a session of the site is logged in by it, whatever was typed. */
	public function login($username, $password)
	{
		$row = $this->row_of_visitor();
		if ($row === null)
		{
			return $this->refused(LOGIN_ERROR_EXTERNAL_AUTH, 'LOGIN_ERROR_EXTERNAL_AUTH');
		}
		if ($row === false)
		{
			return $this->refused(LOGIN_ERROR_USERNAME, 'LOGIN_ERROR_USERNAME');
		}
		// For the administration, phpBB asks again who somebody is.
		$typed = utf8_clean_string($username);
		if ($typed !== '' && $typed !== $row['username_clean'])
		{
			return $this->refused(LOGIN_ERROR_USERNAME, 'LOGIN_ERROR_USERNAME');
		}
		if (!$this->may_in($row))
		{
			return $this->refused(LOGIN_ERROR_ACTIVE, 'ACTIVE_ERROR');
		}
		return ['status' => LOGIN_SUCCESS, 'error_msg' => false, 'user_row' => $row];
	}

	/** Called at each click of a visitor without a session of the forum. */
	public function autologin()
	{
		$row = $this->row_of_visitor();
		return $row && $this->may_in($row) ? $row : [];
	}

	/** Called at each click of a visitor with one: whether it still is theirs. */
	public function validate_session($user)
	{
		if ((int) $user['user_type'] === USER_IGNORE)
		{
			// A guest or a robot: until they log in to the site.
			$row = $this->row_of_visitor();
			return !($row && $this->may_in($row));
		}
		return $this->is_of($user);
	}

	/** Below the login form, a link to the site's own. */
	public function get_login_data()
	{
		$url = $this->login_url(generate_board_url() . '/' . $this->user->page['page']);
		return $url === '' ? null : [
			'TEMPLATE_FILE' => '@hallpass_auth/login_link.html',
			'VARS' => ['HALLPASS_LOGIN_URL' => htmlspecialchars($url, ENT_COMPAT)],
		];
	}

	/** Where the visitor can log in and come back from to $here; empty where nobody says. */
	public function login_url($here)
	{
		$url = $this->setting('hallpass_login_url', '');
		return str_replace('{url}', rawurlencode(htmlspecialchars_decode($here, ENT_COMPAT)), $url);
	}

	/** Whether the visitor has no session of the site: only then is it any use to send them there. */
	public function is_nobody()
	{
		return $this->owner() === false;
	}

	/** What can be set in the administration. */
	public function acp()
	{
		return ['hallpass_address', 'hallpass_path', 'hallpass_login_url'];
	}

	public function get_acp_template($new_config)
	{
		$vars = [];
		foreach ($this->acp() as $name)
		{
			$vars['AUTH_' . strtoupper($name)] = isset($new_config[$name]) ? $new_config[$name] : '';
		}
		return ['TEMPLATE_FILE' => '@hallpass_auth/auth_provider_hallpass.html', 'TEMPLATE_VARS' => $vars];
	}

	/** Whose session the visitor shows, asked once a click. */
	protected function owner()
	{
		if (!$this->asked)
		{
			$this->asked = true;
			$session = new session($this->address(), $this->path());
			// phpBB escapes what it reads for its pages; a cookie must go as it came.
			$cookies = htmlspecialchars_decode($this->request->server('HTTP_COOKIE'), ENT_COMPAT);
			$this->owner = $session->owner($cookies, $this->request->server('REMOTE_ADDR'));
		}
		return $this->owner;
	}

	protected function address()
	{
		return $this->setting('hallpass_address', 'unix:///run/hallpass/http.sock');
	}

	protected function path()
	{
		return $this->setting('hallpass_path', '/session');
	}

	/** Whether the visitor's session is that of a row of the forum. */
	protected function is_of($row)
	{
		$owner = $this->owner();
		return is_array($owner) && $this->escaped($owner['user']) === $row['username'];
	}

	/**
	* @return array|false|null the forum's row of the visitor, made at the first visit; false for a
	*	visitor without a session of the site; null when nobody can say
	*/
	protected function row_of_visitor()
	{
		$owner = $this->owner();
		if (!is_array($owner))
		{
			return $owner;
		}
		$name = $this->escaped($owner['user']);
		$email = $this->email_of($owner);
		$row = $this->row($name) ?: $this->make_profile($name, $email);
		// To phpBB, names that look alike are one; to the site they are different people.
		return $row && $this->is_of($row) ? $this->with_email($row, $email) : null;
	}

	/** The site's e-mail address as phpBB keeps one; empty where there is none that it could keep. */
	protected function email_of($owner)
	{
		$email = isset($owner['email']) && is_string($owner['email']) ? $owner['email'] : '';
		// For its pages, as everything that is typed there, and in small letters as user_add() does.
		$email = strtolower($this->escaped($email));
		return utf8_strlen($email) <= self::LONGEST_EMAIL ? $email : '';
	}

	/**
	* Whoever registered the name here before may have given an address of their own: what is sent to
	* this profile goes to the site's. A profile keeps its own where the site has none.
	*/
	protected function with_email($row, $email)
	{
		if ($email !== '' && $email !== strtolower($row['user_email']))
		{
			$sql = 'UPDATE ' . USERS_TABLE . "
				SET user_email = '" . $this->db->sql_escape($email) . "'
				WHERE user_id = " . (int) $row['user_id'];
			$this->db->sql_query($sql);
			$row['user_email'] = $email;
		}
		return $row;
	}

	/** The row of this name, or of one that phpBB takes for the same: it can have only one of them. */
	protected function row($name)
	{
		$sql = 'SELECT * FROM ' . USERS_TABLE . "
			WHERE username_clean = '" . $this->db->sql_escape(utf8_clean_string($name)) . "'";
		$result = $this->db->sql_query($sql);
		$row = $this->db->sql_fetchrow($result);
		$this->db->sql_freeresult($result);
		return $row;
	}

	/** @return array|null the new row; null when there can be none */
	protected function make_profile($name, $email)
	{
		if (!function_exists('user_add'))
		{
			include $this->root_path . 'includes/functions_user.' . $this->php_ext;
		}
		$sql = 'SELECT group_id FROM ' . GROUPS_TABLE . "
			WHERE group_name = 'REGISTERED' AND group_type = " . GROUP_SPECIAL;
		$result = $this->db->sql_query($sql);
		$group = $this->db->sql_fetchrow($result);
		$this->db->sql_freeresult($result);
		if (!$group || utf8_clean_string($name) === '' || utf8_strlen($name) > 255)
		{
			return null;
		}
		$made = user_add([
			'username' => $name,
			// No hash is empty, so no password is right, should another provider be switched on.
			'user_password' => '',
			'user_email' => $email,
			'group_id' => (int) $group['group_id'],
			'user_type' => USER_NORMAL,
			'user_ip' => $this->user->ip,
			'user_new' => $this->config['new_member_post_limit'] ? 1 : 0,
		]);
		return $made ? $this->row($name) : null;
	}

	protected function may_in($row)
	{
		$type = (int) $row['user_type'];
		return $type !== USER_INACTIVE && $type !== USER_IGNORE;
	}

	/** A name as phpBB keeps it: escaped for its pages. */
	protected function escaped($name)
	{
		return htmlspecialchars($name, ENT_COMPAT, 'UTF-8');
	}

	protected function setting($name, $default)
	{
		$value = isset($this->config[$name]) ? $this->config[$name] : '';
		// As everything that is typed in the administration, it is kept escaped.
		return $value === '' ? $default : htmlspecialchars_decode($value, ENT_COMPAT);
	}

	protected function refused($status, $message)
	{
		return ['status' => $status, 'error_msg' => $message, 'user_row' => ['user_id' => ANONYMOUS]];
	}
}
