/* Answers, as a Laravel application itself does, who an account, a session or a password is. A line of
   JSON is a question, a line is its answer. Nothing is changed: the guard has a copy of the session
   whose handler keeps nothing, no password is hashed anew, and no event is heard.

   $directory is the application's, $told what the configuration says: the guard and its columns. */

use Illuminate\Auth\SessionGuard;
use Illuminate\Contracts\Hashing\Hasher;
use Illuminate\Cookie\CookieValuePrefix;
use Illuminate\Cookie\Middleware\EncryptCookies;
use Illuminate\Http\Request;
use Illuminate\Http\Response;
use Illuminate\Session\Middleware\AuthenticateSession;
use Illuminate\Session\NullSessionHandler;
use Illuminate\Session\Store;

/** A hasher that takes any password for the right one where there is a hash at all. */
function any_password(): Hasher
{
    return new class implements Hasher {
        public function info($hashedValue) { return password_get_info((string) $hashedValue); }
        public function make($value, array $options = []) { throw new LogicException('nothing is hashed'); }
        public function check($value, $hashedValue, array $options = []) { return (string) $hashedValue !== ''; }
        public function needsRehash($hashedValue, array $options = []) { return false; }
    };
}

/** A value of the configuration that the guard has. */
function of_guard(string $name): ?string
{
    global $app, $told;
    return $app['config']->get("auth.guards.{$told['guard']}.$name");
}

/** Where the guard's accounts come from. */
function provider(): Illuminate\Contracts\Auth\UserProvider
{
    global $app;
    return $app['auth']->createUserProvider(of_guard('provider'));
}

function person($user): ?array
{
    global $told;
    return $user === null ? null : [
        'id' => (string) $user->getAuthIdentifier(),
        'name' => (string) ($user->{$told['name']} ?? ''),
    ];
}

/** The account that people mean by `name`. */
function named(string $name)
{
    global $told;
    return provider()->retrieveByCredentials([$told['name'] => $name]);
}

function account(string $name): ?array
{
    $user = named($name);
    if ($user === null) {
        return null;
    }
    $account = person($user) + ['groups' => null, 'permissions' => (object) []];
    if (method_exists($user, 'getRoleNames')) {
        $account['groups'] = $user->getRoleNames()->values()->all();
        $held = [];
        foreach ($user->getAllPermissions()->take(20) as $permission) {
            $held[$permission->name] = true;
        }
        $account['permissions'] = (object) $held;
    }
    return $account;
}

/** The account that a name and a password let in, by the hasher of the site or another. */
function login(string $name, string $password, ?Hasher $hasher = null): ?array
{
    global $told;
    $provider = provider();
    if ($hasher !== null) {
        $change = function () use ($hasher) { $this->hasher = $hasher; };
        $change->call($provider);
    }
    $user = $provider->retrieveByCredentials([$told['name'] => $name]);
    $right = $user !== null && $provider->validateCredentials($user, ['password' => $password]);
    return $right ? person($user) : null;
}

/** All middleware of the group `web`. */
function middleware(): array
{
    global $app;
    $kernel = $app->make(Illuminate\Contracts\Http\Kernel::class);
    $groups = method_exists($kernel, 'getMiddlewareGroups')
        ? $kernel->getMiddlewareGroups() : $app['router']->getMiddlewareGroups();
    return array_filter($groups['web'] ?? [], 'is_string');
}

/** The class among the middleware that is `wanted` or extends it. */
function of_middleware(string $wanted): ?string
{
    foreach (middleware() as $class) {
        if (class_exists($class) && is_a($class, $wanted, true)) {
            return $class;
        }
    }
    return null;
}

/** The cookies that a token stands for, by their names. */
function cookies(string $token): array
{
    global $app, $told;
    $encrypter = $app['encrypter'];
    $keys = method_exists($encrypter, 'getAllKeys') ? $encrypter->getAllKeys() : [$encrypter->getKey()];
    $recaller = 'remember_' . $told['guard'] . '_' . sha1(SessionGuard::class);
    $cookie = $app['config']->get('session.cookie');
    $found = [];
    $others = [];
    foreach (array_map('urldecode', explode(';', $token, 3)) as $value) {
        try {
            $plain = $encrypter->decrypt($value, false);
        } catch (Illuminate\Contracts\Encryption\DecryptException $wrong) {
            continue;
        }
        foreach ([$cookie, $recaller] as $name) {
            foreach ($keys as $key) {
                if (strpos($plain, CookieValuePrefix::create($name, $key)) === 0) {
                    $found[$name] = $value;
                    if ($name === $cookie) {
                        $id = CookieValuePrefix::remove($plain);
                    }
                }
            }
        }
        if (!in_array($value, $found, true)) {
            $others[] = $value;
        }
    }
    // The driver `cookie` has the data in one that is called after the session.
    return $found + (isset($id) && $others !== [] ? [$id => $others[0]] : []);
}

