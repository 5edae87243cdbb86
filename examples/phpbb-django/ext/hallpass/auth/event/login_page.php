<?php
/**
* Hallpass for phpBB 3.3
*
* @license MIT
*/

namespace hallpass\auth\event;

use Symfony\Component\EventDispatcher\EventSubscriberInterface;

/**
* In place of the forum's login page, the site's own; and no registration but the site's.
*/
class login_page implements EventSubscriberInterface
{
	/** @var \hallpass\auth\auth\provider\hallpass */
	protected $provider;
	/** @var \phpbb\config\config */
	protected $config;
	/** @var \phpbb\user */
	protected $user;

	public function __construct(
		\hallpass\auth\auth\provider\hallpass $provider,
		\phpbb\config\config $config,
		\phpbb\user $user
	)
	{
		$this->provider = $provider;
		$this->config = $config;
		$this->user = $user;
	}

	public static function getSubscribedEvents()
	{
		return [
			'core.login_box_before' => 'lead_there',
			'core.ucp_register_requests_after' => 'close',
		];
	}

	/**
	* Whoever registered here under the name of somebody of the site would give them a profile: what
	* init() asks of the board's settings stays so, whatever becomes of them.
	*/
	public function close()
	{
		if ($this->config['auth_method'] === 'hallpass')
		{
			trigger_error('UCP_REGISTER_DISABLE');
		}
	}

	public function lead_there($event)
	{
		// Administrators are asked once more who they are, here.
		if ($event['admin'] || $this->config['auth_method'] !== 'hallpass' || !$this->provider->is_nobody())
		{
			return;
		}
		$page = $event['redirect'] ?: $this->user->page['page'];
		$page = preg_replace('#^(\./)+#', '', $page);
		$url = $this->provider->login_url(generate_board_url() . '/' . $page);
		if ($url !== '')
		{
			redirect($url, false, true);
		}
	}
}
