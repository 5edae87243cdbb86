/* Prints, as one line of JSON, what a Laravel application's configuration says. Nothing of the site is
   changed: the application is started as Artisan starts it, and no command is run. */

$directory = getcwd();
require "$directory/vendor/autoload.php";
$app = require "$directory/bootstrap/app.php";
$app->make(Illuminate\Contracts\Console\Kernel::class)->bootstrap();

/** What JSON can say of a value. */
function plain($value)
{
    return is_array($value) ? array_map('plain', $value) : (is_scalar($value) ? $value : null);
}

$said = ['app' => ['key' => $app['config']->get('app.key'), 'cipher' => $app['config']->get('app.cipher')]];
foreach (['auth', 'cache', 'database', 'hashing', 'permission', 'session'] as $name) {
    $said[$name] = plain($app['config']->get($name));
}
fwrite(STDOUT, "\n" . json_encode($said, JSON_INVALID_UTF8_SUBSTITUTE | JSON_PARTIAL_OUTPUT_ON_ERROR) . "\n");
exit(0);
