<?php
/**
* Hallpass for phpBB 3.3
*
* @license MIT
*/

namespace hallpass\auth\auth\provider;

/**
* Asks hallpassd whose session the visitor's cookies show. Knows nothing of phpBB.
*/
class session
{
	/** Seconds to wait for hallpassd. */
	const PATIENCE = 3;
	/** The longest answer that is read, in bytes. */
	const LONGEST = 65536;

	/** @var string where hallpassd listens: unix:///run/hallpass/http.sock or tcp://127.0.0.1:8088 */
	protected $address;

	/** @var string the path of the question, with the site's name where hallpassd serves several */
	protected $path;

	public function __construct($address, $path = '/session')
	{
		$this->address = $address;
		$this->path = $path;
	}

	/**
	* @param string $cookies the Cookie header, as the browser sent it
	* @param string $client the visitor's address
	* @return array|false|null who it is (user, email, groups …); false for nobody; null when nobody
	*	can say
	*/
	public function owner($cookies, $client)
	{
		if ($cookies === '' || preg_match('/[\x00-\x1f\x7f]/', $cookies . $client))
		{
			return false;
		}
		$answer = $this->ask($cookies, $client);
		if (!preg_match('#^HTTP/1\.[01] (\d{3}) #', $answer, $status))
		{
			return null;
		}
		if ($status[1] === '401' || $status[1] === '403')
		{
			return false;
		}
		$parts = explode("\r\n\r\n", $answer, 2);
		$identity = $status[1] === '200' && isset($parts[1]) ? json_decode($parts[1], true) : null;
		$named = is_array($identity) && isset($identity['user']) && is_string($identity['user']);
		return $named && $identity['user'] !== '' ? $identity : null;
	}

	/** The whole answer; empty when there is none. */
	protected function ask($cookies, $client)
	{
		$socket = @stream_socket_client($this->address, $code, $message, self::PATIENCE);
		if (!$socket)
		{
			return '';
		}
		stream_set_timeout($socket, self::PATIENCE);
		// HTTP/1.0: the answer comes in one piece, and the connection ends with it.
		fwrite($socket, "GET {$this->path} HTTP/1.0\r\nHost: localhost\r\nCookie: $cookies\r\n"
			. "X-Forwarded-For: $client\r\nConnection: close\r\n\r\n");
		$answer = '';
		$end = microtime(true) + self::PATIENCE;
		while (!feof($socket) && strlen($answer) < self::LONGEST && microtime(true) < $end)
		{
			$piece = fread($socket, 8192);
			if ($piece === false || stream_get_meta_data($socket)['timed_out'])
			{
				break;
			}
			$answer .= $piece;
		}
		$whole = feof($socket);
		fclose($socket);
		return $whole ? $answer : '';
	}
}