/** Who is logged in to the session that a token stands for. */
function whose(string $token): ?array
{
    global $app, $told;
    $request = Request::create('/', 'GET', [], cookies($token));
    $app->instance('request', $request);
    $encrypt = $app->make(of_middleware(EncryptCookies::class) ?? EncryptCookies::class);
    $encrypt->handle($request, function () { return new Response(); });
    $app['session']->forgetDrivers();
    $real = $app['session']->driver();
    $real->setId($request->cookies->get($real->getName()));
    $real->setRequestOnHandler($request);
    $real->start();
    $copy = new Store($real->getName(), new NullSessionHandler());
    $take = function (array $attributes) { $this->attributes = $attributes; $this->started = true; };
    $take->call($copy, $real->all());
    $guard = new SessionGuard($told['guard'], provider(), $copy, $request);
    $guard->setCookieJar($app['cookie']);
    if (property_exists($guard, 'hashKey')) {
        $key = function () use ($app) { $this->hashKey = $app['config']->get('app.key'); };
        $key->call($guard);
    }
    $put = function () use ($guard, $told) { $this->guards[$told['guard']] = $guard; };
    $put->call($app['auth']);
    $app['auth']->shouldUse($told['guard']);
    $request->setLaravelSession($copy);
    $request->setUserResolver(function () use ($guard) { return $guard->user(); });
    $check = of_middleware(AuthenticateSession::class);
    if ($check === null && $told['authenticate_session']) {
        $check = AuthenticateSession::class;
    }
    $user = null;
    try {
        $next = function () use ($guard, &$user) { $user = $guard->user(); return new Response(); };
        $check === null ? $next() : (new $check($app['auth']))->handle($request, $next);
    } catch (Illuminate\Auth\AuthenticationException $refused) {
        return null;
    }
    return person($user);
}

/** The ids of some sessions, the newest first, and why there are none where they cannot be listed. */
function ids(?int $count): array
{
    global $app;
    $config = $app['config'];
    $driver = $config->get('session.driver');
    if ($driver === 'database') {
        $table = $app['db']->connection($config->get('session.connection'))->table($config->get('session.table'));
        $ids = $table->whereNotNull('user_id')->orderByDesc('last_activity');
        $ids = ($count === null ? $ids : $ids->limit($count))->pluck('id')->all();
    } elseif ($driver === 'file' || $driver === 'native') {
        $files = [];
        foreach (glob($config->get('session.files') . '/*') ?: [] as $file) {
            $files[basename($file)] = filemtime($file);
        }
        arsort($files);
        $ids = array_slice(array_map('strval', array_keys($files)), 0, $count);
    } else {
        return [[], "Laravel does not tell which sessions the driver $driver has"];
    }
    return [$ids, null];
}

/** The session cookie of a visitor. */
function token(string $id): string
{
    global $app;
    $prefix = CookieValuePrefix::create($app['config']->get('session.cookie'), $app['encrypter']->getKey());
    return rawurlencode($app['encrypter']->encrypt($prefix . $id, false));
}

/** Accounts by what people type, and sessions: a thousand at a time, and whether more follow. */
function listed(?int $accounts, ?int $sessions): Generator
{
    global $told;
    $user = provider();
    if (!method_exists($user, 'createModel')) {
        global $app;
        $query = $app['db']->connection()->table($app['config']->get('auth.providers.' . of_guard('provider') . '.table'));
        $key = 'id';
    } else {
        $model = $user->createModel();
        $query = $model->newQuery();
        $key = $model->getKeyName();
    }
    [$ids, $unlisted] = ids($sessions);
    $count = $query->count();
    $left = $accounts ?? PHP_INT_MAX;
    $last = null;
    do {
        $page = (clone $query)->orderBy($key)->limit(min($left, 1000));
        $page = $left === 0 ? [] : ($last === null ? $page : $page->where($key, '>', $last))->get()->all();
        $names = [];
        foreach ($page as $found) {
            $last = $found->{$key};
            if ((string) $found->{$told['name']} !== '') {
                $email = $told['email'] === '' ? '' : (string) $found->{$told['email']};
                $names[] = ['name' => (string) $found->{$told['name']}, 'email' => $email];
            }
        }
        $left -= count($page);
        $tokens = count($page) === 1000 ? [] : array_map('token', array_splice($ids, 0, 1000));
        $more = count($page) === 1000 || $ids !== [];
        yield ['answer' => [
            'accounts' => ['names' => $names, 'count' => $count],
            'sessions' => $tokens,
            'unlisted' => $unlisted,
        ], 'more' => $more];
    } while ($more);
}

function answer(array $question): array
{
    switch ($question['ask']) {
        case 'account':
            return ['answer' => account($question['name'])];
        case 'login':
            return ['answer' => login($question['name'], 'any', any_password())];
        case 'password':
            return ['answer' => login($question['name'], $question['password'])];
        case 'wrong':
            return ['answer' => login($question['name'], bin2hex(random_bytes(16)))];
        case 'session':
            return ['answer' => whose($question['token'])];
    }
    return ['cannot' => 'this is not asked of Laravel'];
}

function tell(array $line): void
{
    $flags = JSON_INVALID_UTF8_SUBSTITUTE | JSON_UNESCAPED_UNICODE;
    fwrite(STDOUT, 'hallpass:' . json_encode($line, $flags) . "\n");
    fflush(STDOUT);
}

chdir($directory);
require "$directory/vendor/autoload.php";
$app = require "$directory/bootstrap/app.php";
$app->make(Illuminate\Contracts\Console\Kernel::class)->bootstrap();
$app['events'] = new Illuminate\Events\NullDispatcher(new Illuminate\Events\Dispatcher($app));
tell([
    'software' => 'Laravel ' . $app->version(),
    'accounts' => true,
    'notes' => ['what the pages of the application ask for on top of the guard ' . $told['guard']],
]);
while (($line = fgets(STDIN)) !== false) {
    try {
        $question = json_decode($line, true);
        $list = $question['ask'] === 'list';
        foreach ($list ? listed($question['accounts'], $question['sessions']) : [answer($question)] as $said) {
            tell($said);
        }
    } catch (Throwable $raised) {
        tell(['answer' => null, 'raised' => get_class($raised)]);
    }
}
