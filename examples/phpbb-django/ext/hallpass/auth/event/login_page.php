<?php
/**
* Hallpass for phpBB 3.3
*
* @license MIT
*/

namespace hallpass\auth\event;

use Symfony\Component\EventDispatcher\EventSubscriberInterface;

/**
* In place of the forum's login page, the site's own.
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
		return ['core.login_box_before' => 'lead_there'];
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
